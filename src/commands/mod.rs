//! The commands, one a file: each takes what was typed and returns an exit code.

pub mod adopt;
pub mod alerts;
pub mod azure;
pub mod baseline;
pub mod check;
pub mod completions;
pub mod demo;
pub mod init;
pub mod inspect;
pub mod serve;
pub mod spread;
pub mod store;
pub mod validate;

use crate::exit::{Error, Result};

/// Lets rayon use so many threads; by default one a core. The numbers do not depend on it.
fn use_threads(threads: Option<u16>) -> Result<()> {
    let Some(threads) = threads else { return Ok(()) };
    // A second call in one process (tests drive the program as a library) finds the pool built: that is no error.
    match rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads)).build_global() {
        Ok(()) => Ok(()),
        Err(error) if error.to_string().contains("already") => Ok(()),
        Err(error) => Err(Error::run(format!("cannot start {threads} threads")).because(error)),
    }
}
