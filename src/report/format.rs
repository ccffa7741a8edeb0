//! Numbers and names as people read them.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A dash for what is not there.
pub(super) const NONE: &str = "–";

/// A whole number with commas: `1,234,567`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 row`, `2 rows`.
#[must_use]
pub fn plural(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {noun}{s}", count(number))
}

/// A metric's value in three significant places or so; never rounded to a zero that it is not.
pub(super) fn value(number: Option<f64>) -> String {
    let Some(x) = number.filter(|x| x.is_finite()) else { return NONE.to_owned() };
    match x.abs() {
        0.0 => "0".to_owned(),
        size if size < 0.0005 => format!("{x:.0e}"),
        size if size < 10.0 => format!("{x:.3}"),
        size if size < 1000.0 => format!("{x:.1}"),
        size if size < 1e9 => {
            let sign = if x < 0.0 { "-" } else { "" };
            format!("{sign}{}", count(size.round() as u64))
        }
        _ => format!("{x:.2e}"),
    }
}

/// A probability: `0.5`, `0.031`, `4e-40`.
pub(super) fn probability(number: Option<f64>) -> String {
    match number {
        Some(0.0) => "0".to_owned(),
        Some(p) if p < 0.001 => format!("{p:.0e}"),
        Some(p) if p < 0.095 => format!("{p:.3}"),
        Some(p) if p > 0.995 => "1".to_owned(),
        Some(p) if p.is_finite() => format!("{p:.2}").trim_end_matches('0').to_owned(),
        _ => NONE.to_owned(),
    }
}

/// A share in percent: `0`, `<0.1%`, `0.3%`, `12%`.
pub(super) fn percent(part: f64) -> String {
    let x = part * 100.0;
    if !x.is_finite() {
        NONE.to_owned()
    } else if x == 0.0 {
        "0%".to_owned()
    } else if x.abs() < 0.05 {
        "<0.1%".to_owned()
    } else if x.abs() < 9.95 {
        format!("{x:.1}%")
    } else {
        format!("{x:.0}%")
    }
}

/// A share of counts.
pub(super) fn share(part: u64, whole: u64) -> String {
    if whole == 0 { NONE.to_owned() } else { percent(part as f64 / whole as f64) }
}

/// A number with up to six significant digits, for a person.
#[must_use]
pub fn number(x: f64) -> String {
    if x == 0.0 {
        return "0".to_owned();
    }
    let magnitude = x.abs();
    if !(1e-4..1e9).contains(&magnitude) {
        return format!("{x:.3e}");
    }
    #[expect(clippy::cast_possible_truncation, reason = "between -4 and 9")]
    let digits = magnitude.log10().floor() as i32;
    let decimals = usize::try_from((5 - digits).max(0)).unwrap_or(0);
    let text = format!("{x:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Text from data made safe to print: control characters, line ends and marks that reorder text become `\u{fffd}`.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if is_unsafe(c) { '\u{fffd}' } else { c }).collect()
}

fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Cuts `text` to at most `width` columns of a terminal, the last one an ellipsis if anything was cut.
pub(super) fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let next = used + c.width().unwrap_or(0);
        if next + 1 > width {
            break;
        }
        out.push(c);
        used = next;
    }
    if width > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_never_falsely_zero() {
        let shown: Vec<String> =
            [0.0, 0.3104, -0.05, 0.000_04, 12.345, 1234.5, -1_234_567.0, 3e12].map(|x| value(Some(x))).into();
        assert_eq!(shown, ["0", "0.310", "-0.050", "4e-5", "12.3", "1,235", "-1,234,567", "3.00e12"]);
        assert_eq!(value(None), "–");
        assert_eq!(value(Some(f64::NAN)), "–");
        let shown: Vec<String> =
            [0.0, 1e-60, 0.0312, 0.0012, 0.5, 0.999, 1.0, 0.1].map(|p| probability(Some(p))).into();
        assert_eq!(shown, ["0", "1e-60", "0.031", "0.001", "0.5", "1", "1", "0.1"]);
        let shown: Vec<String> = [0.0, 0.0001, 0.003, 0.0994, 0.1234, 1.0].map(percent).into();
        assert_eq!(shown, ["0%", "<0.1%", "0.3%", "9.9%", "12%", "100%"]);
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!((plural(1, "row"), plural(0, "row")), ("1 row".to_owned(), "0 rows".to_owned()));
    }

    #[test]
    fn names_are_cut_by_columns_and_cannot_steer_the_terminal() {
        assert_eq!(fit("漢字漢字", 5), "漢字…");
        assert_eq!(fit("漢字漢字", 8), "漢字漢字");
        assert_eq!(fit("abc", 0), "");
        assert_eq!(clean("a\u{1b}[31mb\nc\u{202e}"), "a\u{fffd}[31mb\u{fffd}c\u{fffd}");
    }
}
