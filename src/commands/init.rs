//! `driftlead init`: a model file for a data set, ready to edit.

use std::path::Path;
use std::sync::Arc;

use driftlead_connectors::dataset::Remotes;
use driftlead_engine::Kind;

use crate::cli::Init;
use crate::config::Config;
use crate::config::template::{Choice, Column, Draft};
use crate::exit::{Result, code};
use crate::job::columns::Columns;
use crate::job::input::Input;
use crate::job::look::{Look, look};
use crate::output;

/// Prints the model file.
///
/// # Errors
///
/// If the data cannot be read or no column can be a feature.
pub fn run(args: &Init) -> Result<u8> {
    let remotes = Arc::new(Remotes::default());
    let input = Input::open(std::slice::from_ref(&args.data), &remotes, None, &[])?;
    let columns = Columns::choose(input.schema(), &Config::first_look())?;
    let looks = look(&input, &columns)?;
    let schema = input.schema();
    let drafted = schema.fields().iter().enumerate().map(|(place, field)| {
        let feature = columns.places.iter().position(|own| *own == place);
        let (choice, seen) = match feature {
            Some(feature) => described(columns.features[feature].kind, &looks[feature]),
            None => (unjudged(field.name(), field.data_type(), &columns), String::new()),
        };
        Column { name: field.name().clone(), data_type: field.data_type().to_string(), choice, seen }
    });
    let draft = Draft {
        model: model_name(&args.data),
        path: args.data.clone(),
        rows: input.dataset().n_rows(),
        columns: drafted.collect(),
    };
    output::print(&draft.to_yaml())?;
    Ok(code::OK)
}

fn described(kind: Kind, look: &Look) -> (Choice, String) {
    match &look.skipped {
        Some(reason) => (Choice::Skipped(reason.clone()), look.seen.clone()),
        None => (Choice::Feature(kind), look.seen.clone()),
    }
}

/// What becomes of a column that is no feature.
fn unjudged(name: &str, data_type: &arrow_schema::DataType, columns: &Columns) -> Choice {
    use arrow_schema::DataType as D;
    if matches!(data_type, D::Date32 | D::Date64 | D::Timestamp(..)) {
        return Choice::Time;
    }
    let reason = columns.skipped.iter().find(|skipped| skipped.name == name);
    Choice::Skipped(reason.map_or_else(|| "not compared".to_owned(), |skipped| skipped.reason.clone()))
}

/// `data/flights-2001-01.parquet` -> `flights-2001-01`; a folder or pattern by its last plain part.
fn model_name(data: &str) -> String {
    let plain = data.split('/').rev().find(|part| !part.is_empty() && !part.contains(['*', '?', '[', '{']));
    let name = plain.and_then(|part| Path::new(part).file_stem()).and_then(|stem| stem.to_str());
    name.filter(|name| !name.is_empty() && *name != "." && *name != "..").unwrap_or("model").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_after_its_data() {
        assert_eq!(model_name("data/flights-2001-01.parquet"), "flights-2001-01");
        assert_eq!(model_name("az://ml/flights/2001-01/*.parquet"), "2001-01");
        assert_eq!(model_name("flights/"), "flights");
        assert_eq!(model_name("*.parquet"), "model");
        assert_eq!(model_name(".."), "model");
    }
}
