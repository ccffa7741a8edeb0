//! A first model file for a data set: what `driftlead init` writes.
//!
//! The file is made to be edited: every choice that was made stands in it, with what it was made from as a comment, and
//! the keys that most models need next stand there as comments. It always reads back ([`crate::config::Config::parse`]).

use std::fmt::Write as _;

use driftlead_engine::Kind;

use crate::report::plural;

/// What is known of a data set before a model file is written.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The schema for editors, as a path from the model file; `None` if there is none beside it.
    pub schema: Option<String>,
    /// The model's name.
    pub model: String,
    /// The baseline's path, as typed.
    pub path: String,
    /// Rows of the data set, if it says so itself.
    pub rows: Option<u64>,
    /// The columns, in the data's order.
    pub columns: Vec<Column>,
}

/// A column of the data set.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, in the data's words.
    pub data_type: String,
    /// How it would be compared.
    pub choice: Choice,
    /// What was seen of it, for a person: `229 distinct, 0.3% null, such as ATL, ORD`. May be empty.
    pub seen: String,
}

/// What becomes of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It is judged.
    Feature(Kind),
    /// It could be the event time.
    Time,
    /// It is not judged, for this reason.
    Skipped(String),
}

impl Draft {
    /// The model file.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut out = String::new();
        let rows = self.rows.map_or(String::new(), |rows| format!(", {}", plural(rows, "row")));
        let from = one_line(&self.path);
        if let Some(schema) = &self.schema {
            let _ = writeln!(out, "# yaml-language-server: $schema={schema}");
        }
        let _ = writeln!(
            out,
            "# Written by `driftlead init` from {from}{rows}. Check it with `driftlead validate`,"
        );
        let _ = writeln!(
            out,
            "# then freeze the baseline with `driftlead baseline` and compare with `driftlead check`."
        );
        let _ = writeln!(out, "model: {}", quoted(&self.model));
        let _ = writeln!(out, "version: \"1\"            # results of different versions are kept apart");
        let _ = writeln!(out, "baseline: {}", quoted(&self.path));
        self.write_time(&mut out);
        self.write_features(&mut out);
        self.write_skipped(&mut out);
        out.push_str(HINTS);
        out
    }

    fn write_time(&self, out: &mut String) {
        let mut times = self.columns.iter().filter(|column| column.choice == Choice::Time);
        out.push('\n');
        let Some(time) = times.next() else {
            out.push_str("# Without an event-time column all rows are one window.\n# time: COLUMN\n");
            out.push_str("# window: {length: 1d, min_rows: 500}\n");
            return;
        };
        let _ = writeln!(out, "time: {}{}", quoted(&time.name), comment(time));
        for other in times {
            let _ = writeln!(out, "# time: {}{}", quoted(&other.name), comment(other));
        }
        out.push_str("# Cuts the data into windows; without it all rows are one.\n");
        out.push_str("# window: {length: 1d, min_rows: 500}\n");
    }

    fn write_features(&self, out: &mut String) {
        let features: Vec<_> = self
            .columns
            .iter()
            .filter_map(|column| match column.choice {
                Choice::Feature(kind) => Some((column, kind)),
                _ => None,
            })
            .collect();
        out.push('\n');
        if features.is_empty() {
            out.push_str(
                "# No column was found that can be judged; name some here.\n# features:\n#   NAME: numeric\n",
            );
            return;
        }
        out.push_str("# The columns to judge. Remove a line to leave a column out; add `\"*\": {}` for all the others.\n");
        out.push_str("features:\n");
        let width = features.iter().map(|(column, _)| quoted(&column.name).len()).max().unwrap_or(0).min(32);
        for (column, kind) in features {
            let name = format!("{}:", quoted(&column.name));
            let _ = writeln!(out, "  {name:<0$} {1:<11}{2}", width + 1, kind.name(), comment(column));
        }
    }

    fn write_skipped(&self, out: &mut String) {
        let skipped: Vec<_> = self
            .columns
            .iter()
            .filter_map(|column| match &column.choice {
                Choice::Skipped(reason) => Some((column, reason)),
                _ => None,
            })
            .collect();
        if skipped.is_empty() {
            return;
        }
        out.push_str("  # Not judged; name a column above with a kind to judge it all the same:\n");
        for (column, reason) in skipped {
            let _ = writeln!(out, "  # {}: {}", one_line(&column.name), one_line(reason));
        }
    }
}

const HINTS: &str = "
# Rows for which this is false or null are left out, of the baseline too.
# where: \"cancelled = false\"

# Judges the rows of each value apart as well.
# segments: [COLUMN]

# Without rules the default policy decides, with the sample size in mind.
# thresholds:
#   - {metric: psi, warn: 0.1, drift: 0.2}
#   - {metric: ks, features: [COLUMN], drift: 0.1}
";

fn comment(column: &Column) -> String {
    let seen = one_line(&column.seen);
    let comma = if seen.is_empty() { "" } else { ", " };
    format!("  # {}{comma}{seen}", one_line(&column.data_type))
}

/// A comment must not end before its line does.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_line_breaking(c) { ' ' } else { c }).collect()
}

fn is_line_breaking(c: char) -> bool {
    c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// `text` as a YAML scalar that reads back as this text and nothing else.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | "nan" | "inf"
        );
    if is_plain {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if is_line_breaking(c) => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;

    fn column(name: &str, data_type: &str, choice: Choice, seen: &str) -> Column {
        Column { name: name.to_owned(), data_type: data_type.to_owned(), choice, seen: seen.to_owned() }
    }

    fn flights() -> Draft {
        Draft {
            schema: Some("model.schema.json".to_owned()),
            model: "flights".to_owned(),
            path: "az://ml/flights/2001-01/*.parquet".to_owned(),
            rows: Some(1_000_000),
            columns: vec![
                column("date", "timestamp(ms)", Choice::Time, "2001-01-01 to 2001-01-31"),
                column("delay", "int16", Choice::Feature(Kind::Numeric), "-60 to 1435, 0.3% null"),
                column(
                    "origin",
                    "string",
                    Choice::Feature(Kind::Categorical),
                    "229 distinct, such as ATL, ORD",
                ),
                column("no", "bool", Choice::Feature(Kind::Categorical), ""),
                column("id", "int64", Choice::Skipped("strictly monotone integers".to_owned()), ""),
            ],
        }
    }

    #[test]
    fn the_file_is_commented_and_reads_back() {
        let text = flights().to_yaml();
        insta::assert_snapshot!(text);
        let config = Config::parse(Path::new("flights.yaml"), &text).expect("reads back");
        assert_eq!(config.time.as_deref(), Some("date"));
        let read: Vec<_> = config.features.declared.iter().map(|f| (f.name.as_str(), f.kind)).collect();
        let expected = [
            ("delay", Some(Kind::Numeric)),
            ("origin", Some(Kind::Categorical)),
            ("no", Some(Kind::Categorical)),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn a_data_set_with_nothing_to_judge_still_reads_back() {
        let draft = Draft { columns: Vec::new(), rows: None, ..flights() };
        let config = Config::parse(Path::new("m.yaml"), &draft.to_yaml()).expect("reads back");
        assert!(config.features.others);
    }

    proptest! {
        #[test]
        fn any_names_read_back(names in prop::collection::btree_set("[^$*]\\PC{0,12}|.{1,8}", 1..6), path in "[^$]{1,20}") {
            let names: Vec<String> = names.into_iter().filter(|name| !name.trim().is_empty() && name != "*").collect();
            prop_assume!(!path.trim().is_empty() && !names.is_empty());
            let columns = names.iter().map(|name| column(name, name, Choice::Feature(Kind::Numeric), name)).collect();
            let draft = Draft { schema: None, model: names[0].clone(), path, rows: None, columns };
            prop_assume!(!draft.model.contains("${"));
            let config = Config::parse(Path::new("m.yaml"), &draft.to_yaml());
            let config = config.map_err(|problems| TestCaseError::fail(format!("{problems}\n{}", draft.to_yaml())))?;
            let read: Vec<String> = config.features.declared.into_iter().map(|feature| feature.name).collect();
            prop_assert_eq!(read, names);
        }
    }
}
