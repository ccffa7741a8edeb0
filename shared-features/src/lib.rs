//! No code: Cargo.toml is all there is to this crate.
