//! Points in time as people and JSON write them: RFC 3339 in UTC (SEMANTICS S13, S23).
//!
//! The calendar is the proleptic Gregorian one, computed by Howard Hinnant's days-from-civil method: years are shifted
//! to begin in March, so that the leap day is the last of its year and a month's offset is linear.

use std::fmt;
use std::str::FromStr;

const DAY: i64 = 86_400_000_000;

/// A point in time: microseconds since 1970-01-01 00:00 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The point so many microseconds after 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970; negative before.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The shortest spelling for a person: `2001-02-03` at midnight, `2001-02-03 04:05` at a whole minute.
    #[must_use]
    pub fn short(self) -> String {
        let full = self.to_string();
        let (date, time) = full.split_at(full.find('T').unwrap_or(full.len()));
        match time.trim_start_matches('T').trim_end_matches('Z') {
            "00:00:00.000000" => date.to_owned(),
            time if time.ends_with(":00.000000") => format!("{date} {}", &time[..5]),
            time if time.ends_with(".000000") => format!("{date} {}", &time[..8]),
            time => format!("{date} {time}"),
        }
    }
}

impl fmt::Display for Timestamp {
    /// `2001-02-03T04:05:06.000007Z`. Years beyond 9999 carry a sign, as ISO 8601 asks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.div_euclid(DAY));
        let micros = self.0.rem_euclid(DAY);
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        if (0..=9999).contains(&year) {
            write!(f, "{year:04}")?;
        } else {
            write!(f, "{year:+07}")?;
        }
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

impl FromStr for Timestamp {
    type Err = String;

    /// Reads a date (`2001-02-03`, its midnight), or a date and time with or without zone; without one it is UTC.
    /// The error is a lowercase fragment that says what was expected.
    fn from_str(text: &str) -> Result<Self, String> {
        parse(text.trim()).ok_or_else(|| {
            format!("`{text}` is not a time: expected such as `2001-02-03` or `2001-02-03T04:05:06Z`")
        })
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    if !text.is_ascii() {
        return None;
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = digits(parts.next()?, 2)?;
    let day = digits(parts.next()?, 2)?;
    if parts.next().is_some() || !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let midnight = days_from_civil(year, month, day) * DAY;
    Some(Timestamp(midnight + time.map_or(Some(0), time_of_day)?))
}

/// Microseconds since midnight in UTC; negative or beyond a day if the zone says so.
fn time_of_day(text: &str) -> Option<i64> {
    let zone_at = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(zone_at);
    let offset = match zone {
        "" | "Z" | "z" => 0,
        zone => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let minutes = hours * 60 + minutes;
            if zone.starts_with('-') { -minutes } else { minutes }
        }
    };
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, micros_of_fraction(fraction)?),
        None => (clock, 0),
    };
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 2)?;
    let minute = digits(parts.next()?, 2)?;
    let second = parts.next().map_or(Some(0), |second| digits(second, 2))?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(((hour * 60 + minute - offset) * 60 + second) * 1_000_000 + fraction)
}

/// Digits beyond microseconds are cut, never rounded up into the next second.
fn micros_of_fraction(digits_after: &str) -> Option<i64> {
    if digits_after.is_empty() || !digits_after.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded: String = digits_after.chars().chain("000000".chars()).take(6).collect();
    padded.parse().ok()
}

fn digits(text: &str, count: usize) -> Option<i64> {
    if text.len() != count || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day so many days after 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_points_are_written_and_read() {
        let cases = [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (981_173_106_000_007, "2001-02-03T04:05:06.000007Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ];
        for (micros, text) in cases {
            assert_eq!(Timestamp(micros).to_string(), text);
            assert_eq!(text.parse(), Ok(Timestamp(micros)));
        }
    }

    #[test]
    fn every_day_of_eight_centuries_comes_back() {
        let mut previous = civil_from_days(-200_001);
        for days in -200_000..100_000 {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
            assert!((year, month, day) > previous);
            assert!((1..=days_in_month(year, month)).contains(&day));
            previous = (year, month, day);
        }
    }

    #[test]
    fn the_ends_of_the_range_print() {
        assert!(Timestamp(i64::MIN).to_string().starts_with("-290308-"));
        assert!(Timestamp(i64::MAX).to_string().starts_with("+294247-"));
    }

    #[test]
    fn zones_and_short_forms() {
        let at = |text: &str| text.parse::<Timestamp>().map(Timestamp::micros);
        assert_eq!(at("2001-02-03"), at("2001-02-03T00:00:00Z"));
        assert_eq!(at("2001-02-03 04:05"), at("2001-02-03T04:05:00Z"));
        assert_eq!(at("2001-02-03T04:05:06+02:00"), at("2001-02-03T02:05:06Z"));
        assert_eq!(at("2001-02-03T23:30:00-01:00"), at("2001-02-04T00:30:00Z"));
        assert_eq!(at("2001-02-03T04:05:06.1234569Z"), at("2001-02-03T04:05:06.123456Z"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2001-02-29",
            "2001-13-01",
            "2001-1-1",
            "2001-01-01T24:00",
            "2001-01-01T1:00",
            "2001-01-01T01:00:00+0200",
            "01-02-2001",
            "2001-01-01T",
            "２００１-01-01",
            "2001-01-01T01:00Zx",
        ] {
            let error = text.parse::<Timestamp>().expect_err(text);
            assert!(error.contains("expected such as"), "{error}");
        }
    }

    #[test]
    fn a_person_sees_no_more_than_there_is() {
        let short = |text: &str| text.parse::<Timestamp>().map(Timestamp::short);
        assert_eq!(short("2001-02-03").as_deref(), Ok("2001-02-03"));
        assert_eq!(short("2001-02-03T04:05:00Z").as_deref(), Ok("2001-02-03 04:05"));
        assert_eq!(short("2001-02-03T04:05:06Z").as_deref(), Ok("2001-02-03 04:05:06"));
        assert_eq!(short("2001-02-03T04:05:06.5Z").as_deref(), Ok("2001-02-03 04:05:06.500000"));
    }
}
