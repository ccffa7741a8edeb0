//! What driftlead says to Azure Monitor: events of `driftlead.event/1` as the records of its services.
//!
//! Everything here is a function of the event alone: an attempt that is repeated says the same again, byte for byte, and
//! each record carries an id by which a reader drops the copy. How records are sent is the connectors' business.

pub mod common_schema;
pub mod incoming;
pub mod insights;
pub mod monitor;
pub mod outputs;
pub mod points;
pub mod records;
pub mod series;
pub mod table;
pub mod template;
#[cfg(test)]
mod tests;
