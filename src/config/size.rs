//! Numbers of bytes as people write them: `5GiB`, `200MB`.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
///
/// Written as a whole number with a unit: `B`; `KB`, `MB`, `GB`, `TB` of 1,000; `KiB`, `MiB`, `GiB`, `TiB` of 1,024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

/// Units and their bytes, largest first.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

impl Size {
    /// So many GiB.
    #[must_use]
    pub const fn gib(n: u32) -> Self {
        Self((n as u64) << 30)
    }

    /// So many MiB.
    #[must_use]
    pub const fn mib(n: u32) -> Self {
        Self((n as u64) << 20)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = String;

    /// Reads `5GiB`. The error is a lowercase fragment that says what was expected.
    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected a whole number and a unit, such as `500MB` or `5GiB`";
        let text = text.trim();
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(format!("`{text}` is not a number of bytes: {EXPECTED}"));
        }
        let Some((_, bytes)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            let spelt = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim()));
            return Err(match spelt {
                Some((name, _)) => format!("`{text}` is not a number of bytes: write `{number}{name}`"),
                None => format!("`{text}` is not a number of bytes: {EXPECTED}"),
            });
        };
        let total = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*bytes));
        total.map(Self).ok_or_else(|| format!("`{text}` is more than a disk can hold"))
    }
}

impl fmt::Display for Size {
    /// The shortest spelling that reads back: `5GiB`, `200MB`, `0B`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, bytes)| self.0 >= *bytes && self.0.is_multiple_of(*bytes));
        let (name, bytes) = whole.unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_shows_and_refuses() {
        for (text, bytes) in
            [("5GiB", 5 << 30), ("200MB", 200_000_000), ("0B", 0), ("1537B", 1537), ("3KiB", 3072)]
        {
            let size: Size = text.parse().expect(text);
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, text));
        }
        assert_eq!(Size::gib(5).to_string(), "5GiB");
        for (text, expected) in [
            ("5", "such as `500MB`"),
            ("5 GiB", "write `5GiB`"),
            ("5gib", "write `5GiB`"),
            ("GiB", "is not a number of bytes"),
            ("5G", "such as"),
            ("-5GiB", "is not a number of bytes"),
            ("99999999999TiB", "than a disk can hold"),
        ] {
            let error = text.parse::<Size>().expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
