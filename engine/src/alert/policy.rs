//! When alerts open, resolve and may open again: SEMANTICS S19.

use crate::{Error, ErrorKind, Result};

/// When alerts open, resolve and may open again.
///
/// It is configuration and no part of a track's stored state: a policy that changed holds from the next window on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How many of the last windows must drift; from 1 to `last`.
    pub needed: u32,
    /// How many judged windows are looked at; at least 1.
    pub last: u32,
    /// How many calm windows in a row resolve; at least 1.
    pub resolve_after: u32,
    /// Event time in microseconds from the end of the window that resolved an alert to the earliest end of a window
    /// that may open the next; 0 or more.
    pub cooldown: i64,
    /// Windows from one to the next that shares no row with it, `length / every`; at least 1. Each window is looked at
    /// together with those `stride`, twice `stride`, ... before it.
    pub stride: i64,
    /// Whether windows are of one length in event time, so that the time of one follows from that of another in its chain.
    /// Where it does not, as of windows of so many rows, the time of each window that drifts is kept.
    pub is_even: bool,
}

impl Policy {
    /// # Errors
    /// `Plan` if a number is out of its range; names it.
    pub(super) fn ensure(&self) -> Result<()> {
        let refuse = |message: String| Err(Error::new(ErrorKind::Plan, message));
        if self.needed == 0 || self.needed > self.last {
            return refuse(format!(
                "`{} of {}` windows can never be met: expected a number from 1 to the windows looked at",
                self.needed, self.last
            ));
        }
        if self.resolve_after == 0 {
            return refuse("`0` calm windows cannot resolve an alert: expected at least `1`".to_owned());
        }
        if self.cooldown < 0 {
            return refuse(format!("a cooldown of `{}` us is negative: expected `0` or more", self.cooldown));
        }
        if self.stride < 1 {
            return refuse(format!(
                "a stride of `{}` windows goes nowhere: expected at least `1`",
                self.stride
            ));
        }
        Ok(())
    }

    /// How many judged windows before a window any question about it reaches.
    pub(super) fn depth(&self) -> usize {
        self.last.max(self.resolve_after) as usize - 1
    }

    /// The number that windows share which are looked at together.
    pub(super) fn class(&self, index: i64) -> i64 {
        index.rem_euclid(self.stride)
    }
}
