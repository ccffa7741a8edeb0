//! driftlead
