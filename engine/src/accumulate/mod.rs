//! accumulate
