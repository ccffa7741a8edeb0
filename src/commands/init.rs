//! `driftlead init`: a model file for a data set, or model files for a monitor of Azure ML, ready to edit.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use driftlead_connectors::dataset::Remotes;
use driftlead_engine::Kind;
use driftlead_engine::baseline::TEMPORAL_TEXT;

use super::adopt;
use crate::config::template::{Choice, Column, Draft};
use crate::config::{Config, schema};
use crate::exit::{Error, Result, code};
use crate::job::columns::{Columns, type_word};
use crate::job::input::{Input, Preparation};
use crate::job::look::{Look, look};
use crate::output;

/// The words after `driftlead init`.
#[derive(Clone, Debug, Args)]
pub struct Init {
    /// The data: a file, a pattern in quotes, a folder or a URL. Or a monitor of Azure ML: a YAML file.
    #[arg(value_name = "DATA | MONITOR.yaml")]
    pub data: String,
    /// Write the file here, and its schema for editors beside it, instead of to standard output. For a monitor, a file or a
    /// folder.
    #[arg(short, long, value_name = "MODEL.yaml")]
    pub output: Option<PathBuf>,
    /// Take the file for a monitor of Azure ML whatever it looks like.
    #[arg(long)]
    pub azureml: bool,
    /// With a monitor: the rows that it compares with. The kinds of features are taken from them.
    #[arg(long, value_name = "REF")]
    pub baseline: Option<String>,
}

/// Prints the model file, or writes it beside its schema.
///
/// # Errors
///
/// If the data cannot be read, no column can be a feature, or the file is there already or cannot be written.
pub fn run(args: &Init) -> Result<u8> {
    if let Some(text) = adopt::monitor(args)? {
        return adopt::run(args, &text);
    }
    if let Some(file) = args.output.as_deref().filter(|file| file.exists()) {
        return Err(Error::input(format!(
            "`{}` exists: it is not written over; choose another name, or remove it first",
            file.display()
        )));
    }
    if args.baseline.is_some() {
        return Err(Error::input(
            "`--baseline` goes with a monitor of Azure ML: of data, name the baseline alone (`driftlead init DATA`)",
        ));
    }
    // Before the data are read; and the schema beside it, which is written first, nobody has named.
    args.output.as_deref().map_or(Ok(()), output::ensure_folder)?;
    let remotes = Arc::new(Remotes::default());
    let input = Input::open(std::slice::from_ref(&args.data), &remotes, Preparation::default())?;
    let columns =
        Columns::choose(input.schema(), &Config::first_look(), input.dataset().format().envelope())?;
    let looks = look(&input, &columns)?;
    let drafted = input.schema().fields().iter().enumerate().map(|(place, field)| {
        let feature = columns.places.iter().position(|own| *own == place);
        let (choice, seen) = match feature {
            Some(feature) => described(columns.features[feature].kind, &looks[feature]),
            None => (unjudged(field.name(), field.data_type(), &columns), String::new()),
        };
        Column { name: field.name().clone(), data_type: type_word(field.data_type()), choice, seen }
    });
    let draft = Draft {
        schema: args.output.is_some().then(|| SCHEMA.to_owned()),
        model: model_name(&args.data),
        path: args.output.as_deref().map_or_else(|| args.data.clone(), |file| seen_from(file, &args.data)),
        rows: input.dataset().n_rows(),
        columns: drafted.collect(),
    };
    let Some(file) = &args.output else {
        output::print(&draft.to_yaml())?;
        return Ok(code::OK);
    };
    write_schema(file)?;
    output::write_file(file, draft.to_yaml().as_bytes())?;
    output::print(&format!("{}: next `driftlead validate {0}`\n", file.display()))?;
    Ok(code::OK)
}

/// Writes the schema for editors beside the model file `file`, over none but an older one.
pub(super) fn write_schema(file: &Path) -> Result<()> {
    let beside = file.with_file_name(SCHEMA);
    if std::fs::read_to_string(&beside).map_or_else(|_| beside.exists(), |text| !text.contains(schema::TITLE))
    {
        return Err(Error::input(format!(
            "`{}` exists and is not driftlead's: it is not written over; write the model file to another folder",
            beside.display()
        )));
    }
    output::write_file(&beside, schema::text().as_bytes())
}

/// What the schema for editors is called beside a model file.
pub(super) const SCHEMA: &str = "model.schema.json";

/// `data` as the model file `file` has to name it: relative paths begin at the file's folder.
pub(super) fn seen_from(file: &Path, data: &str) -> String {
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    if folder.as_os_str().is_empty() || data.contains("://") || Path::new(data).is_absolute() {
        return data.to_owned();
    }
    // What leads from a folder below the working folder back to it is known without a look at the disk.
    let is_below = folder.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if is_below {
        let depth = folder.components().filter(|part| matches!(part, Component::Normal(_))).count();
        return format!("{}{}", "../".repeat(depth), data.strip_prefix("./").unwrap_or(data));
    }
    std::path::absolute(data).map_or_else(|_| data.to_owned(), |path| path.to_string_lossy().into_owned())
}

fn described(kind: Kind, look: &Look) -> (Choice, String) {
    match &look.skipped {
        Some(reason) if reason == TEMPORAL_TEXT => (Choice::Time, look.seen.clone()),
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
    fn a_model_file_elsewhere_names_its_data_from_there() {
        let seen = |file: &str, data: &str| seen_from(Path::new(file), data);
        assert_eq!(seen("m.yaml", "data/x.parquet"), "data/x.parquet");
        assert_eq!(seen("models/a/m.yaml", "./data/x.parquet"), "../../data/x.parquet");
        assert_eq!(seen("models/m.yaml", "az://ml/x/*.parquet"), "az://ml/x/*.parquet");
        assert!(Path::new(&seen("../m.yaml", "x.parquet")).is_absolute());
    }

    #[test]
    fn a_model_is_named_after_its_data() {
        assert_eq!(model_name("data/flights-2001-01.parquet"), "flights-2001-01");
        assert_eq!(model_name("az://ml/flights/2001-01/*.parquet"), "2001-01");
        assert_eq!(model_name("flights/"), "flights");
        assert_eq!(model_name("*.parquet"), "model");
        assert_eq!(model_name(".."), "model");
    }
}
