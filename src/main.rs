//! The `driftlead` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(driftlead::run(std::env::args_os()))
}
