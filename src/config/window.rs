//! How event time is cut into windows (SEMANTICS S13, S14), or rows by their number (S26), and when the drift of windows
//! becomes an alert (S19).

use std::num::NonZeroU64;

use driftlead_engine::policy::default;
use driftlead_engine::window::{Grid, MIN_PANE_US, Preceding};

use super::duration::Duration;
use super::node::{Node, Value};
use super::problem::Problem;
use super::quorum::Quorum;
use super::{count, label};

/// What stands in the place of a window's name in alerts on silence.
pub(crate) const FRESHNESS: &str = "freshness";

/// The longest chain of overlapping windows; each row belongs to so many.
const MAX_OVERLAP: i64 = 10_000;

/// One way of cutting event time, or the rows in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The name in reports; `default` for a single one.
    pub name: String,
    /// Where windows begin and end in event time; `None` if they do not.
    pub cut: Option<Cut>,
    /// How many rows a window has; never beside `cut`. With neither, all rows are one window.
    pub rows: Option<NonZeroU64>,
    /// How long after its end a pane still takes rows.
    pub lateness: Duration,
    /// How far rows may be out of order before the watermark passes them.
    pub out_of_orderness: Duration,
    /// After how much silence a partition no longer holds windows open.
    pub idle: Duration,
    /// How far ahead of its arrival a row's time may be.
    pub future: Duration,
    /// The fewest non-null rows on which a feature is judged.
    pub min_rows: u64,
}

/// Where windows begin and end, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The event time that a window covers; a multiple of `every`.
    pub length: Duration,
    /// The distance between the ends of neighbouring windows; at least a millisecond.
    pub every: Duration,
    /// The shift of all ends; less than `every`.
    pub offset: Duration,
}

impl Cut {
    /// The same as a grid of the engine (SEMANTICS S13).
    ///
    /// # Errors
    ///
    /// None for a cut that was read from a file: the same rules were applied there.
    pub fn grid(&self) -> driftlead_engine::Result<Grid> {
        Grid::new(self.length.micros(), self.every.micros(), self.offset.micros())
    }
}

impl Window {
    /// Whether there are windows before and after it; else it is all rows.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut.is_some() || self.rows.is_some()
    }

    /// How many panes it is made of: `length / every`, 1 if windows do not overlap.
    #[must_use]
    pub fn panes(&self) -> i64 {
        self.cut.map_or(1, |cut| cut.length.micros() / cut.every.micros())
    }

    /// All rows as one window, named `default`.
    #[must_use]
    pub fn whole() -> Self {
        Self {
            name: "default".to_owned(),
            cut: None,
            rows: None,
            lateness: Duration::from_secs(600),
            out_of_orderness: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            future: Duration::from_secs(300),
            min_rows: default::MIN_ROWS,
        }
    }
}

/// When alerts open and resolve; `None` where it depends on the window's length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alert {
    /// How many of the last judged windows must drift.
    pub windows: Option<Quorum>,
    /// How many calm windows in a row resolve.
    pub resolve_after: Option<u64>,
    /// Event time from a resolve to the earliest next alert.
    pub cooldown: Duration,
}

impl Alert {
    /// The quorum for `window`: as configured, else `1 of 1` from a length of one day, else `2 of 3` (SEMANTICS S19).
    #[must_use]
    pub fn quorum(&self, window: &Window) -> Quorum {
        self.windows.unwrap_or(if is_long(window) {
            Quorum { needed: 1, last: 1 }
        } else {
            Quorum { needed: 2, last: 3 }
        })
    }

    /// The calm windows in a row that resolve an alert of `window`.
    #[must_use]
    pub fn resolve_after(&self, window: &Window) -> u64 {
        self.resolve_after.unwrap_or(if is_long(window) { 1 } else { 2 })
    }
}

fn is_long(window: &Window) -> bool {
    window.rows.is_none() && window.cut.is_none_or(|cut| cut.length >= Duration::DAY)
}

/// The windows of a model file; never empty.
pub(super) fn read(root: &Node, has_time: bool, problems: &mut Vec<Problem>) -> Vec<Window> {
    let single = root.child("window").filter(|node| node.value != Value::Null);
    let several = root.child("windows").filter(|node| node.value != Value::Null);
    if let (Some(_), Some(node)) = (single, several) {
        let message = "a model has either `window` or `windows`: move the single one under a name of its own";
        problems.push(Problem::new(node.place, message));
    }
    let mut windows: Vec<Window> = Vec::new();
    for (key, node) in several.map(Node::entries).unwrap_or_default() {
        if key.name == FRESHNESS {
            let message = "`freshness` is what alerts on silence are called: give the window another name";
            problems.push(Problem::new(key.place, message));
        }
        windows.push(window(&key.name, node, has_time, problems));
        let has = |key: &str| node.child(key).is_some();
        let is_cut = has("length") || has("rows") || !matches!(node.value, Value::Map(_));
        if !is_cut {
            let message = format!(
                "window `{}` has neither `length` nor `rows`: each of several windows needs one",
                key.name
            );
            problems.push(Problem::new(key.place, message));
        }
    }
    if let Some(node) = single {
        windows.push(window("default", node, has_time, problems));
    }
    if windows.is_empty() {
        windows.push(Window::whole());
    }
    windows
}

fn window(name: &str, node: &Node, has_time: bool, problems: &mut Vec<Problem>) -> Window {
    let base = Window::whole();
    let rows = rows(node, problems);
    Window {
        name: name.to_owned(),
        cut: if rows.is_none() { cut(node, has_time, problems) } else { None },
        rows,
        lateness: duration(node, "lateness").unwrap_or(base.lateness),
        out_of_orderness: duration(node, "out_of_orderness").unwrap_or(base.out_of_orderness),
        idle: duration(node, "idle").unwrap_or(base.idle),
        future: duration(node, "future").unwrap_or(base.future),
        min_rows: count(node, "min_rows").unwrap_or(base.min_rows),
    }
}

/// The rows of a window, where they decide. Nothing waits for rows of a window that is full, so what is said of waiting
/// would be said for nothing.
fn rows(node: &Node, problems: &mut Vec<Problem>) -> Option<NonZeroU64> {
    let at = node.child("rows")?;
    for key in ["length", "every", "offset", "lateness", "out_of_orderness", "idle", "future"] {
        if let Some(other) = node.child(key) {
            let message = format!(
                "`{key}` is of windows of event time, and `rows` makes windows of so many rows in their order: leave out \
                 one of them"
            );
            problems.push(Problem::new(other.place, message));
        }
    }
    let rows = count(node, "rows").and_then(NonZeroU64::new)?;
    let min_rows = count(node, "min_rows").unwrap_or(default::MIN_ROWS);
    if rows.get() < min_rows {
        let message = format!(
            "a window of `rows: {rows}` never has `min_rows: {min_rows}`, so none would be judged: write more `rows`, or \
             such as `min_rows: {rows}`"
        );
        problems.push(Problem::new(at.place, message));
    }
    Some(rows)
}

fn cut(node: &Node, has_time: bool, problems: &mut Vec<Problem>) -> Option<Cut> {
    let Some(at) = node.child("length") else {
        for key in ["every", "offset"] {
            if let Some(at) = node.child(key) {
                problems.push(Problem::new(at.place, format!("`{key}` needs a `length` beside it")));
            }
        }
        return None;
    };
    if !has_time {
        let message = "windows cut event time, but no column is named for it: write `time: COLUMN`";
        problems.push(Problem::new(at.place, message));
    }
    let length = duration(node, "length")?;
    let every = match node.child("every") {
        Some(_) => duration(node, "every")?,
        None => length,
    };
    let offset = duration(node, "offset").unwrap_or_default();
    let place = |key: &str| node.child(key).map_or(at.place, |node| node.place);
    let mut refuse = |key: &str, message: String| problems.push(Problem::new(place(key), message));
    if length.is_zero() {
        refuse("length", "a window of no length holds no rows: write such as `length: 6h`".to_owned());
    } else if every.micros() < MIN_PANE_US {
        refuse("every", format!("`every: {every}` is too short: windows end at most every millisecond"));
    } else if !length.is_multiple_of(every) {
        let message =
            format!("`every: {every}` does not divide `length: {length}`: windows are made of whole panes");
        refuse("every", message);
    } else if length.micros() / every.micros() > MAX_OVERLAP {
        let message =
            format!("`every: {every}` puts each row into more than {MAX_OVERLAP} windows of `{length}`");
        refuse("every", message);
    } else if offset >= every && !offset.is_zero() {
        refuse(
            "offset",
            format!("`offset: {offset}` must be less than `every: {every}`: it would repeat the same ends"),
        );
    } else {
        return Some(Cut { length, every, offset });
    }
    None
}

/// The alert policy of a model file.
///
/// Against the previous window a change that stays shows in one window only, so that one has to be enough.
pub(super) fn read_alert(
    root: &Node,
    moving: Option<Preceding>,
    has_time: bool,
    problems: &mut Vec<Problem>,
) -> Alert {
    let at_once = moving.filter(|moving| moving.windows() == 1).map(|_| Quorum { needed: 1, last: 1 });
    let Some(node) = root.child("alert") else { return Alert { windows: at_once, ..Alert::default() } };
    let cooldown = duration(node, "cooldown").unwrap_or_default();
    if let Some(at) = node.child("cooldown").filter(|_| !has_time && !cooldown.is_zero()) {
        let message = format!(
            "`cooldown: {cooldown}` is event time, and no column is named for it: write `time: COLUMN`, or leave it out"
        );
        problems.push(Problem::new(at.place, message));
    }
    Alert {
        windows: label(node, "windows").and_then(|text| text.parse().ok()).or(at_once),
        resolve_after: count(node, "resolve_after"),
        cooldown,
    }
}

fn duration(node: &Node, key: &str) -> Option<Duration> {
    match &node.child(key)?.value {
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}
