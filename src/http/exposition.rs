//! Single values out of the OpenMetrics text of our own counters, so that `/api/v1/status` and `/metrics` never disagree.
//!
//! The registry has no other way out: a family of counters cannot be walked. The text is our own, so what is not
//! understood here is left out, not refused.

use std::collections::BTreeMap;

/// One line of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample<'a> {
    labels: BTreeMap<&'a str, String>,
    value: &'a str,
}

impl Sample<'_> {
    /// The value of a label; empty if it has none of that name.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// A number of things; 0 for what is none.
    pub(super) fn count(&self) -> u64 {
        self.value.parse().unwrap_or(0)
    }

    /// A finite number.
    pub(super) fn number(&self) -> Option<f64> {
        self.value.parse().ok().filter(|number: &f64| number.is_finite())
    }
}

/// The samples called `name`, in the order of the text.
pub(super) fn samples<'a>(text: &'a str, name: &str) -> impl Iterator<Item = Sample<'a>> {
    text.lines().filter_map(move |line| {
        let rest = line.strip_prefix(name)?;
        match rest.strip_prefix('{') {
            Some(rest) => {
                let (labels, rest) = labels(rest)?;
                Some(Sample { labels, value: rest.trim() })
            }
            None => Some(Sample { labels: BTreeMap::new(), value: rest.strip_prefix(' ')?.trim() }),
        }
    })
}

/// `a="x",b="y"}` and what comes after it.
fn labels(mut rest: &str) -> Option<(BTreeMap<&str, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut letters = quoted.char_indices();
        let end = loop {
            match letters.next()? {
                (end, '"') => break end,
                (_, '\\') => match letters.next()?.1 {
                    'n' => value.push('\n'),
                    letter => value.push(letter),
                },
                (_, letter) => value.push(letter),
            }
        };
        labels.insert(name.trim_start_matches(','), value);
        rest = &quoted[end + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::counters::Counters;

    #[test]
    fn what_was_counted_is_found_under_the_name_it_has() {
        let text =
            "# HELP a_b x\na_b{c=\"d\",e=\"f\\\"\\\\\\n,}=\"} 3\na_b{c=\"g\"} -1.5\na_bc 7\na_b 9\n# EOF\n";
        let found: Vec<Sample<'_>> = samples(text, "a_b").collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!((found[0].label("c"), found[0].label("e"), found[0].count()), ("d", "f\"\\\n,}=", 3));
        assert_eq!((found[1].label("e"), found[1].count(), found[1].number()), ("", 0, Some(-1.5)));
        assert_eq!((found[2].label("c"), found[2].count()), ("", 9));
        assert_eq!(samples("a_b{c=\"d} 3\n", "a_b").count(), 0);
    }

    #[test]
    fn the_registry_writes_what_is_read_here() {
        let counters = Counters::new();
        counters.commits.inc_by(4);
        let text = counters.text();
        let commits: Vec<u64> =
            samples(&text, "driftlead_commits_total").map(|sample| sample.count()).collect();
        assert_eq!(commits, [4], "{text}");
    }
}
