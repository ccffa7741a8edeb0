//! The report for a pull request or a chat: short, with the rest folded away.
//!
//! GitHub cuts a comment at 65,536 characters; the limits here keep a report far below that however many windows and
//! features it has, and say what they left out.

use std::fmt::Write as _;

use driftlead_engine::Metric;

use super::compat;
use super::format::{NONE, clean, count, plural, probability, share, value};
use super::summary::{compared_with, place, ranked, sentence, significance, what_moved};
use super::table::{UNVERSIONED, distance, distance_title, is_quiet, is_thin, window_label};
use super::verdict::Verdict;
use super::wire::{Feature, Report, Window};

const MAX_WINDOWS: usize = 10;
const MAX_ROWS: usize = 30;
const MAX_NAMES: usize = 200;
/// Bytes; other tools' metrics are left out beyond it.
const MAX_LENGTH: usize = 60_000;

/// Draws the report; ends with a line end.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "### {} {}\n", mark(report.verdict), prose(&sentence(report)));
    let id: String = report.baseline.id.chars().take(12).collect();
    let version = Some(&report.model.version).filter(|version| *version != UNVERSIONED);
    let _ = writeln!(
        out,
        "Model {}{}, {}.",
        code(&report.model.name),
        version.map_or_else(String::new, |version| format!(" {}", code(version))),
        compared_with(&report.baseline, &code(&id))
    );
    let is_single = report.windows.len() == 1;
    let (calm, others): (Vec<&Window>, Vec<&Window>) =
        report.windows.iter().partition(|window| !is_single && is_quiet(window));
    let (thin, mut notable): (Vec<&Window>, Vec<&Window>) =
        others.into_iter().partition(|window| !is_single && is_thin(window));
    // Only some are shown: the worst.
    notable.sort_by_key(|window| std::cmp::Reverse(window.verdict.severity()));
    for window in notable.iter().take(MAX_WINDOWS) {
        write_window(&mut out, window, is_single);
    }
    if notable.len() > MAX_WINDOWS {
        let _ = writeln!(
            out,
            "\n{} more have something to say.",
            plural((notable.len() - MAX_WINDOWS) as u64, "window")
        );
    }
    if !calm.is_empty() {
        let labels: Vec<String> = calm.iter().map(|window| code(&window_label(window))).collect();
        fold(&mut out, &format!("{} ok", plural(calm.len() as u64, "window")), &list(&labels));
    }
    if !thin.is_empty() {
        let labels: Vec<String> = thin.iter().map(|window| code(&window_label(window))).collect();
        let summary = format!("{} with too few rows", plural(thin.len() as u64, "window"));
        fold(&mut out, &summary, &list(&labels));
    }
    write_notes(&mut out, report);
    let told = if is_single { report.windows.iter().collect() } else { notable };
    write_compat(&mut out, &told[..told.len().min(MAX_WINDOWS)]);
    out
}

fn write_window(out: &mut String, window: &Window, is_single: bool) {
    out.push('\n');
    if !is_single {
        let partial = if window.arrival.is_some_and(|arrival| arrival.partial) { ", partial" } else { "" };
        let label = code(&window_label(window));
        let rows = plural(window.rows, "row");
        let _ =
            writeln!(out, "**{}** {label}: {}, {rows}{partial}\n", code(&window.name), window.verdict.name());
    }
    let (fine, notable): (Vec<&Feature>, Vec<&Feature>) = ranked(&window.features)
        .into_iter()
        .filter(|feature| feature.verdict != Verdict::Skipped)
        .partition(|feature| feature.verdict == Verdict::Ok);
    if !notable.is_empty() {
        let title = distance_title(&notable);
        let _ = writeln!(out, "| feature | verdict | psi | {title} | p/q | nulls | what moved |");
        out.push_str("|---|---|--:|--:|--:|--:|---|\n");
        for feature in notable.iter().take(MAX_ROWS) {
            let _ = writeln!(
                out,
                "| {} | {} {} | {} | {} | {} | {} | {} |",
                cell_code(&feature.name),
                mark(feature.verdict),
                feature.verdict.name(),
                measure(feature, Metric::Psi),
                measure(feature, distance(feature.kind)),
                probability(significance(feature)),
                share(feature.nulls, feature.rows),
                cell_prose(&what_moved(feature)),
            );
        }
        if notable.len() > MAX_ROWS {
            let _ = writeln!(out, "\n{} more.", plural((notable.len() - MAX_ROWS) as u64, "feature"));
        }
    }
    if !fine.is_empty() {
        let names: Vec<String> = fine.iter().map(|feature| code(&feature.name)).collect();
        fold(out, &format!("{} ok", plural(fine.len() as u64, "feature")), &list(&names));
    }
}

/// The metrics of other tools, folded away and after all else, for ours are the answer; as far as there is room.
fn write_compat(out: &mut String, windows: &[&Window]) {
    for window in windows {
        for tool in compat::tools(window) {
            let features = ranked(&window.features);
            let calls = features.iter().filter(|feature| compat::calls_drift(feature, tool)).count() as u64;
            let place = place(window).map_or_else(String::new, |place| format!(", {place}"));
            let sees = format!("{} would see drift in {}{place}", clean(tool), plural(calls, "feature"));
            let mut table = String::new();
            fold(&mut table, &sees, &compat_table(&features, tool));
            if out.len() + table.len() > MAX_LENGTH {
                let _ = writeln!(out, "\nMore of other tools' metrics stands in `--format json`.");
                return;
            }
            out.push_str(&table);
        }
    }
}

fn compat_table(features: &[&Feature], tool: &str) -> String {
    let mut table = format!(
        "| feature | metric | {0} | driftlead | {0} says |\n|---|---|--:|--:|---|\n",
        cell_prose(&clean(tool))
    );
    let listed: Vec<_> = features
        .iter()
        .map(|feature| (&feature.name, compat::rows(feature, tool)))
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    for (name, rows) in listed.iter().take(MAX_ROWS) {
        for (at, row) in rows.iter().enumerate() {
            let name = if at == 0 { cell_code(name) } else { String::new() };
            let (metric, says) = (cell_prose(&row.metric), cell_prose(&row.says));
            let _ = writeln!(table, "| {name} | {metric} | {} | {} | {says} |", row.theirs, row.ours);
        }
    }
    if listed.len() > MAX_ROWS {
        let _ = write!(table, "\n{} more.", plural((listed.len() - MAX_ROWS) as u64, "feature"));
    }
    table.trim_end().to_owned()
}

fn write_notes(out: &mut String, report: &Report) {
    for failed in &report.errors {
        let _ = writeln!(
            out,
            "\n{} {} {}",
            mark(Verdict::Error),
            code(&failed.name),
            prose(&clean(&failed.reason))
        );
    }
    if !report.skipped.is_empty() {
        let skipped: Vec<String> = report
            .skipped
            .iter()
            .map(|s| format!("{} ({})", code(&s.name), prose(&clean(&s.reason))))
            .collect();
        fold(out, &format!("{} not judged", plural(skipped.len() as u64, "column")), &list(&skipped));
    }
    let excluded = report.input.excluded_rows;
    if excluded > 0 {
        let _ = writeln!(out, "\n{} left out by `where`.", plural(excluded, "row"));
    }
    for gap in &report.gaps {
        let windows = plural(gap.windows, "window");
        let _ = writeln!(out, "\nGap: {windows} without rows, {} to {}.", gap.start.short(), gap.end.short());
    }
}

fn fold(out: &mut String, summary: &str, body: &str) {
    let summary = html(summary);
    let _ = writeln!(out, "\n<details><summary>{summary}</summary>\n\n{body}\n\n</details>");
}

fn list(items: &[String]) -> String {
    let mut text = items[..items.len().min(MAX_NAMES)].join(", ");
    if items.len() > MAX_NAMES {
        let _ = write!(text, ", and {} more", count((items.len() - MAX_NAMES) as u64));
    }
    text
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Drift => "🔴",
        Verdict::Error => "🟣",
        Verdict::Warn => "🟡",
        Verdict::Info => "🔵",
        Verdict::Ok => "🟢",
        Verdict::Insufficient | Verdict::Skipped => "⚪",
    }
}

fn measure(feature: &Feature, metric: Metric) -> String {
    feature.metrics.of(metric).map_or_else(|| NONE.to_owned(), |measure| value(measure.value))
}

/// Text from data as a code span: no markup, mention or link can come out of it.
fn code(text: &str) -> String {
    let text = clean(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.is_empty() || text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// The same inside a table, where a pipe ends the cell even within code.
fn cell_code(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// Our own sentences with names in them: what stands in backticks becomes code; what Markdown or HTML would take for markup
/// elsewhere is escaped. However data may have put backticks into a name, each piece is one or the other.
fn prose(text: &str) -> String {
    marked(text, code)
}

/// The same inside a table.
fn cell_prose(text: &str) -> String {
    marked(text, cell_code)
}

fn marked(text: &str, code: fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('`') {
        escape(&mut out, before);
        rest = match after.split_once('`') {
            Some((name, after)) if !name.is_empty() => {
                out.push_str(&code(name));
                after
            }
            _ => {
                out.push_str("\\`");
                after
            }
        };
    }
    escape(&mut out, rest);
    out
}

fn escape(out: &mut String, text: &str) {
    for c in html(text).chars() {
        if matches!(c, '|' | '*' | '_' | '[' | ']' | '~' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
}

/// Text inside of an HTML element, where Markdown means nothing; a mention of a person is none.
fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            c => out.push(c),
        }
    }
    out
}
