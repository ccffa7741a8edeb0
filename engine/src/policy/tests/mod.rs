//! The policy's tests, one file for each step; `sheet` is the vocabulary in which a measured feature is written down.

mod family;
mod judge;
mod rows;
mod rules;
mod sheet;
mod verdict;
