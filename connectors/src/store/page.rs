//! Pages of long answers.
//!
//! A cursor names the last item of a page by its time and its place among those of the same time, neither of which
//! changes, so that pages neither repeat nor skip what was there when the first was asked for, whatever is committed
//! meanwhile.

use std::fmt;

use crate::error::{Error, Result};

/// A part of a long answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, the newest first.
    pub items: Vec<T>,
    /// By which the next page is asked for; `None` if this is the last.
    pub next: Option<String>,
}

/// The most items of a page; more are not given, whatever is asked for.
pub(super) const MOST: usize = 1_000;

/// Where a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) at: i64,
    pub(super) place: i64,
}

impl Cursor {
    /// Before the first page.
    pub(super) const START: Self = Self { at: i64::MAX, place: i64::MAX };

    pub(super) fn parse(text: Option<&str>) -> Result<Self> {
        let Some(text) = text else { return Ok(Self::START) };
        let parts =
            text.split_once('.').and_then(|(at, place)| Some((at.parse().ok()?, place.parse().ok()?)));
        match parts {
            Some((at, place)) => Ok(Self { at, place }),
            None => Err(Error::misconfigured(format!(
                "`{text}` is no cursor: expected the `next` of the page before, or none for the first page"
            ))),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at, self.place)
    }
}

/// A page of up to `limit` rows from up to `limit + 1` of them.
pub(super) fn page<T>(mut rows: Vec<(Cursor, T)>, limit: usize) -> Page<T> {
    let next = if rows.len() > limit {
        rows.truncate(limit);
        rows.last().map(|(cursor, _)| cursor.to_string())
    } else {
        None
    };
    Page { items: rows.into_iter().map(|(_, item)| item).collect(), next }
}
