//! ISO 8601 dates and RFC 3339 timestamps to counts since the Unix epoch.
//!
//! A timestamp without an offset is UTC (SEMANTICS S13). Digits finer than the column's unit are dropped, which rounds
//! towards the past. Calendar arithmetic: Howard Hinnant, "chrono-compatible low-level date algorithms".

use arrow_schema::TimeUnit;

/// A point in time: whole seconds since 1970-01-01T00:00:00Z and nanoseconds within the second, below 10^9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant {
    seconds: i64,
    nanos: u32,
}

impl Instant {
    /// Counts of `unit` since the epoch; `None` if that does not fit (nanoseconds reach from 1677 to 2262).
    pub(crate) fn in_unit(self, unit: TimeUnit) -> Option<i64> {
        let per_second = per_second(unit);
        let part = i64::from(self.nanos) / (1_000_000_000 / per_second);
        i64::try_from(i128::from(self.seconds) * i128::from(per_second) + i128::from(part)).ok()
    }

    /// Days since the epoch if this is a midnight.
    pub(crate) fn whole_days(self) -> Option<i32> {
        let midnight = self.nanos == 0 && self.seconds.rem_euclid(DAY) == 0;
        midnight.then(|| self.seconds.div_euclid(DAY)).and_then(|days| i32::try_from(days).ok())
    }
}

/// Parses `YYYY-MM-DD`, optionally followed by `T` or a blank and `HH:MM[:SS[.fraction]]`, and by `Z` or an offset
/// `+HH[:MM]`. The time may be left out (midnight); a leap second is the second after it.
pub(crate) fn parse(text: &str) -> Option<Instant> {
    let text = text.as_bytes();
    let (date, rest) = text.split_at_checked(10)?;
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let days = days_from_civil(number(&date[..4])?, number(&date[5..7])?, number(&date[8..])?)?;
    let midnight = days * DAY;
    let Some((&separator, time)) = rest.split_first() else {
        return Some(Instant { seconds: midnight, nanos: 0 });
    };
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }

    let (clock, rest) = time.split_at_checked(5)?;
    let (hour, minute) = (number(&clock[..2])?, number(&clock[3..])?);
    if clock[2] != b':' || hour > 23 || minute > 59 {
        return None;
    }
    let (second, nanos, rest) = match rest {
        [b':', a, b, rest @ ..] => {
            let (nanos, rest) = fraction(rest)?;
            (number(&[*a, *b])?, nanos, rest)
        }
        rest => (0, 0, rest),
    };
    if second > 60 {
        return None;
    }
    let seconds = midnight + hour * 3600 + minute * 60 + second - offset(rest)?;
    Some(Instant { seconds, nanos })
}

/// Days since 1970-01-01 of a proleptic Gregorian date; `None` if there is no such day.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// `.digits`, of which nine count; nothing is zero.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let [b'.' | b',', digits @ ..] = text else { return Some((0, text)) };
    let length = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let digit = |at: usize| if at < length { u32::from(digits[at] - b'0') } else { 0 };
    Some(((0..9).fold(0, |nanos, at| nanos * 10 + digit(at)), &digits[length..]))
}

/// Seconds east of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match text {
        [] | [b'Z' | b'z'] => return Some(0),
        [sign, hours @ ..] if hours.len() == 2 => (sign, hours, &b"00"[..]),
        [sign, a, b, b':', minutes @ ..] => (sign, &[*a, *b][..], minutes),
        [sign, a, b, minutes @ ..] => (sign, &[*a, *b][..], minutes),
        _ => return None,
    };
    let (hours, minutes) = (number(hours)?, if minutes.len() == 2 { number(minutes)? } else { return None });
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60;
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    let step = |value: i64, digit: &u8| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0'));
    digits.iter().try_fold(0, step)
}

/// Counts of `unit` in a second.
pub(crate) fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

const DAY: i64 = 86_400;

#[cfg(test)]
mod tests {
    use arrow_cast::parse::string_to_timestamp_nanos;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_the_usual_spellings() {
        let nanos = |text: &str| parse(text).and_then(|t| t.in_unit(TimeUnit::Nanosecond));
        for text in [
            "1970-01-01T00:00:00Z",
            "2001-01-10T07:45:12.123456789Z",
            "2001-01-10 07:45:12",
            "2000-02-29T23:59:59.5+05:30",
            "1969-12-31T23:59:59.999-08:00",
            "2026-11-23",
        ] {
            assert_eq!(nanos(text), string_to_timestamp_nanos(text).ok(), "{text}");
        }
        assert_eq!(nanos("2001-01-10T07:45Z"), nanos("2001-01-10T07:45:00Z"));
        assert_eq!(nanos("2001-01-10T07:45+02"), nanos("2001-01-10T05:45:00Z"));
        assert_eq!(nanos("2001-01-10T07:45-0230"), nanos("2001-01-10T10:15:00Z"));
        assert_eq!(nanos("2016-12-31T23:59:60Z"), nanos("2017-01-01T00:00:00Z"));
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "2001",
            "2001-13-01",
            "2001-02-29",
            "2001-00-10",
            "2001-01-10T",
            "2001-01-10X07:45",
            "2001-01-10T24:00",
            "2001-01-10T07:60",
            "2001-01-10T07:45:61",
            "2001-01-10T07:45:00.",
            "2001-01-10T07:45:00+",
            "2001-01-10T07:45:00+1",
            "2001-01-10T07:45:00+01:0",
            "2001-01-10T07:45:00Zx",
            "2001/01/10",
            "20010110",
            "é001-01-10",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn coarse_units_round_towards_the_past() {
        let just_before = parse("1969-12-31T23:59:59.9999Z").unwrap();
        assert_eq!(just_before.in_unit(TimeUnit::Second), Some(-1));
        assert_eq!(just_before.in_unit(TimeUnit::Millisecond), Some(-1));
        assert_eq!(just_before.in_unit(TimeUnit::Microsecond), Some(-100));
        assert_eq!(parse("9999-12-31T00:00:00Z").unwrap().in_unit(TimeUnit::Nanosecond), None);
        assert_eq!(parse("1970-01-02").unwrap().whole_days(), Some(1));
        assert_eq!(parse("1969-12-31").unwrap().whole_days(), Some(-1));
        assert_eq!(parse("1970-01-02T00:00:01").unwrap().whole_days(), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn agrees_with_arrow(
            year in 1700_i32..2200, month in 1_u32..=12, day in 1_u32..=31, second in 0_u32..86_400, fraction in 0_u32..1_000_000_000
        ) {
            let text = format!(
                "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{fraction:09}Z", second / 3600, second / 60 % 60, second % 60
            );
            let expected = string_to_timestamp_nanos(&text).ok();
            prop_assert_eq!(parse(&text).and_then(|t| t.in_unit(TimeUnit::Nanosecond)), expected);
        }
    }
}
