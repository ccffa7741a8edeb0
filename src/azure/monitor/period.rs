//! Periods of a monitor: durations of ISO 8601, recurrences, and the cron expressions that have a period.
//!
//! Months have no one length, and a window needs one: 30 days, as the SDK itself takes them.

use crate::config::Duration;

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// A duration of ISO 8601 such as `P7D` or `PT1H`, and whether it had months or years, which are 30 and 365 days here.
///
/// # Errors
///
/// What was expected.
pub(super) fn duration(text: &str) -> Result<(Duration, bool), String> {
    let wrong = || {
        format!(
            "`{text}` is no duration: expected one of ISO 8601 with whole numbers, such as `P7D` or `PT12H`"
        )
    };
    let rest = text.strip_prefix('P').ok_or_else(wrong)?;
    let (date, time) = rest.split_once('T').map_or((rest, None), |(date, time)| (date, Some(time)));
    let (mut micros, mut months) = (0_i64, false);
    let mut any = false;
    for (part, units) in [
        (date, &[('Y', 365 * DAY), ('M', 30 * DAY), ('W', WEEK), ('D', DAY)][..]),
        (time.unwrap_or(""), &[('H', HOUR), ('M', MINUTE), ('S', 1_000_000)]),
    ] {
        let (mut number, mut next) = (String::new(), 0);
        for c in part.chars() {
            if c.is_ascii_digit() {
                number.push(c);
                continue;
            }
            // Each unit once, from large to small.
            let at =
                units.iter().position(|(unit, _)| *unit == c).filter(|at| *at >= next).ok_or_else(wrong)?;
            next = at + 1;
            let part =
                number.parse::<i64>().ok().and_then(|n| n.checked_mul(units[at].1)).ok_or_else(wrong)?;
            micros = micros.checked_add(part).ok_or_else(wrong)?;
            months |= matches!(c, 'Y') || matches!(c, 'M') && units[at].1 > MINUTE;
            any = true;
            number.clear();
        }
        if !number.is_empty() {
            return Err(wrong());
        }
    }
    if any && time != Some("") { Ok((Duration::from_micros(micros), months)) } else { Err(wrong()) }
}

/// So many `minute`, `hour`, `day`, `week` or `month`, and the production window that goes with it by default.
///
/// # Errors
///
/// What was expected.
pub(super) fn recurrence(frequency: &str, interval: i64) -> Result<(Duration, Duration), String> {
    let unit = match frequency.to_ascii_lowercase().as_str() {
        "minute" => MINUTE,
        "hour" => HOUR,
        "day" => DAY,
        "week" => WEEK,
        "month" => 30 * DAY,
        _ => {
            return Err(format!(
                "`{frequency}` is no frequency: expected one of `minute`, `hour`, `day`, `week`, `month`"
            ));
        }
    };
    let every = unit.checked_mul(interval).filter(|every| *every > 0).map(Duration::from_micros);
    let every =
        every.ok_or_else(|| format!("`{interval}` is no interval: expected a whole number of 1 or more"))?;
    Ok((every, if unit < DAY { Duration::DAY } else { every }))
}

/// The period of a cron expression and when in it the runs are; `None` if they are not evenly spaced.
///
/// # Errors
///
/// What was expected.
pub(super) fn cron(expression: &str) -> Result<Option<(Duration, Duration)>, String> {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields[..] else {
        return Err(format!(
            "`{expression}` is no cron expression: expected five fields, minute, hour, day, month and day of the week"
        ));
    };
    let number = |field: &str, most: i64| field.parse::<i64>().ok().filter(|n| (0..=most).contains(n));
    let step = |field: &str, whole: i64| {
        let step = field.strip_prefix("*/")?.parse::<i64>().ok().filter(|step| *step > 0)?;
        (whole % step == 0).then_some(step)
    };
    let pair = |every: i64, offset: i64| Some((Duration::from_micros(every), Duration::from_micros(offset)));
    if month != "*" {
        return Ok(None);
    }
    if weekday != "*" {
        // Sunday is 0 or 7 there; weeks begin on Monday here.
        let weekday = number(weekday, 7).map(|day| (day + 6) % 7).or_else(|| position(weekday));
        let at = (number(minute, 59), number(hour, 23), weekday);
        return Ok(match at {
            (Some(minute), Some(hour), Some(weekday)) if day == "*" => {
                pair(WEEK, weekday * DAY + hour * HOUR + minute * MINUTE)
            }
            _ => None,
        });
    }
    if day != "*" {
        return Ok(number(day, 31).and_then(|_| pair(30 * DAY, 0)));
    }
    Ok(match (number(minute, 59), number(hour, 23)) {
        (Some(minute), Some(hour)) => pair(DAY, hour * HOUR + minute * MINUTE),
        (Some(minute), None) if hour == "*" => pair(HOUR, minute * MINUTE),
        (Some(minute), None) => step(hour, 24).and_then(|hours| pair(hours * HOUR, minute * MINUTE)),
        (None, None) if hour == "*" && minute == "*" => pair(MINUTE, 0),
        (None, None) if hour == "*" => step(minute, 60).and_then(|minutes| pair(minutes * MINUTE, 0)),
        (None, _) => None,
    })
}

/// A time of day.
pub(super) fn time_of_day(hour: i64, minute: i64) -> Duration {
    Duration::from_micros(hour * HOUR + minute * MINUTE)
}

/// How long after Monday a day of the week begins.
pub(super) fn weekday(name: &str) -> Option<Duration> {
    position(name).map(|days| Duration::from_micros(days * DAY))
}

fn position(name: &str) -> Option<i64> {
    let short: String = name.to_ascii_lowercase().chars().take(3).collect();
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    days.iter().position(|day| *day == short).and_then(|day| i64::try_from(day).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_iso_8601_are_read() {
        let of = |text: &str| duration(text).map(|(duration, months)| (duration.to_string(), months));
        for (text, expected, months) in [
            ("P7D", "7d", false),
            ("PT12H", "12h", false),
            ("P1DT6H30M", "1d6h30m", false),
            ("P2W", "14d", false),
            ("P1M", "30d", true),
            ("P1Y", "365d", true),
            ("PT1M", "1m", false),
            ("P0D", "0s", false),
        ] {
            assert_eq!(of(text), Ok((expected.to_owned(), months)), "{text}");
        }
        for wrong in
            ["7D", "P", "PT", "P7", "P1H", "PD", "P1.5D", "P1D2D", "P1DT", "p7d", "P99999999999999999D"]
        {
            let error = of(wrong).expect_err(wrong);
            assert!(error.starts_with(&format!("`{wrong}` is no duration: expected")), "{error}");
        }
    }

    #[test]
    fn recurrences_have_a_period_and_a_window() {
        let of = |frequency: &str, interval| {
            recurrence(frequency, interval).map(|(every, window)| (every.to_string(), window.to_string()))
        };
        let pair = |every: &str, window: &str| Ok((every.to_owned(), window.to_owned()));
        assert_eq!(of("minute", 30), pair("30m", "1d"));
        assert_eq!(of("Hour", 6), pair("6h", "1d"));
        assert_eq!(of("day", 2), pair("2d", "2d"));
        assert_eq!(of("week", 1), pair("7d", "7d"));
        assert_eq!(of("month", 2), pair("60d", "60d"));
        assert!(of("fortnight", 1).is_err_and(|error| error.contains("expected one of `minute`")));
        assert!(of("day", 0).is_err_and(|error| error.contains("1 or more")));
    }

    #[test]
    fn cron_expressions_that_are_evenly_spaced_have_a_period() {
        let of =
            |text: &str| cron(text).map(|found| found.map(|(every, offset)| format!("{every} + {offset}")));
        for (text, expected) in [
            ("15 3 * * *", Some("1d + 3h15m")),
            ("0 * * * *", Some("1h + 0s")),
            ("*/15 * * * *", Some("15m + 0s")),
            ("5 */6 * * *", Some("6h + 5m")),
            ("* * * * *", Some("1m + 0s")),
            ("30 2 * * 1", Some("7d + 2h30m")),
            ("0 0 * * SUN", Some("7d + 6d")),
            ("0 0 * * 0", Some("7d + 6d")),
            ("0 0 1 * *", Some("30d + 0s")),
            ("0 */5 * * *", None),
            ("0 9-17 * * *", None),
            ("0 0 * * 1-5", None),
            ("0 0 1 1 *", None),
        ] {
            assert_eq!(of(text), Ok(expected.map(str::to_owned)), "{text}");
        }
        assert!(of("15 3 * *").is_err_and(|error| error.contains("expected five fields")));
    }
}
