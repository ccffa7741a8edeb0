//! `N of M`: how many of the last windows must drift before an alert opens (SEMANTICS S19).

use std::fmt;
use std::str::FromStr;

/// At least `needed` of the last `last` judged windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// How many must drift, from 1 to `last`.
    pub needed: u32,
    /// How many windows are looked at, up to 1,000.
    pub last: u32,
}

impl FromStr for Quorum {
    type Err = String;

    /// Reads `2 of 3`. The error is a lowercase fragment that says what was expected.
    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once(" of ").and_then(|(needed, last)| {
            Some(Self { needed: needed.trim().parse().ok()?, last: last.trim().parse().ok()? })
        });
        match parsed {
            None => Err(format!("`{text}` is not a number of windows: expected such as `2 of 3`")),
            Some(Self { needed, last }) if needed == 0 || needed > last => {
                Err(format!("`{text}` can never be met: expected a number from 1 to {last} before `of`"))
            }
            Some(Self { last, .. }) if last > 1000 => {
                Err(format!("`{text}` looks too far back: expected at most 1000 windows"))
            }
            Some(quorum) => Ok(quorum),
        }
    }
}

impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.needed, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_refuses() {
        assert_eq!("2 of 3".parse(), Ok(Quorum { needed: 2, last: 3 }));
        for (text, expected) in [
            ("2/3", "such as `2 of 3`"),
            ("4 of 3", "never be met"),
            ("0 of 3", "never be met"),
            ("1 of 5000", "too far"),
            ("-1 of 3", "such as"),
        ] {
            let error = text.parse::<Quorum>().expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
