//! All input and output of driftlead.
//!
//! A [`dataset::Dataset`] turns paths and URLs into batches of bounded size, read in parallel; [`source`] decodes one
//! file or record of each format, [`decode`] the records of a stream; [`tabular`] evaluates `where:` and derived columns;
//! [`baseline_file`] stores a baseline as a plain Parquet file; [`azure`] and [`sink`] are where messages go; [`store`] keeps the service's state. Nothing here knows of
//! windows, statistics or policies.

pub mod azure;
pub mod baseline_file;
pub mod dataset;
pub mod decode;
pub mod entra;
pub mod error;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod parquet_file;
pub mod retry;
pub mod sink;
pub mod source;
pub mod store;
pub mod stream;
pub mod tabular;

mod http;
mod location;
mod remote;
mod suggest;

pub use error::{Error, ErrorKind, Result};
pub use http::{ClientFiles, Tls};
