//! `driftlead init MONITOR.yaml`: model files in place of a monitor of Azure ML.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::DataType;
use driftlead_connectors::dataset::Remotes;

use super::init::{Init, SCHEMA, seen_from, write_schema};
use crate::azure::monitor::{Draft, Rows, drafts, is_monitor, read};
use crate::config::node::Node;
use crate::config::{Config, Place, Problem, Problems};
use crate::exit::{Error, Result, code};
use crate::job::columns::Columns;
use crate::job::input::{Input, Preparation};
use crate::job::look::look;
use crate::output;

/// The text of the monitor that `args` name; `None` if they name data.
///
/// # Errors
///
/// A YAML file that cannot be read, or is of something else.
pub(super) fn monitor(args: &Init) -> Result<Option<String>> {
    let file = Path::new(&args.data);
    let is_yaml = file.extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml")
    });
    let is_meant = args.azureml || is_yaml && file.is_file();
    if !is_meant {
        return Ok(None);
    }
    let text = std::fs::read_to_string(file)
        .map_err(|error| Error::input(format!("cannot read the monitor `{}`", args.data)).because(error))?;
    if !args.azureml {
        let root = Node::parse(&text).map_err(|problem| Problems::new(file, &text, vec![problem]))?;
        if !is_monitor(&root) {
            let message = "neither data nor a monitor of Azure ML: expected `create_monitor` in it, or a `$schema` of \
                           monitor schedules; `--azureml` takes it for one all the same";
            return Err(Problems::new(file, &text, vec![Problem::new(Place::START, message)]).into());
        }
    }
    Ok(Some(text))
}

/// Prints the model files of the monitor, or writes them, and says what is not carried over.
///
/// # Errors
///
/// The monitor has problems, or none of its signals can be carried over; the rows cannot be read; a file is there already
/// or cannot be written.
pub(super) fn run(args: &Init, text: &str) -> Result<u8> {
    let monitor = read(Path::new(&args.data), text)?;
    let say = |line: u64, what: &str| output::complain(&format!("note: {}:{line}: {what}", args.data));
    for note in &monitor.notes {
        say(note.line, &note.text);
    }
    if monitor.signals.is_empty() {
        return Err(Error::input(format!("none of the signals of `{}` can be carried over", args.data)));
    }
    let shown = args
        .output
        .as_deref()
        .map(|output| if output.is_dir() { output.join("x.yaml") } else { output.to_owned() });
    let rows = match &args.baseline {
        Some(path) => Some(rows(path, shown.as_deref())?),
        None => None,
    };
    let list = drafts(&monitor, &args.data, rows.as_ref());
    for draft in &list {
        // What is written has to be readable, whatever the monitor has in its names.
        Config::parse(Path::new(&draft.model), &draft.text)?;
        for note in &draft.notes {
            say(note.line, &note.text);
        }
    }
    let Some(output) = &args.output else {
        let texts: Vec<String> = list.into_iter().map(|draft| draft.text).collect();
        if texts.len() > 1 {
            output::complain(
                "note: the monitor makes several model files; `-o FOLDER` writes each by itself",
            );
        }
        output::print(&texts.join("---\n"))?;
        return Ok(code::OK);
    };
    for (file, text) in targets(output, &list)? {
        output::write_file(&file, format!("# yaml-language-server: $schema={SCHEMA}\n{text}").as_bytes())?;
        output::print(&format!("{}: next `driftlead validate {0}`\n", file.display()))?;
    }
    Ok(code::OK)
}

/// Where each file goes. Looked at before the first is written, and the schema with it.
fn targets<'a>(output: &Path, list: &'a [Draft]) -> Result<Vec<(PathBuf, &'a str)>> {
    let files: Vec<(PathBuf, &str)> = if output.is_dir() {
        list.iter()
            .map(|draft| (output.join(format!("{}.yaml", file_name(&draft.model))), draft.text.as_str()))
            .collect()
    } else if let [draft] = list {
        vec![(output.to_owned(), draft.text.as_str())]
    } else {
        let names: Vec<&str> = list.iter().map(|draft| draft.model.as_str()).collect();
        return Err(Error::input(format!(
            "the monitor makes {} model files (`{}`), and `{}` is no folder: name one that is there",
            list.len(),
            names.join("`, `"),
            output.display()
        )));
    };
    for (at, (file, _)) in files.iter().enumerate() {
        if files[..at].iter().any(|(before, _)| before == file) {
            return Err(Error::input(format!(
                "two signals would be written to `{}`: give them names that differ",
                file.display()
            )));
        }
        if file.exists() {
            return Err(Error::input(format!(
                "`{}` exists: it is not written over; choose another place, or remove it first",
                file.display()
            )));
        }
    }
    if let Some((file, _)) = files.first() {
        output::ensure_folder(file)?;
        write_schema(file)?;
    }
    Ok(files)
}

/// A model's name as the name of a file.
fn file_name(model: &str) -> String {
    model.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' }).collect()
}

/// What the rows at `path` are, for model files as seen from `file`.
fn rows(path: &str, file: Option<&Path>) -> Result<Rows> {
    let remotes = Arc::new(Remotes::default());
    let input = Input::open(&[path.to_owned()], &remotes, Preparation::default())?;
    let columns =
        Columns::choose(input.schema(), &Config::first_look(), input.dataset().format().envelope())?;
    let looks = look(&input, &columns)?;
    let judged = columns.features.iter().zip(&looks).filter(|(_, look)| look.skipped.is_none());
    let kinds: BTreeMap<_, _> = judged.map(|(spec, _)| (spec.name.clone(), spec.kind)).collect();
    let is_time = |data_type: &DataType| {
        matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
    };
    let time = input.schema().fields().iter().find(|field| is_time(field.data_type()));
    Ok(Rows {
        path: file.map_or_else(|| path.to_owned(), |file| seen_from(file, path)),
        kinds,
        time: time.map(|field| field.name().clone()),
    })
}
