//! The command line, exactly as typed.
//!
//! Nothing here opens a file, reads the environment or applies a default that a model file could change. The one thing
//! that is decided is what a word is: [`Check::target`] tells a model file from data.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use driftlead_engine::policy::FailOn;

use crate::commands::spread;
use crate::config::Compat;
use crate::exit::{Error, Result};
use crate::telemetry::{LogFormat, LogLevel};
use crate::time::Timestamp;

const AFTER_HELP: &str = "\
Examples:
  driftlead demo                                           see it work
  driftlead check --baseline train.parquet live.parquet    a first look, without configuration
  driftlead init train.parquet > model.yaml                write a model file to edit
  driftlead check model.yaml live.parquet                  compare by its rules

Exit codes:
  0  no drift (or less than `--fail-on` asks)
  1  drift
  2  bad usage, configuration or data
  3  the run failed
  130  interrupted by Ctrl-C; 143 by SIGTERM";

/// Watches models for drift: compares live data with a frozen baseline.
///
/// A baseline freezes the distribution of every feature once; each later window of data is compared with it by PSI, KS
/// and other measures, and judged with the sample size in mind. The first look needs no configuration.
#[derive(Clone, Debug, Parser)]
#[command(name = "driftlead", version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Write a model file for a data set, or for a monitor of Azure ML.
    ///
    /// Looks at the columns and a sample of the rows, infers a kind for each, and writes a commented model file to standard
    /// output, ready to edit. Of the YAML of a monitor schedule of Azure ML it carries over data, windows, features and
    /// thresholds, and says of everything else why not.
    #[command(after_help = "\
Examples:
  driftlead init train.parquet > flights.yaml
  driftlead init monitor.yaml -o models --baseline train.parquet
  driftlead init train.parquet -o models/flights.yaml
  driftlead init 'az://ml/flights/2001-01/*.parquet' > flights.yaml")]
    Init(crate::commands::init::Init),
    /// Freeze the baseline of a model into a file.
    ///
    /// Reads the baseline rows that the model file names and writes one small file with their frozen distribution. A `check`
    /// that uses this file does not read the rows again.
    #[command(after_help = "\
Examples:
  driftlead baseline flights.yaml
  driftlead baseline flights.yaml -o baselines/flights-2001-01.parquet")]
    Baseline(Baseline),
    /// Compare data with a baseline and report drift.
    ///
    /// The baseline and the rules come from a model file, or from --baseline with every default. The first word is a model
    /// file if it ends in .yaml or .yml; everything else is data. Data may be Parquet, CSV, NDJSON or Arrow IPC: files,
    /// patterns in quotes, folders or URLs (az://, abfss://, s3://, gs://).
    ///
    /// Where both a model file and an option say something, the option wins.
    #[command(after_help = "\
Examples:
  driftlead check --baseline train.parquet live.parquet
  driftlead check flights.yaml live.parquet
  driftlead check flights.yaml 'live/2001-02-*.parquet' --since 2001-02-01 --until 2001-02-08
  driftlead check flights.yaml live.parquet --format json --reproducible > report.json
  driftlead check flights.yaml live.parquet --format markdown --fail-on warn

Exit codes:
  0  no drift (or less than `--fail-on` asks)
  1  drift
  2  bad usage, configuration or data, or a feature in error
  3  the run failed
  130  interrupted by Ctrl-C; 143 by SIGTERM")]
    Check(Box<Check>),
    /// Watch streams, and alert when models drift.
    ///
    /// Reads the sources of a service file (Kafka, Event Hubs, folders of snapshots, files of lines), judges windows of event
    /// time as they close, and sends alerts to its sinks. State is kept in its store: after any crash it goes on where it
    /// was, with the same numbers. Ends with everything committed on Ctrl-C or SIGTERM.
    #[command(after_help = "\
Examples:
  driftlead validate service.yaml
  driftlead serve service.yaml
  driftlead serve service.yaml --log-format json --log-level warn")]
    Serve(Serve),
    /// Show alerts, retry deliveries, test sinks.
    ///
    /// Reads the store of a service, running or not. What changes it needs a service that is stopped: a running one is asked
    /// by its API.
    #[command(after_help = "\
Examples:
  driftlead alerts list service.yaml
  driftlead alerts list ./state --all
  driftlead alerts test-sink service.yaml oncall
  driftlead alerts retry service.yaml --sink oncall")]
    Alerts(Alerts),
    /// Check or export the store of a service.
    #[command(after_help = "\
Examples:
  driftlead store check service.yaml
  driftlead store export ./state exported")]
    Store(Store),
    /// Make Azure Monitor ready, and find out what is missing there.
    #[command(after_help = "\
Examples:
  driftlead azure template flights.yaml --out driftlead.bicep
  driftlead azure template models/*.yaml --format arm > driftlead.json
  driftlead azure doctor service.yaml")]
    Azure(crate::commands::azure::Azure),
    /// Show what is in a baseline file.
    ///
    /// For a baseline file: its features with their edges, counts and a histogram of each.
    #[command(after_help = "\
Examples:
  driftlead inspect flights.baseline.parquet")]
    Inspect(Inspect),
    /// Check a model or service file and show what it means.
    ///
    /// Reports every problem of the file, and of the models that a service file names, with its line and column, and
    /// exits 2; or prints what the file means, with the defaults that it leaves unsaid. No data is read.
    #[command(after_help = "\
Examples:
  driftlead validate flights.yaml
  driftlead validate service.yaml
  driftlead validate --schema > model.schema.json
  driftlead validate --schema service > service.schema.json")]
    Validate(Validate),
    /// Write a completion script for a shell.
    #[command(after_help = "\
Examples:
  driftlead completions bash > /etc/bash_completion.d/driftlead
  driftlead completions zsh > ~/.zfunc/_driftlead
  driftlead completions fish > ~/.config/fish/completions/driftlead.fish")]
    Completions(Completions),
    /// Run the service over half a year of real flights that come with the program.
    Demo,
}

/// The words after `driftlead alerts`.
#[derive(Clone, Debug, Args)]
pub struct Alerts {
    /// What to do.
    #[command(subcommand)]
    pub command: AlertsCommand,
}

/// What can be done about alerts.
#[derive(Clone, Debug, Subcommand)]
pub enum AlertsCommand {
    /// List the alerts that are open, the newest first.
    List {
        /// The service file, or the folder of its store.
        #[arg(value_name = "SERVICE.yaml")]
        store: PathBuf,
        /// Those that are resolved too.
        #[arg(long)]
        all: bool,
        /// Only those of this model.
        #[arg(long, value_name = "NAME")]
        model: Option<String>,
    },
    /// Try messages again that were given up.
    Retry {
        /// The service file, or the folder of its store; the service must not run.
        #[arg(value_name = "SERVICE.yaml")]
        store: PathBuf,
        /// Only those of this sink.
        #[arg(long, value_name = "SINK")]
        sink: Option<String>,
        /// Only this one.
        #[arg(long, value_name = "KEY", conflicts_with = "sink")]
        key: Option<String>,
    },
    /// Send a test alert to a sink.
    TestSink {
        /// The service file.
        #[arg(value_name = "SERVICE.yaml")]
        service: PathBuf,
        /// The sink's name in it.
        #[arg(value_name = "SINK")]
        sink: String,
    },
}

/// The words after `driftlead store`.
#[derive(Clone, Debug, Args)]
pub struct Store {
    /// What to do.
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// What can be done with a store.
#[derive(Clone, Debug, Subcommand)]
pub enum StoreCommand {
    /// See whether it is whole.
    Check {
        /// The service file, or the folder of its store.
        #[arg(value_name = "SERVICE.yaml")]
        store: PathBuf,
    },
    /// Write its windows and alerts as Parquet files.
    Export {
        /// The service file, or the folder of its store.
        #[arg(value_name = "SERVICE.yaml")]
        store: PathBuf,
        /// The folder to write to.
        #[arg(value_name = "FOLDER")]
        output: PathBuf,
    },
}

/// The words after `driftlead serve`.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// The service file.
    #[arg(value_name = "SERVICE.yaml")]
    pub file: PathBuf,
    /// How log lines on standard error are written.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// From which level on log lines are written.
    #[arg(long, value_enum, default_value_t = LogLevel::Info)]
    pub log_level: LogLevel,
    /// Threads to count with; by default one a core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
}

/// The words after `driftlead baseline`.
#[derive(Clone, Debug, Args)]
pub struct Baseline {
    /// The model file.
    #[arg(value_name = "MODEL.yaml", required_unless_present = "from_store")]
    pub model: Option<PathBuf>,
    /// Make it from what `driftlead serve` has counted, on the cells of the model's present baseline, instead of from rows:
    /// the store's folder, or the service file.
    #[arg(long, value_name = "DIR | SERVICE.yaml")]
    pub from_store: Option<PathBuf>,
    /// With a service file, the name of the model whose file it names.
    #[arg(long = "model", value_name = "NAME", requires = "from_store", conflicts_with = "model")]
    pub name: Option<String>,
    /// With --from-store: only panes that begin at this time or later (UTC unless it has a zone).
    #[arg(long, value_name = "TIME", requires = "from_store")]
    pub since: Option<Timestamp>,
    /// With --from-store: only panes that end at this time or earlier.
    #[arg(long, value_name = "TIME", requires = "from_store")]
    pub until: Option<Timestamp>,
    /// The file to write; by default MODEL.baseline.parquet beside the model file.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Threads to use; by default one a core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
}

/// The words after `driftlead check`.
#[derive(Clone, Debug, Args)]
pub struct Check {
    /// A model file, then the data to judge; without a model file, the data alone.
    #[arg(value_name = "MODEL.yaml | DATA")]
    pub words: Vec<String>,
    /// What to compare with: raw rows, or a file made by `driftlead baseline`. One path or pattern each; may be repeated.
    #[arg(long, value_name = "REF")]
    pub baseline: Vec<String>,
    /// Leave out rows before this time (UTC unless it has a zone).
    #[arg(long, value_name = "TIME")]
    pub since: Option<Timestamp>,
    /// Leave out rows at or after this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,
    /// The lowest verdict that makes the exit code 1.
    #[arg(long, value_name = "LEVEL", value_parser = fail_on_parser(), default_value = FailOn::default().name())]
    pub fail_on: FailOn,
    /// Leave out of JSON what differs between equal runs: durations, paths, versions.
    #[arg(long)]
    pub reproducible: bool,
    /// How to print the report.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Columns never to judge, with commas between.
    #[arg(long, value_name = "COLS", value_delimiter = ',')]
    pub exclude: Vec<String>,
    /// Threads to use; by default one a core. The numbers do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// An SQL condition that rows of baseline and data must meet.
    #[arg(long = "where", value_name = "SQL")]
    pub filter: Option<String>,
    /// Report another tool's metrics too, computed exactly as it does.
    #[arg(long, value_name = "TOOL", value_enum)]
    pub compat: Vec<Compat>,
    /// Write into this new folder what the monitor of Azure ML would have left: rows, signals, histograms. Implies --compat
    /// azureml.
    #[arg(long, value_name = "DIR")]
    pub azureml: Option<PathBuf>,
    /// With --azureml: the columns that the model predicts, whose drift is prediction drift, with commas between.
    #[arg(long, value_name = "COLS", value_delimiter = ',', requires = "azureml")]
    pub predictions: Vec<String>,
    /// For each `--baseline`, the words that directly follow its value.
    #[arg(skip)]
    pub following: Vec<Vec<String>>,
}

/// The words after `driftlead inspect`.
#[derive(Clone, Debug, Args)]
pub struct Inspect {
    /// The file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// The words after `driftlead validate`.
#[derive(Clone, Debug, Args)]
pub struct Validate {
    /// The model or service file; a service file is read with the models that it names.
    #[arg(value_name = "FILE", required_unless_present = "schema")]
    pub file: Option<PathBuf>,
    /// Print the JSON Schema of model or of service files, with which editors complete and check them.
    #[arg(long, conflicts_with = "file", value_name = "OF", num_args = 0..=1, default_missing_value = "model")]
    pub schema: Option<SchemaOf>,
}

/// Which files a schema is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Model files.
    Model,
    /// Service files.
    Service,
}

/// The words after `driftlead completions`.
#[derive(Clone, Debug, Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person at a terminal.
    #[default]
    Table,
    /// For programs: the contract `driftlead.report/1`.
    Json,
    /// For pull requests and chats.
    Markdown,
}

impl Cli {
    /// Reads a command line, program name first.
    ///
    /// # Errors
    ///
    /// What clap has to say, help and version included.
    pub fn read(line: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Self, clap::Error> {
        let matches = Self::command().try_get_matches_from(line)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        if let (Command::Check(check), Some(matches)) =
            (&mut cli.command, matches.subcommand_matches("check"))
        {
            check.following = following(matches, &check.words);
        }
        Ok(cli)
    }
}

/// For each value of `--baseline`, the words that stand directly behind it.
fn following(matches: &ArgMatches, words: &[String]) -> Vec<Vec<String>> {
    let places = |id: &str| matches.indices_of(id).map(Vec::from_iter).unwrap_or_default();
    let of_words = places("words");
    places("baseline")
        .into_iter()
        .map(|place| {
            let behind = of_words.iter().zip(words).skip_while(|(at, _)| **at < place);
            behind
                .zip(place + 1..)
                .take_while(|((at, _), next)| *at == next)
                .map(|((_, word), _)| word.clone())
                .collect()
        })
        .collect()
}

/// What `check` is told to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The model file, if the first word is one.
    pub model: Option<PathBuf>,
    /// The data to judge, as typed; empty if the model file is to say.
    pub data: Vec<String>,
    /// What a person should know of how the words were taken.
    pub note: Option<String>,
}

impl Check {
    /// Tells the model file from the data among the words.
    ///
    /// A word is a model file iff its last extension is `yaml` or `yml` in any case. That holds for files that do not
    /// exist too, so that a typing error is reported as a missing model file, and never depends on what the folder
    /// happens to contain. Only the first word can be one.
    ///
    /// # Errors
    ///
    /// A model file after the first word; neither a model file nor a baseline; no data and no model file to name some; a
    /// pattern after `--baseline` that the shell spread out.
    pub fn target(&self) -> Result<Target> {
        let (model, data) = match self.words.split_first() {
            Some((first, rest)) if is_model_file(first) => (Some(PathBuf::from(first)), rest),
            _ => (None, self.words.as_slice()),
        };
        if let Some(late) = data.iter().find(|word| is_model_file(word)) {
            return Err(Error::input(match model {
                Some(first) => format!(
                    "two model files: `{}` and `{late}`: check one model at a time, and name its data after it",
                    first.display()
                ),
                None => format!("the model file `{late}` must come first: driftlead check {late} DATA..."),
            }));
        }
        if model.is_none() && self.baseline.is_empty() {
            return Err(Error::input(
                "nothing to compare with: name a model file first (`driftlead check MODEL.yaml DATA`) or a baseline \
                 (`driftlead check --baseline REF.parquet CUR.parquet`)",
            ));
        }
        if model.is_none() && data.is_empty() {
            return Err(Error::input(format!(
                "no data to judge: name it after the baseline (`driftlead check --baseline {} CUR.parquet`)",
                self.baseline[0]
            )));
        }
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since >= until
        {
            return Err(Error::input(format!(
                "no time lies from `--since {since}` to `--until {until}`: `--since` must be the earlier one"
            )));
        }
        let mut note = None;
        for (reference, following) in self.baseline.iter().zip(&self.following) {
            note = note.or(spread::check(reference, following)?);
        }
        Ok(Target { model, data: data.to_vec(), note })
    }
}

/// The levels of `--fail-on`, with what each means in the long help.
fn fail_on_parser() -> impl TypedValueParser<Value = FailOn> {
    let levels = FailOn::ALL.map(|level| {
        PossibleValue::new(level.name()).help(match level {
            FailOn::Insufficient => "a window that could not be judged, `warn` or `drift`",
            FailOn::Warn => "`warn` or `drift`",
            FailOn::Drift => "`drift`",
            FailOn::Never => "nothing, errors of features included",
        })
    });
    PossibleValuesParser::new(levels).try_map(|name| FailOn::parse(&name).ok_or("no such level"))
}

fn is_model_file(word: &str) -> bool {
    // Of a URL with a query (a signed link to data), only the path counts.
    let path = word.split(['?', '#']).next().unwrap_or(word);
    Path::new(path).extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml")
    })
}

impl ValueEnum for Compat {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str]) -> Check {
        let line = ["driftlead", "check"].iter().chain(words);
        match Cli::read(line).map(|cli| cli.command) {
            Ok(Command::Check(check)) => *check,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_has_examples() {
        for command in Cli::command().get_subcommands_mut().filter(|command| command.get_name() != "demo") {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Examples:\n  driftlead "), "{help}");
        }
        insta::assert_snapshot!(
            Cli::command().find_subcommand_mut("check").expect("check").render_long_help()
        );
    }

    #[test]
    fn a_baseline_takes_one_word_and_leaves_the_data() {
        let check = check(&["--baseline", "ref.parquet", "cur.parquet", "--exclude", "a,b"]);
        assert_eq!(check.baseline, ["ref.parquet"]);
        assert_eq!(check.exclude, ["a", "b"]);
        let target = check.target().expect("target");
        assert_eq!(target, Target { model: None, data: vec!["cur.parquet".to_owned()], note: None });
    }

    #[test]
    fn words_behind_a_baseline_are_known() {
        let following = |words: &[&str]| check(words).following;
        assert_eq!(following(&["--baseline", "r1", "r2", "r3"]), [["r2", "r3"]]);
        assert_eq!(following(&["m.yaml", "a", "--baseline", "r1", "r2", "--reproducible", "b"]), [["r2"]]);
        assert_eq!(following(&["a", "b", "--baseline", "r1"]), [[""; 0]]);
        assert_eq!(following(&["--baseline", "r1", "--baseline", "r2", "a"]), [vec![], vec!["a".to_owned()]]);
        let error = check(&["--baseline", "r1", "r2", "live"]).target().expect_err("refused");
        assert!(error.to_string().contains("is `r2` baseline or data?"), "{error}");
        let target = check(&["--baseline", "r1", "r2", "r3"]).target().expect("may be meant");
        assert!(target.note.is_some_and(|note| note.contains("quote it")));
        assert_eq!(check(&["r2", "r3", "--baseline", "r1"]).target().expect("clear").note, None);
    }

    #[test]
    fn the_extension_alone_makes_a_model_file() {
        for (word, is_model) in [
            ("flights.yaml", true),
            ("models/FLIGHTS.YML", true),
            ("does-not-exist.yml", true),
            ("yaml", false),
            ("a.yaml.parquet", false),
            ("https://x.org/a.parquet?sig=b.yaml", false),
            ("az://ml/models/flights.yaml", true),
            ("live/", false),
        ] {
            assert_eq!(is_model_file(word), is_model, "{word}");
        }
        let target = check(&["m.yaml", "a.parquet", "b.csv"]).target().expect("target");
        assert_eq!(target.model.as_deref(), Some(Path::new("m.yaml")));
        assert_eq!(target.data, ["a.parquet", "b.csv"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_way_out() {
        for (words, expected) in [
            (&["a.parquet", "m.yaml"][..], "must come first: driftlead check m.yaml DATA"),
            (&["m.yaml", "n.yaml"], "two model files"),
            (&["a.parquet"], "nothing to compare with"),
            (&[], "nothing to compare with"),
            (&["--baseline", "r.parquet"], "--baseline r.parquet CUR.parquet"),
            (&["m.yaml", "--since", "2001-02-02", "--until", "2001-02-01"], "no time lies"),
        ] {
            let error = check(words).target().expect_err("refused");
            assert!(error.to_string().contains(expected), "{words:?}: {error}");
            assert_eq!(error.code(), 2);
        }
    }

    #[test]
    fn a_model_file_alone_leaves_the_data_to_it() {
        assert_eq!(check(&["m.yaml"]).target().map(|target| target.data).ok(), Some(Vec::new()));
    }
}
