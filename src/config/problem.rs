//! What is wrong with a file, where, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use unicode_width::UnicodeWidthStr;

/// A place in a file, counted from 1 in lines and characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, from 1.
    pub line: u64,
    /// The character of the line, from 1.
    pub column: u64,
}

impl Place {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, and what to do: a lowercase fragment.
    pub message: String,
    /// Whether its line of the file must not be shown, because a secret may stand there.
    is_hidden: bool,
}

impl Problem {
    /// A problem at `place`.
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), is_hidden: false }
    }

    /// A problem at `place`, whose line of the file is not shown: a secret may stand there.
    pub fn hidden(place: Place, message: impl Into<String>) -> Self {
        Self { is_hidden: true, ..Self::new(place, message) }
    }
}

/// Everything that is wrong with one file, in the file's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    file: PathBuf,
    text: String,
    list: Vec<Problem>,
}

impl Problems {
    /// The problems of `file`, whose content is `text`. Sorts them by place and drops repetitions.
    #[must_use]
    pub fn new(file: &Path, text: &str, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|problem| problem.place);
        list.dedup();
        Self { file: file.to_owned(), text: text.to_owned(), list }
    }

    /// The problems, in the file's order.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.list
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    /// Each problem as `file:line:column: message`, with its line of the file and a mark below the place, unless a
    /// secret may stand there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A line with a secret in it is not shown for its other problems either.
        let hidden: Vec<u64> =
            self.list.iter().filter(|problem| problem.is_hidden).map(|problem| problem.place.line).collect();
        for (index, Problem { place, message, .. }) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:{}:{}: {message}", self.file.display(), place.line, place.column)?;
            let line =
                usize::try_from(place.line.saturating_sub(1)).ok().and_then(|n| self.text.lines().nth(n));
            if let Some(line) = line.filter(|line| !line.trim().is_empty() && !hidden.contains(&place.line)) {
                let before: String =
                    line.chars().take(usize::try_from(place.column.saturating_sub(1)).unwrap_or(0)).collect();
                let number = place.line.to_string();
                write!(f, "\n  {number} | {}", line.replace('\t', " "))?;
                write!(f, "\n  {:1$} | {2:3$}^", "", number.len(), "", before.width())?;
            }
        }
        Ok(())
    }
}

/// The word among `known` that is most like `word`, if at most a third of its letters are wrong: `treshold` finds
/// `thresholds`, `foo` finds nothing.
#[must_use]
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase().replace('-', "_");
    let distance = |candidate: &str| strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
    let (distance, candidate) = known
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .min_by_key(|(distance, _)| *distance)?;
    (distance * 3 <= candidate.chars().count().max(3)).then_some(candidate)
}

/// `did you mean` for a word that is not among `known`; failing that, the words there are.
#[must_use]
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match closest(word, known.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        _ if known.is_empty() => "there are none".to_owned(),
        _ if known.len() > 24 => format!("expected one of {}, …", quote(&known[..24])),
        _ => format!("expected one of {}", quote(&known)),
    }
}

/// Words in backticks, with commas between.
#[must_use]
pub fn quote(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_recognised_and_a_foreign_word_is_not() {
        let keys = ["thresholds", "window", "windows", "where"];
        assert_eq!(suggest("treshold", keys), "did you mean `thresholds`?");
        assert_eq!(suggest("Window", keys), "did you mean `window`?");
        assert_eq!(suggest("foo", keys), "expected one of `thresholds`, `window`, `windows`, `where`");
    }

    #[test]
    fn a_line_with_a_secret_is_never_shown() {
        let text = "a: {secret: hunter2, colour: red}\nb: c\n";
        let list = vec![
            Problem::hidden(Place { line: 1, column: 13 }, "a secret never stands in a file"),
            Problem::new(Place { line: 1, column: 22 }, "unknown key `colour`"),
            Problem::new(Place { line: 2, column: 1 }, "unknown key `b`"),
        ];
        let shown = Problems::new(Path::new("s.yaml"), text, list).to_string();
        assert!(!shown.contains("hunter2") && shown.contains("  2 | b: c"), "{shown}");
    }

    #[test]
    fn the_mark_stands_below_the_place_even_after_wide_characters() {
        let text = "model: 漢字\n模型: {legnth: 1h}\n";
        let list = vec![
            Problem::new(Place { line: 2, column: 6 }, "unknown key `legnth`"),
            Problem::new(Place { line: 1, column: 1 }, "first"),
        ];
        let shown = Problems::new(Path::new("m.yaml"), text, list).to_string();
        assert_eq!(
            shown,
            "m.yaml:1:1: first\n  1 | model: 漢字\n    | ^\nm.yaml:2:6: unknown key `legnth`\n  2 | 模型: {legnth: 1h}\n    |        ^"
        );
    }
}
