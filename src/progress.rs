//! A progress bar for a person who watches: on a terminal's standard error, and nowhere else.

use std::fmt;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// Rows done, with speed and time left. Cheap to clone and to share between threads; gone when the last clone is.
#[derive(Clone, Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Begins to count rows towards `total`, if it is known; `what` says in a word or two what is done with them.
    #[must_use]
    pub fn rows(what: &'static str, total: Option<u64>) -> Self {
        // Hides itself where standard error is no terminal. Ten times a second is enough for an eye.
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10));
        let template = if total.is_some() {
            "{msg:>9} {bar:30} {percent:>3}%  {human_pos} rows  {rate}  {eta} left"
        } else {
            "{msg:>9} {spinner} {human_pos} rows  {rate}  {elapsed}"
        };
        // The templates are constants of this file: if they were wrong, the default style would do.
        if let Ok(style) = ProgressStyle::with_template(template) {
            let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
                // The rate of the first instants is nothing that a person can read.
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
                let rows = state.per_sec() as u64;
                let _ = write!(out, "{} rows/s", HumanCount(rows));
            };
            bar.set_style(style.with_key("rate", rate).progress_chars("━╸ "));
        }
        bar.set_message(what);
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { bar }
    }

    /// A bar that is never drawn: for tests and for a library's callers.
    #[must_use]
    pub fn hidden() -> Self {
        Self { bar: ProgressBar::hidden() }
    }

    /// Counts `rows` as done. May be called from any thread; costs an atomic addition.
    pub fn advance(&self, rows: u64) {
        self.bar.inc(rows);
    }

    /// The rows counted so far.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.bar.position()
    }

    /// Takes the bar away, so that a report can follow.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_add_up_even_where_nothing_is_drawn() {
        let progress = Progress::rows("check", Some(10));
        progress.advance(3);
        progress.clone().advance(4);
        assert_eq!(progress.done(), 7);
        progress.finish();
        Progress::hidden().advance(1);
    }
}
