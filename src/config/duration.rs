//! Durations as people write them: `90s`, `6h`, `7d`.

use std::fmt;
use std::str::FromStr;

/// A length of time in microseconds, never negative.
///
/// Written as whole numbers with a unit, largest first: `500ms`, `90s`, `10m`, `6h`, `7d`, `2w`, `1h30m`. There are no
/// months: a window needs one length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(i64);

/// Units and their microseconds, largest first.
const UNITS: [(&str, i64); 7] = [
    ("w", 604_800_000_000),
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// One day of 24 hours.
    pub const DAY: Self = Self(86_400_000_000);
    /// One week.
    pub const WEEK: Self = Self(604_800_000_000);

    /// A duration of so many microseconds; negative ones become zero.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(if micros < 0 { 0 } else { micros })
    }

    /// A duration of so many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u32) -> Self {
        Self(seconds as i64 * 1_000_000)
    }

    /// The length in microseconds.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whether it has no length.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether a whole number of `other` fits; false if `other` is zero.
    #[must_use]
    pub const fn is_multiple_of(self, other: Self) -> bool {
        other.0 != 0 && self.0 % other.0 == 0
    }
}

impl FromStr for Duration {
    type Err = String;

    /// Reads `6h` or `1h30m`. The error is a lowercase fragment that says what was expected.
    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str =
            "expected a whole number and a unit, such as `500ms`, `90s`, `10m`, `6h` or `7d`";
        let text = text.trim();
        let mut rest = text;
        let mut total: i64 = 0;
        let mut smallest = usize::MAX;
        if text.is_empty() {
            return Err(format!("a duration is missing: {EXPECTED}"));
        }
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            if digits == 0 {
                return Err(format!("`{text}` is not a duration: {EXPECTED}"));
            }
            let (number, after) = rest.split_at(digits);
            let unspaced = after.trim_start();
            let letters = unspaced.len() - unspaced.trim_start_matches(|c: char| c.is_alphabetic()).len();
            let (unit, after_unit) = unspaced.split_at(letters);
            let Some(index) = UNITS.iter().position(|(name, _)| *name == unit) else {
                return Err(unknown_unit(text, number, unit));
            };
            if unspaced.len() < after.len() {
                return Err(format!("`{text}` has a space: write `{number}{unit}`"));
            }
            // `30m1h` or `1h2h` is more likely an error than a wish.
            if smallest != usize::MAX && index <= smallest {
                return Err(format!("`{text}` is not a duration: units go from large to small, each once"));
            }
            smallest = index;
            let part = number.parse::<i64>().ok().and_then(|n| n.checked_mul(UNITS[index].1));
            total = part.and_then(|part| total.checked_add(part)).ok_or_else(|| {
                format!("`{text}` is too long: a duration holds at most about 292,000 years")
            })?;
            rest = after_unit;
        }
        Ok(Self(total))
    }
}

fn unknown_unit(text: &str, number: &str, unit: &str) -> String {
    let known = "`w`, `d`, `h`, `m`, `s`, `ms` and `us`";
    match unit {
        "" => format!("`{text}` has no unit: write `{number}s` for seconds; the units are {known}"),
        "M" | "mo" | "month" | "months" | "y" | "year" | "years" => {
            format!("`{text}` has no fixed length: use days, such as `30d`; the units are {known}")
        }
        _ => {
            let short = match unit.to_lowercase().as_str() {
                "sec" | "secs" | "second" | "seconds" => Some("s"),
                "min" | "mins" | "minute" | "minutes" => Some("m"),
                "hr" | "hrs" | "hour" | "hours" => Some("h"),
                "day" | "days" => Some("d"),
                "week" | "weeks" => Some("w"),
                _ => UNITS.iter().map(|(name, _)| *name).find(|name| unit.eq_ignore_ascii_case(name)),
            };
            match short {
                Some(short) => format!("`{unit}` in `{text}` is not a unit: write `{number}{short}`"),
                None => format!("`{unit}` in `{text}` is not a unit: the units are {known}"),
            }
        }
    }
}

impl fmt::Display for Duration {
    /// The shortest spelling that reads back: `6h`, `1h30m`, `0s`. Weeks are shown as days.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (name, micros) in &UNITS[1..] {
            if rest >= *micros {
                write!(f, "{}{name}", rest / micros)?;
                rest %= micros;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let cases = [
            ("500ms", 500_000),
            ("90s", 90_000_000),
            ("10m", 600_000_000),
            ("6h", 21_600_000_000),
            ("1d", 86_400_000_000),
            ("7d", 604_800_000_000),
            ("1w", 604_800_000_000),
            ("1h30m", 5_400_000_000),
            ("0s", 0),
            (" 5s ", 5_000_000),
        ];
        for (text, micros) in cases {
            assert_eq!(text.parse(), Ok(Duration(micros)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_and_says_what_to_write() {
        let cases = [
            ("", "a duration is missing"),
            ("90", "write `90s`"),
            ("6 h", "write `6h`"),
            ("6 hours", "write `6h`"),
            ("6H", "write `6h`"),
            ("10min", "write `10m`"),
            ("1month", "use days"),
            ("1.5h", "`1.5h`"),
            ("-5m", "is not a duration"),
            ("30m1h", "large to small"),
            ("5 parsecs", "the units are"),
            ("5parsecs", "the units are"),
            ("99999999999999999999d", "too long"),
            ("9999999999999d", "too long"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<Duration>().expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn shows_what_reads_back() {
        for text in ["6h", "1h30m", "7d", "500ms", "1d1us", "0s"] {
            let duration: Duration = text.parse().expect(text);
            assert_eq!(duration.to_string(), text);
        }
        assert_eq!(Duration::WEEK.to_string(), "7d");
    }
}
