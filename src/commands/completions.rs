//! `driftlead completions`: a completion script for a shell.

use clap::CommandFactory;

use crate::cli::{Cli, Completions};
use crate::exit::{Result, code};
use crate::output;

/// Prints the script.
///
/// # Errors
///
/// Standard output leads to a full or failing disk.
pub fn run(args: &Completions) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "driftlead", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(code::OK)
}
