//! The report for a person at a terminal.
//!
//! The sentence first; then each window with its features, the worst on top. Columns are aligned by the width that a
//! terminal gives a character, and the least telling ones are left out where it is narrow. Nothing is asked of the
//! environment here: [`Style`] says what the output can do.

use std::fmt::Write as _;
use std::io::IsTerminal;

use driftlead_engine::{Kind, Metric};
use unicode_width::UnicodeWidthStr;

use super::compat;
use super::format::{NONE, clean, count, fit, plural, probability, share, value};
use super::summary::{compared_with, number_of, place, ranked, sentence, significance, what_moved};
use super::verdict::Verdict;
use super::wire::{Feature, Report, Window};

/// So many features that are ok are listed; the others are counted.
const MAX_OK: usize = 20;

/// More windows in a row of which there is nothing to tell than these become one line.
const MAX_QUIET: usize = 8;

/// The version of a model that has none.
pub(super) const UNVERSIONED: &str = "unversioned";

/// What the output can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether colours are understood and wanted.
    pub color: bool,
    /// The columns of the terminal; `None` if the output has no end to the right.
    pub width: Option<usize>,
}

impl Style {
    /// No colours and no limit: for pipes and files.
    pub const PLAIN: Self = Self { color: false, width: None };

    /// What standard output can do. Colours need a terminal and an environment without `NO_COLOR` (any value but an
    /// empty one counts, as no-color.org has it) and without `TERM=dumb`.
    #[must_use]
    pub fn of_stdout() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::PLAIN;
        }
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self { color: !is_set("NO_COLOR") && !is_dumb, width }
    }
}

/// Draws the report; ends with a line end.
#[must_use]
pub fn render(report: &Report, style: Style) -> String {
    let mut out = String::new();
    let pen = Pen { style };
    let _ = writeln!(out, "{}", pen.verdict_word(report.verdict, &sentence(report)));
    let id: String = report.baseline.id.chars().take(12).collect();
    // The model's own words, then what every report has.
    let version = Some(report.model.version.as_str()).filter(|version| *version != UNVERSIONED);
    let version = version.map_or_else(String::new, |version| format!(" {}", clean(version)));
    let paths = report.run.as_ref().map_or(0, |run| run.paths.data.len() as u64);
    let several = if paths > 1 { format!(", data of {}", plural(paths, "path")) } else { String::new() };
    let _ = writeln!(
        out,
        "{}{version}, {}{several}",
        clean(&report.model.name),
        compared_with(&report.baseline, &clean(&id))
    );
    draw_windows(&mut out, &report.windows, pen);
    draw_notes(&mut out, report, pen);
    out
}

#[derive(Clone, Copy)]
struct Pen {
    style: Style,
}

impl Pen {
    fn paint(self, code: &str, text: &str) -> String {
        let is_painted = self.style.color && !text.is_empty();
        if is_painted { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn verdict(self, verdict: Verdict, text: &str) -> String {
        self.paint(
            match verdict {
                Verdict::Drift => "1;31",
                Verdict::Error => "1;35",
                Verdict::Warn => "33",
                Verdict::Info => "36",
                Verdict::Ok => "32",
                Verdict::Insufficient | Verdict::Skipped => "2",
            },
            text,
        )
    }

    /// A sentence that begins with its verdict: the word alone is coloured.
    fn verdict_word(self, verdict: Verdict, sentence: &str) -> String {
        match sentence.split_once(':') {
            Some((word, rest)) => format!("{}:{rest}", self.verdict(verdict, word)),
            None => sentence.to_owned(),
        }
    }
}

/// Windows in their order; long runs of quiet and of thin ones become one line.
fn draw_windows(out: &mut String, windows: &[Window], pen: Pen) {
    let is_single = windows.len() == 1;
    let mut rest = windows;
    while let Some((first, after)) = rest.split_first() {
        let quiet = rest.iter().take_while(|window| is_quiet(window) || is_thin(window)).count();
        if quiet > MAX_QUIET {
            let (own, after) = rest.split_at(quiet);
            let span = match (first.start, own[quiet - 1].end) {
                (Some(start), Some(end)) => format!(", {} to {}", start.short(), end.short()),
                _ => first
                    .ordinal
                    .map_or_else(String::new, |ordinal| format!(", from {} on", number_of(ordinal))),
            };
            let thin = own.iter().filter(|window| is_thin(window)).count();
            let ok = pen.verdict(Verdict::Ok, "ok");
            let few = format!("{} (too few rows)", pen.verdict(Verdict::Insufficient, "insufficient"));
            let others = others_say(own);
            let windows = plural(quiet as u64, "window");
            let _ = match (quiet - thin, thin) {
                (_, 0) => writeln!(out, "\n{windows} are {ok}{span}{others}"),
                (0, _) => writeln!(out, "\n{windows} are {few}{span}{others}"),
                (fine, thin) => {
                    writeln!(
                        out,
                        "\n{windows}: {} {ok}, {} {few}{span}{others}",
                        count(fine as u64),
                        count(thin as u64)
                    )
                }
            };
            rest = after;
        } else {
            out.push('\n');
            draw_window(out, first, is_single, pen);
            rest = after;
        }
    }
}

/// What other tools would say of windows that are fine.
fn others_say(windows: &[Window]) -> String {
    let mut said = String::new();
    for tool in windows.first().map(compat::tools).unwrap_or_default() {
        let calls = |window: &&Window| window.features.iter().any(|f| compat::calls_drift(f, tool));
        let count_of = windows.iter().filter(calls).count() as u64;
        if count_of > 0 {
            let _ = write!(said, "; {} would see drift in {}", clean(tool), count(count_of));
        }
    }
    said
}

/// Whether there is nothing to tell of a window but that it is fine.
pub(super) fn is_quiet(window: &Window) -> bool {
    window.verdict == Verdict::Ok
        && window.features.iter().all(|feature| matches!(feature.verdict, Verdict::Ok | Verdict::Skipped))
}

/// Whether there is nothing to tell of a window but that it has too few rows.
pub(super) fn is_thin(window: &Window) -> bool {
    window.verdict == Verdict::Insufficient
        && window
            .features
            .iter()
            .all(|feature| matches!(feature.verdict, Verdict::Insufficient | Verdict::Skipped))
}

fn draw_window(out: &mut String, window: &Window, is_single: bool, pen: Pen) {
    let number = window.ordinal.map_or_else(String::new, |ordinal| format!("  {}", number_of(ordinal)));
    let time = match (window.start, window.end) {
        (Some(start), Some(end)) => format!("{number}  {} to {}", start.short(), end.short()),
        _ => number,
    };
    let segment =
        window.segment.as_ref().map_or_else(String::new, |s| format!("  {}", clean(&s.to_string())));
    let partial = if window.arrival.is_some_and(|arrival| arrival.partial) { "  partial" } else { "" };
    let name = clean(&window.name);
    let rows = plural(window.rows, "row");
    let verdict = pen.verdict(window.verdict, window.verdict.name());
    let _ = writeln!(out, "{name}{time}{segment}  {rows}{partial}  {verdict}");

    let (fine, notable): (Vec<&Feature>, Vec<&Feature>) = ranked(&window.features)
        .into_iter()
        .filter(|feature| feature.verdict != Verdict::Skipped)
        .partition(|feature| feature.verdict == Verdict::Ok);
    // With several windows what is fine is not news.
    let shown = if is_single { fine.len().min(MAX_OK) } else { 0 };
    let rows: Vec<&Feature> = notable.into_iter().chain(fine[..shown].iter().copied()).collect();
    if !rows.is_empty() {
        draw_features(out, &rows, pen);
    }
    let folded = fine.len() - shown;
    if folded > 0 {
        let more = if shown > 0 { "more " } else { "" };
        let are = if folded == 1 { "feature is" } else { "features are" };
        let _ = writeln!(out, "  {}", pen.dim(&format!("{} {more}{are} ok", count(folded as u64))));
    }
    for tool in compat::tools(window) {
        // What is folded above is shown here if the tool disagrees.
        let contested = fine[shown..].iter().copied().filter(|feature| compat::calls_drift(feature, tool));
        let features: Vec<&Feature> = rows.iter().copied().chain(contested).collect();
        draw_compat(out, &features, tool, pen);
    }
}

/// The metrics of another tool, a line each.
fn draw_compat(out: &mut String, features: &[&Feature], tool: &str, pen: Pen) {
    let limit = pen.style.width.unwrap_or(usize::MAX);
    let names = if limit == usize::MAX { usize::MAX } else { (limit / 4).max(8) };
    let listed: Vec<(String, Vec<compat::Row>)> = features
        .iter()
        .map(|feature| (fit(&clean(&feature.name), names), compat::rows(feature, tool)))
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    if listed.is_empty() {
        return;
    }
    let tool = clean(tool);
    let says = format!("{tool} says");
    let titles = ["feature", "metric", &tool, "driftlead", &says];
    let mut widths = titles.map(UnicodeWidthStr::width);
    for (name, rows) in &listed {
        widths[0] = widths[0].max(name.width());
        for row in rows {
            for (at, text) in [(1, &row.metric), (2, &row.theirs), (3, &row.ours), (4, &row.says)] {
                widths[at] = widths[at].max(text.width());
            }
        }
    }
    let columns = compat_columns(&mut widths, limit);
    let titles = if titles[4].width() > widths[4] {
        ["feature", "metric", &tool, "driftlead", "says"]
    } else {
        titles
    };
    let line = |cells: [&str; 5], is_drift: Option<bool>| {
        let mut line = String::new();
        for at in columns.iter().copied() {
            let text = fit(cells[at], widths[at]);
            let padding = " ".repeat(widths[at] - text.width());
            line.push_str(&" ".repeat(GAP));
            match (at, is_drift) {
                (2 | 3, _) => line = line + &padding + &text,
                (4, Some(true)) => line.push_str(&pen.paint("31", &text)),
                (4, Some(false)) => line.push_str(&pen.dim(&text)),
                _ => line = line + &text + &padding,
            }
        }
        line.trim_end().to_owned()
    };
    let _ = writeln!(out, "\n{}", pen.dim(&line(titles, None)));
    for (name, rows) in &listed {
        for (at, row) in rows.iter().enumerate() {
            let name = if at == 0 { name.as_str() } else { "" };
            let cells = [name, &row.metric, &row.theirs, &row.ours, &row.says];
            let _ = writeln!(out, "{}", line(cells, Some(row.is_drift)));
        }
    }
}

/// The columns of [`draw_compat`] that fit into `limit`, and their widths: what the tool says is cut first, then the name of
/// the metric; where too little would be left of either, our number gives way, and then what the tool says.
fn compat_columns(widths: &mut [usize; 5], limit: usize) -> Vec<usize> {
    const METRIC: usize = 16;
    const SAYS: usize = "no drift".len();
    let (metric, says) = (widths[1].min(METRIC), widths[4].min(SAYS));
    for columns in [&[0, 1, 2, 3, 4][..], &[0, 1, 2, 4], &[0, 1, 2]] {
        let has_says = columns.contains(&4);
        let fixed: usize = columns.iter().filter(|at| !matches!(at, 1 | 4)).map(|at| widths[*at]).sum();
        let room = limit.saturating_sub(fixed + GAP * columns.len());
        let says = if has_says { says } else { 0 };
        if room >= metric + says || !has_says {
            widths[1] = widths[1].min(room.saturating_sub(says));
            widths[4] = widths[4].min(room.saturating_sub(widths[1]));
            return columns.to_vec();
        }
    }
    Vec::new()
}

/// A column of the table: its title, what it shows, and whether it is of numbers.
struct Column {
    title: &'static str,
    cell: fn(&Feature) -> String,
    is_number: bool,
}

const COLUMNS: [Column; 8] = [
    Column { title: "feature", cell: |f| clean(&f.name), is_number: false },
    Column { title: "kind", cell: |f| f.kind.name().to_owned(), is_number: false },
    Column { title: "verdict", cell: |f| f.verdict.name().to_owned(), is_number: false },
    Column { title: "psi", cell: |f| measure(f, Metric::Psi), is_number: true },
    Column { title: DISTANCE, cell: ks_or_js, is_number: true },
    Column { title: "p/q", cell: |f| probability(significance(f)), is_number: true },
    Column { title: "nulls", cell: |f| share(f.nulls, f.rows), is_number: true },
    Column { title: "what moved", cell: what_moved, is_number: false },
];

const DISTANCE: &str = "ks/js";

/// The columns that give way to `what moved` on a narrow terminal, the first one first.
const GIVE_WAY: [&str; 5] = ["kind", "nulls", "p/q", DISTANCE, "psi"];

/// So many columns of `what moved` are worth more than another number.
const WORTH: usize = 24;

/// Between two columns.
const GAP: usize = 2;

fn measure(feature: &Feature, metric: Metric) -> String {
    feature.metrics.of(metric).map_or_else(|| NONE.to_owned(), |measure| value(measure.value))
}

fn ks_or_js(feature: &Feature) -> String {
    measure(feature, distance(feature.kind))
}

/// The metric of a kind that stands in the column of distances.
pub(super) fn distance(kind: Kind) -> Metric {
    match kind {
        Kind::Numeric => Metric::Ks,
        Kind::Categorical => Metric::Js,
        Kind::Embedding => Metric::EmbeddingDrift,
    }
}

/// The title of the column of distances: `auc` is the worst area under a curve of `embedding_drift`.
pub(super) fn distance_title<'a>(features: impl IntoIterator<Item = &'a &'a Feature>) -> &'static str {
    if features.into_iter().any(|feature| feature.kind == Kind::Embedding) { "ks/js/auc" } else { DISTANCE }
}

fn title_of(column: &Column, features: &[&Feature]) -> &'static str {
    if column.title == DISTANCE { distance_title(features) } else { column.title }
}

fn draw_features(out: &mut String, features: &[&Feature], pen: Pen) {
    let limit = pen.style.width.unwrap_or(usize::MAX);
    let names = if limit == usize::MAX { usize::MAX } else { (limit / 4).max(8) };
    let mut columns: Vec<&Column> = COLUMNS.iter().collect();
    let mut widths: Vec<usize> = columns
        .iter()
        .map(|column| {
            let widest = features.iter().map(|feature| (column.cell)(feature).width()).max().unwrap_or(0);
            if column.title == "feature" {
                widest.min(names).max(names.min(7))
            } else {
                widest.max(title_of(column, features).width())
            }
        })
        .collect();
    for title in GIVE_WAY {
        let moved = widths.last().copied().unwrap_or(0).min(WORTH);
        let others: usize = widths.iter().rev().skip(1).sum();
        if others + moved + GAP * columns.len() <= limit {
            break;
        }
        if let Some(at) = columns.iter().position(|column| column.title == title) {
            columns.remove(at);
            widths.remove(at);
        }
    }
    let cells: Vec<Vec<String>> = features
        .iter()
        .map(|feature| {
            let mut cells: Vec<String> = columns.iter().map(|column| (column.cell)(feature)).collect();
            cells[0] = fit(&cells[0], names);
            cells
        })
        .collect();
    let mut write_row = |row: &[String], paint: &dyn Fn(usize, &str) -> String| {
        let mut line = String::new();
        let mut used = 0;
        for (at, text) in row.iter().enumerate() {
            let is_last = at + 1 == row.len();
            line.push_str(&" ".repeat(GAP));
            used += GAP;
            let text = if is_last { fit(text, limit.saturating_sub(used)) } else { text.clone() };
            let padding = " ".repeat(widths[at].saturating_sub(text.width()));
            used += widths[at];
            let text = paint(at, &text);
            match (columns[at].is_number, is_last) {
                (true, _) => line = line + &padding + &text,
                (false, true) => line.push_str(&text),
                (false, false) => line = line + &text + &padding,
            }
        }
        let _ = writeln!(out, "{}", line.trim_end());
    };
    let titles: Vec<String> = columns.iter().map(|column| title_of(column, features).to_owned()).collect();
    write_row(&titles, &|_, text| pen.dim(text));
    for (feature, row) in features.iter().zip(&cells) {
        write_row(row, &|at, text| {
            if columns[at].title == "verdict" { pen.verdict(feature.verdict, text) } else { text.to_owned() }
        });
    }
}

/// What stands outside the windows: gaps, errors, skipped columns, rows left out, the run.
fn draw_notes(out: &mut String, report: &Report, pen: Pen) {
    let mut notes = String::new();
    for gap in &report.gaps {
        let span = format!("{} to {}", gap.start.short(), gap.end.short());
        let _ = writeln!(notes, "gap: {} without rows, {span}", plural(gap.windows, "window"));
    }
    let is_shown =
        |name: &str| report.windows.iter().any(|window| window.features.iter().any(|f| f.name == name));
    for failed in report.errors.iter().filter(|failed| !is_shown(&failed.name)) {
        let word = pen.verdict(Verdict::Error, "error");
        let _ = writeln!(notes, "{word}: `{}`: {}", clean(&failed.name), clean(&failed.reason));
    }
    if !report.skipped.is_empty() {
        let skipped: Vec<String> =
            report.skipped.iter().map(|s| format!("{} ({})", clean(&s.name), clean(&s.reason))).collect();
        let _ = writeln!(notes, "not judged: {}", skipped.join(", "));
    }
    let input = &report.input;
    let lost = [
        (report.baseline.excluded_rows, "row", "left out of the baseline by `where`"),
        (input.excluded_rows, "row", "left out by `where`"),
        (input.outside_rows, "row", "outside `--since` and `--until`"),
        (input.untimed_rows, "row", "without a readable time"),
        (input.bad_records, "record", "left out: not readable"),
    ];
    for (rows, what, why) in lost.into_iter().filter(|(rows, ..)| *rows > 0) {
        let _ = writeln!(notes, "{} {why}", plural(rows, what));
    }
    if let Some(run) = &report.run {
        // Of a run of less than a second it says how long starting takes.
        let speed = run
            .rows_per_second
            .filter(|_| run.seconds >= 1.0)
            .map_or_else(String::new, |rows| format!(", {} rows/s", value(Some(rows.round()))));
        let text = format!("{} in {:.2} s{speed}", plural(input.rows, "row"), run.seconds);
        let _ = writeln!(notes, "{}", pen.dim(&text));
    }
    if !notes.is_empty() {
        out.push('\n');
        out.push_str(&notes);
    }
}

/// A name for a window in lists, or its own name.
pub(super) fn window_label(window: &Window) -> String {
    place(window).unwrap_or_else(|| clean(&window.name))
}
