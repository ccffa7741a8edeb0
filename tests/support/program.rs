//! The program as people run it, and its report as programs read it.

use std::process::{Command, Output};

use driftlead::report::wire::{Feature, Measure, Report, Window};
use driftlead_engine::Metric;

use super::checkout::workspace;

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("reports are UTF-8"),
            err: String::from_utf8(output.stderr).expect("messages are UTF-8"),
        }
    }
}

/// The program, to be run in the folder of the workspace.
pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_driftlead"));
    command.args(args).current_dir(workspace());
    command
}

/// Runs it to its end.
pub(crate) fn driftlead(args: &[&str]) -> Ended {
    program(args).output().expect("the program runs").into()
}

/// Runs `check` and returns the bytes of its reproducible JSON.
pub(crate) fn json(args: &[&str]) -> String {
    let ended = check(args, &["--reproducible"]);
    assert!(ended.err.is_empty(), "{args:?}: {}", ended.err);
    ended.out
}

/// Runs `check` and returns its report, complete with what `--reproducible` leaves out.
pub(crate) fn report(args: &[&str]) -> Report {
    parsed(&check(args, &[]).out)
}

/// A report from its JSON.
pub(crate) fn parsed(json: &str) -> Report {
    serde_json::from_str(json).expect("the report keeps its contract")
}

fn check(args: &[&str], more: &[&str]) -> Ended {
    let ended = driftlead(&[&["check", "--format", "json"], args, more].concat());
    assert!(ended.code.is_some_and(|code| code <= 2) && !ended.out.is_empty(), "{args:?}: {ended:?}");
    ended
}

/// The only window of a report.
pub(crate) fn only(report: &Report) -> &Window {
    assert_eq!(report.windows.len(), 1, "windows");
    &report.windows[0]
}

/// A feature of a window.
pub(crate) fn feature<'a>(window: &'a Window, name: &str) -> &'a Feature {
    let found = window.features.iter().find(|feature| feature.name == name);
    found.unwrap_or_else(|| panic!("no feature `{name}` in window {}", window.id))
}

/// A metric of a feature.
pub(crate) fn measure(feature: &Feature, metric: Metric) -> &Measure {
    feature.metrics.of(metric).unwrap_or_else(|| panic!("`{}` has no `{metric}`", feature.name))
}

/// The value of a metric of a feature.
pub(crate) fn value(feature: &Feature, metric: Metric) -> f64 {
    let measure = measure(feature, metric);
    measure.value.unwrap_or_else(|| panic!("`{metric}` of `{}` is null: {:?}", feature.name, measure.reason))
}
