//! Globs over paths of files and keys of objects alike.

use glob::MatchOptions;

use crate::error::{Error, Result};

/// A compiled pattern: the literal folder to look in, and what matches below it.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// The folder before the first component with a wildcard, with its trailing slash; empty for the current one.
    pub(crate) base: String,
    /// How many components below `base` a match can have; `None` with `**`.
    pub(crate) depth: Option<usize>,
    /// One for each way through the braces.
    alternatives: Vec<glob::Pattern>,
    /// Whether some component asks for names beginning with `.`, and with `_`.
    dotted: bool,
    underscored: bool,
}

impl Pattern {
    /// Whether `text` has a wildcard in it.
    pub(crate) fn is_glob(text: &str) -> bool {
        text.contains(['*', '?', '[', '{'])
    }

    /// Compiles `pattern`; `shown` is how error messages call it.
    ///
    /// # Errors
    /// Misconfigured, if brackets or braces do not close.
    pub(crate) fn compile(pattern: &str, shown: &str) -> Result<Self> {
        let literal = pattern.find(['*', '?', '[', '{']).unwrap_or(pattern.len());
        let cut = pattern[..literal].rfind('/').map_or(0, |slash| slash + 1);
        let (base, below) = pattern.split_at(cut);
        let refused = |why: &str| Error::misconfigured(format!("`{shown}` is not a valid glob: {why}"));
        let mut expanded = Vec::new();
        expand_braces(below, &mut expanded).map_err(refused)?;
        let alternatives = expanded
            .iter()
            .map(|text| glob::Pattern::new(text).map_err(|error| refused(in_our_words(error.msg))))
            .collect::<Result<_>>()?;
        // Braces may hold slashes, so that components cannot be counted then.
        let unbounded = below.contains("**") || below.contains('{');
        Ok(Self {
            base: base.to_owned(),
            depth: (!unbounded).then(|| below.split('/').count()),
            alternatives,
            dotted: below.split(['/', '{', ',']).any(|part| part.starts_with('.')),
            underscored: below.split(['/', '{', ',']).any(|part| part.starts_with('_')),
        })
    }

    /// Whether `path`, relative to `base` and with forward slashes, matches.
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.alternatives.iter().any(|glob| glob.matches_with(path, OPTIONS))
            && path.split('/').all(|name| self.enters(name))
    }

    /// Whether a folder or file of this name may be part of a match.
    pub(crate) fn enters(&self, name: &str) -> bool {
        !is_hidden(name)
            || (name.starts_with('.') && self.dotted)
            || (name.starts_with('_') && self.underscored)
    }
}

/// `*` and `?` stay within one folder. Whether names beginning with a dot match is decided by [`Pattern::enters`].
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};
/// More alternatives than anybody means.
const MAX_ALTERNATIVES: usize = 1024;

/// What the glob crate says, where its words are those of its source.
fn in_our_words(reason: &str) -> &str {
    match reason {
        "invalid range pattern" => "a bracket is not closed, or empty; a bracket itself is written `[[]`",
        "recursive wildcards must form a single path component" => "`**` must stand alone between slashes",
        reason => reason,
    }
}

/// Appends `text` once for each alternative of its braces; they may be nested.
fn expand_braces(text: &str, expanded: &mut Vec<String>) -> Result<(), &'static str> {
    let Some(open) = text.find('{') else {
        if expanded.len() == MAX_ALTERNATIVES {
            return Err("its braces have more than 1024 alternatives");
        }
        expanded.push(text.to_owned());
        return Ok(());
    };
    let mut depth = 0usize;
    let mut cuts = vec![open];
    for (position, byte) in text.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b',' if depth == 1 => cuts.push(position),
            b'}' if depth == 1 => {
                cuts.push(position);
                for cut in cuts.windows(2) {
                    let chosen = &text[cut[0] + 1..cut[1]];
                    expand_braces(&format!("{}{chosen}{}", &text[..open], &text[position + 1..]), expanded)?;
                }
                return Ok(());
            }
            b'}' => depth -= 1,
            _ => {}
        }
    }
    Err("a brace is not closed")
}

/// Names that are bookkeeping, not data; `_key=value` is a partition all the same.
pub(crate) fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || (name.starts_with('_') && !name.contains('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        let pattern = Pattern::compile(pattern, pattern).unwrap();
        path.strip_prefix(&pattern.base).is_some_and(|below| pattern.matches(below))
    }

    #[test]
    fn a_star_stays_within_one_directory() {
        assert!(matches("data/*.parquet", "data/a.parquet"));
        assert!(!matches("data/*.parquet", "data/x/a.parquet"));
        assert!(matches("data/**/*.parquet", "data/x/y/a.parquet"));
        assert!(matches("data/**/*.parquet", "data/a.parquet"));
        assert!(matches("data/m=0[1-3]/{a,b}.parquet", "data/m=02/b.parquet"));
        assert!(!matches("data/m=0[1-3]/{a,b}.parquet", "data/m=04/b.parquet"));
        assert!(matches("?.parquet", "a.parquet"));
        assert!(matches("{x,y/{1,2}}/*.parquet", "y/2/a.parquet"));
        assert!(!matches("{x,y/{1,2}}/*.parquet", "y/3/a.parquet"));
    }

    #[test]
    fn hidden_names_match_only_when_asked_for() {
        assert!(!matches("data/*", "data/_SUCCESS"));
        assert!(!matches("data/**", "data/_temporary/a.parquet"));
        assert!(!matches("data/*", "data/.a.parquet"));
        assert!(matches("data/_*", "data/_SUCCESS"));
        assert!(matches("data/*/*.parquet", "data/_k=1/a.parquet"));
    }

    #[test]
    fn the_base_is_the_literal_folder() {
        assert_eq!(Pattern::compile("a/b*/c", "").unwrap().base, "a/");
        assert_eq!(Pattern::compile("*.csv", "").unwrap().base, "");
        assert_eq!(Pattern::compile("a/b*/c", "").unwrap().depth, Some(2));
        assert_eq!(Pattern::compile("a/**/c", "").unwrap().depth, None);
    }

    #[test]
    fn what_is_not_closed_is_explained() {
        let error = Pattern::compile("data/[a.parquet", "data/[a.parquet").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`data/[a.parquet` is not a valid glob: a bracket is not closed, or empty; a bracket itself is written `[[]`"
        );
        assert!(Pattern::compile("[[]a.parquet", "").unwrap().matches("[a.parquet"));
        let error = Pattern::compile("data/a**/b", "data/a**/b").unwrap_err();
        assert!(error.to_string().ends_with(": `**` must stand alone between slashes"), "{error}");
        let error = Pattern::compile("data/{a,b.parquet", "data/{a,b.parquet").unwrap_err();
        assert_eq!(error.to_string(), "`data/{a,b.parquet` is not a valid glob: a brace is not closed");
    }
}
