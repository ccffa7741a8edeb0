//! The driver of driftlead: command line, configuration, reports, and the loops in which engine and connectors meet.
//!
//! [`run`] is the whole program as a function of its arguments, so that tests drive what people run.

pub mod azure;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod exit;
pub mod http;
pub mod interrupt;
pub mod job;
pub mod output;
pub mod progress;
pub mod report;
pub mod serve;
pub mod telemetry;
pub mod time;

use std::ffi::OsString;

use clap::error::ErrorKind;

use self::cli::{Cli, Command};
use self::exit::code;

/// Runs one command line, program name first, and returns its exit code (SEMANTICS S12).
///
/// Reports go to standard output, everything else to standard error.
pub fn run(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> u8 {
    let cli = match Cli::read(args) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed standard output, as in `driftlead --help | head -1`, is no error.
            drop(error.print());
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => code::OK,
                _ => code::INPUT,
            };
        }
    };
    interrupt::listen();
    match dispatch(cli.command) {
        Ok(code) => code,
        Err(error) => {
            output::complain(&format!("driftlead: {}", error.chain()));
            error.code()
        }
    }
}

fn dispatch(command: Command) -> exit::Result<u8> {
    match command {
        Command::Validate(args) => commands::validate::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Baseline(args) => commands::baseline::run(&args),
        Command::Init(args) => commands::init::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Serve(args) => commands::serve::run(&args),
        Command::Alerts(args) => commands::alerts::run(&args),
        Command::Store(args) => commands::store::run(&args),
        Command::Azure(args) => commands::azure::run(&args),
        Command::Demo => commands::demo::run(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_tell_usage_from_success() {
        let folder = tempfile::tempdir().expect("folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("file");
            path.into_os_string()
        };
        let go = |args: &[OsString]| run(["driftlead".into()].iter().chain(args));
        assert_eq!(go(&["--version".into()]), code::OK);
        assert_eq!(go(&["check".into(), "--help".into()]), code::OK);
        assert_eq!(go(&["completions".into(), "bash".into()]), code::OK);
        assert_eq!(go(&["validate".into(), file("good.yaml", "model: m\n")]), code::OK);
        let model = "model: m\nsource: s\nbaseline: b.parquet\ntime: t\nwindow: {length: 1h}\n";
        let service = "store: x\nmodels: of-service.yaml\nsources: {s: {ingest: {}}}\n";
        file("of-service.yaml", model);
        assert_eq!(go(&["validate".into(), file("service.yaml", service)]), code::OK);
        let service = service.replace("s: {", "other: {");
        assert_eq!(go(&["validate".into(), file("service.yaml", &service)]), code::INPUT);
        assert_eq!(go(&["check".into(), file("service.yaml", &service)]), code::INPUT);
        assert_eq!(go(&["validate".into(), "--schema".into(), "service".into()]), code::OK);
        assert_eq!(go(&["validate".into(), "--schema".into()]), code::OK);
        assert_eq!(go(&["validate".into(), file("bad.yaml", "modle: m\n")]), code::INPUT);
        assert_eq!(go(&["validate".into(), file("data.yaml", "PAR1")]), code::INPUT);
        assert_eq!(go(&["validate".into(), "no/such/file.yaml".into()]), code::INPUT);
        assert_eq!(go(&[]), code::INPUT);
        assert_eq!(go(&["frobnicate".into()]), code::INPUT);
    }
}
