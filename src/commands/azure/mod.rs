//! `driftlead azure`: makes Azure Monitor ready, and finds out what is missing there.

mod advice;
mod doctor;
mod template;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::exit::Result;

/// The words after `driftlead azure`.
#[derive(Clone, Debug, Args)]
pub struct Azure {
    /// What to do.
    #[command(subcommand)]
    pub command: AzureCommand,
}

/// What can be done about Azure.
#[derive(Clone, Debug, Subcommand)]
pub enum AzureCommand {
    /// Write a template that makes Azure Monitor ready for models.
    ///
    /// Tables, the data collection rule that fills them, alert rules from the models' thresholds and alert settings, an
    /// action group, a workbook, and the right to send. The same models give the same template. Nothing is sent to Azure.
    Template(TemplateWords),
    /// Find out whether Azure would take what a service sends, and what mends it if not.
    ///
    /// For each sink in Azure, and each of Prometheus: whether its identity gets a token for the right resource, whether its
    /// endpoint has an address and answers, and whether what it sends to and the right to send are there. Only what writes
    /// nothing is sent, unless `--send` asks for it. Exits 0 if all is well, 2 if something is to be mended, 3 if a server
    /// does not answer.
    Doctor {
        /// The service file.
        #[arg(value_name = "SERVICE.yaml")]
        service: PathBuf,
        /// Send a message of each kind to each sink that seems well, of the model `test of this sink`: only a record tells
        /// whether it is taken. It stays there.
        #[arg(long)]
        send: bool,
    },
}

/// The words after `driftlead azure template`.
#[derive(Clone, Debug, Args)]
pub struct TemplateWords {
    /// The model files.
    #[arg(value_name = "MODEL.yaml", required = true)]
    pub models: Vec<PathBuf>,
    /// In which language.
    #[arg(long, value_enum, default_value_t)]
    pub format: TemplateFormat,
    /// Lead records through a data collection endpoint, such as for private links: its id becomes a parameter. By default
    /// the rule has an address of its own.
    #[arg(long)]
    pub endpoint: bool,
    /// Write the template here instead of to standard output.
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Languages of templates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TemplateFormat {
    /// Bicep.
    #[default]
    Bicep,
    /// JSON of Azure Resource Manager.
    Arm,
}

/// Does it.
///
/// # Errors
///
/// A file cannot be read or has problems, or the template cannot be written.
pub fn run(args: &Azure) -> Result<u8> {
    match &args.command {
        AzureCommand::Template(words) => template::run(words),
        AzureCommand::Doctor { service, send } => doctor::run(service, *send),
    }
}
