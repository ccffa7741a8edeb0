//! Counts as pictures made of characters: for `driftlead inspect`.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use super::format::{clean, fit, percent};

const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// One character a count, as high as its share of the largest; a blank for zero, so that little never looks like none.
#[must_use]
pub fn sparkline(counts: &[u64]) -> String {
    let Some(largest) = counts.iter().copied().max().filter(|largest| *largest > 0) else {
        return " ".repeat(counts.len());
    };
    counts
        .iter()
        .map(|&count| match count {
            0 => ' ',
            count => {
                let step = (u128::from(count) * STEPS.len() as u128).div_ceil(u128::from(largest));
                STEPS[usize::try_from(step).unwrap_or(STEPS.len()).clamp(1, STEPS.len()) - 1]
            }
        })
        .collect()
}

/// A line a count, `width` columns in all: label, share of the sum, bar. Lines end with a line end.
///
/// Labels come from data and are made safe to print. Where `width` is small, labels and then bars give way.
#[must_use]
pub fn bars(rows: &[(String, u64)], width: usize) -> String {
    const SHARE: usize = 6;
    let total: u128 = rows.iter().map(|(_, count)| u128::from(*count)).sum();
    let largest = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let labels: Vec<String> = rows.iter().map(|(label, _)| fit(&clean(label), (width / 3).max(4))).collect();
    let label_width = labels.iter().map(|label| label.width()).max().unwrap_or(0);
    let room = width.saturating_sub(label_width + SHARE + 2);
    let mut out = String::new();
    for (label, (_, count)) in labels.iter().zip(rows) {
        let share = if total == 0 { 0.0 } else { *count as f64 / total as f64 };
        let padding = " ".repeat(label_width - label.width());
        let line = format!("{label}{padding} {:>SHARE$} {}", percent(share), bar(*count, largest, room));
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

fn bar(count: u64, largest: u64, room: usize) -> String {
    if largest == 0 {
        return String::new();
    }
    let eighths = u128::from(count) * (room as u128) * 8 / u128::from(largest);
    let eighths = usize::try_from(eighths).unwrap_or(room * 8);
    // Anything that is there can be seen.
    let eighths = if count > 0 && room > 0 { eighths.max(1) } else { eighths };
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_seen_and_none_is_blank() {
        assert_eq!(sparkline(&[0, 1, 500, 1000, u64::MAX]), " ▁▁▁█");
        assert_eq!(sparkline(&[1, 2, 3, 4, 5, 6, 7, 8]), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&[0, 0]), "  ");
        assert_eq!(sparkline(&[]), "");
    }

    #[test]
    fn bars_fit_their_width() {
        let rows: Vec<(String, u64)> =
            [("(-inf, 0]", 10), ("(0, 15]", 85), ("漢字漢字漢字漢字漢字", 5), ("none\u{1b}", 0)]
                .map(|(label, count)| (label.to_owned(), count))
                .into();
        let drawn = bars(&rows, 40);
        insta::assert_snapshot!(drawn);
        assert!(drawn.lines().all(|line| line.width() <= 40));
        assert_eq!(bars(&[], 40), "");
        assert_eq!(bars(&[("a".to_owned(), 0)], 40), "a     0%\n");
    }
}
