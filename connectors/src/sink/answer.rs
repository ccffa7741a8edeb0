//! What an HTTP answer means for a message.

use std::time::Duration;

use super::Delivery;

/// What a status says.
///
/// 2xx is taken. 408, 425, 429 and 5xx ask for patience. 401, 403, 404 and 407 are faults of the configuration that a
/// person can mend without touching the message, so they are tried again too. Everything else refuses the message.
/// `detail` is the beginning of the answer's body, for the reason.
#[must_use]
pub fn verdict_of_status(status: u16, after: Option<Duration>, detail: &str) -> Delivery {
    let detail = excerpt(detail);
    let reason =
        if detail.is_empty() { format!("status {status}") } else { format!("status {status}: {detail}") };
    match status {
        200..=299 => Delivery::Delivered,
        401 | 403 | 404 | 407 | 408 | 425 | 429 | 500..=599 => Delivery::Retry { after, reason },
        _ => Delivery::Refused { reason },
    }
}

/// The wait that a `Retry-After` header asks for (RFC 9110, section 10.2.3): seconds, or a date, which needs `now` in
/// seconds since the epoch. Never more than a day; `None` if it cannot be read.
#[must_use]
pub fn retry_after(header: &str, now: i64) -> Option<Duration> {
    const DAY: u64 = 86_400;
    let header = header.trim();
    let seconds = match header.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let at = httpdate::parse_http_date(header).ok()?;
            let at = at.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
            at.saturating_sub(u64::try_from(now).unwrap_or(0))
        }
    };
    Some(Duration::from_secs(seconds.min(DAY)))
}

/// The first line or two of what a server said, fit for a log.
fn excerpt(text: &str) -> String {
    const MOST: usize = 200;
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_one_of_three_answers() {
        for status in [200, 202, 204] {
            assert_eq!(verdict_of_status(status, None, "x"), Delivery::Delivered);
        }
        for status in [401, 403, 404, 408, 429, 500, 503] {
            assert!(matches!(verdict_of_status(status, None, ""), Delivery::Retry { .. }), "{status}");
        }
        for status in [301, 400, 410, 413, 422] {
            assert!(matches!(verdict_of_status(status, None, ""), Delivery::Refused { .. }), "{status}");
        }
        let long = "a b\n".repeat(300);
        let Delivery::Refused { reason } = verdict_of_status(400, None, &long) else { panic!() };
        assert!(reason.starts_with("status 400: a b a b") && reason.len() < 230, "{reason}");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let seconds = |text| retry_after(text, 784_111_770).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(7));
        assert_eq!(seconds("Sun, 06 Nov 1983 08:49:37 GMT"), Some(0));
        assert_eq!(seconds("99999999999"), Some(86_400));
        assert_eq!(seconds("soon"), None);
        assert_eq!(seconds("-1"), None);
    }
}
