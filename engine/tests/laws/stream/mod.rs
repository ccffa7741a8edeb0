//! Series over time: what they say of windows, against the rules as they are written, and after every interruption.

mod bytes;
mod count;
mod laws;
mod reference;
mod rows;
mod scenario;
