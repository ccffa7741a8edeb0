//! What windows are compared with: rows, a file of their counts, or the windows before each (SEMANTICS S25).

use std::num::NonZeroU32;
use std::path::Path;

use driftlead_engine::window::Preceding;

use super::node::{Node, Value};
use super::problem::Problem;
use super::{Window, count, label, paths};

/// The longest run of panes that a window and those before it may take: each holds states, in memory and in the store.
const MAX_PANES: i64 = 10_000;

/// The baseline of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// Paths, patterns, folders or URLs; relative ones are relative to the model file's folder already.
    pub paths: Vec<String>,
    /// An SQL condition on the baseline's rows alone.
    pub filter: Option<String>,
    /// The windows before each, if they are what it is compared with: then the baseline's rows only make the cells.
    pub moving: Option<Preceding>,
}

/// The baseline of a model file; `None` if it names none.
pub(super) fn read(
    root: &Node,
    folder: &Path,
    windows: &[Window],
    problems: &mut Vec<Problem>,
) -> Option<Baseline> {
    let node = root.child("baseline")?;
    let (filter, moving) = match &node.value {
        Value::Map(_) => (label(node, "where"), moving(root, node, windows, problems)),
        _ => (None, None),
    };
    let paths = paths(node, folder);
    if paths.is_empty() { None } else { Some(Baseline { paths, filter, moving }) }
}

fn moving(
    root: &Node,
    baseline: &Node,
    windows: &[Window],
    problems: &mut Vec<Problem>,
) -> Option<Preceding> {
    let node = baseline.child("moving").filter(|node| node.value != Value::Null)?;
    let wanted = match &node.value {
        Value::Map(_) => count(node, "windows")?,
        _ => 1,
    };
    // That it has to be 1 or more was said where it was read.
    if wanted == 0 {
        return None;
    }
    let mut refuse = |message: String| problems.push(Problem::new(node.place, message));
    let preceding = u32::try_from(wanted).ok().and_then(NonZeroU32::new).map(Preceding::new);
    let fits = |preceding: Preceding, window: &Window| {
        preceding.n_panes(window.panes()).saturating_add(window.panes()) <= MAX_PANES
    };
    for window in windows {
        if !window.is_cut() {
            refuse(format!(
                "window `{}` is all rows, and nothing precedes it: cut time with `time: COLUMN` and such as `window: \
                 {{length: 1h}}`",
                window.name
            ));
        } else if !preceding.is_some_and(|preceding| fits(preceding, window)) {
            refuse(format!(
                "`{wanted}` windows before each of `{}` are more than {MAX_PANES} panes of its `every`: name fewer, or a \
                 longer `every`",
                window.name
            ));
        }
    }
    if root.child("compat").is_some_and(|compat| compat.value != Value::Null) {
        refuse("`compat` compares with the baseline's own rows: leave out either it or `moving`".to_owned());
    }
    preceding
}
