//! Globs over paths of files and keys of objects alike.

use globset::{GlobBuilder, GlobMatcher};

use crate::error::{Error, Result};

/// A compiled pattern: the literal folder to look in, and what matches below it.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// The folder before the first component with a wildcard, with its trailing slash; empty for the current one.
    pub(crate) base: String,
    /// How many components below `base` a match can have; `None` with `**`.
    pub(crate) depth: Option<usize>,
    matcher: GlobMatcher,
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
        let glob = GlobBuilder::new(below).literal_separator(true).backslash_escape(true).build().map_err(
            |error| {
                Error::misconfigured(format!("`{shown}` is not a valid glob: {}", error.kind()))
                    .with_source(error.to_string())
            },
        )?;
        // Braces may hold slashes, so that components cannot be counted then.
        let unbounded = below.contains("**") || below.contains('{');
        Ok(Self {
            base: base.to_owned(),
            depth: (!unbounded).then(|| below.split('/').count()),
            matcher: glob.compile_matcher(),
            dotted: below.split(['/', '{', ',']).any(|part| part.starts_with('.')),
            underscored: below.split(['/', '{', ',']).any(|part| part.starts_with('_')),
        })
    }

    /// Whether `path`, relative to `base` and with forward slashes, matches.
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.matcher.is_match(path) && path.split('/').all(|name| self.enters(name))
    }

    /// Whether a folder or file of this name may be part of a match.
    pub(crate) fn enters(&self, name: &str) -> bool {
        !is_hidden(name)
            || (name.starts_with('.') && self.dotted)
            || (name.starts_with('_') && self.underscored)
    }
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
    fn an_open_bracket_is_explained() {
        let error = Pattern::compile("data/[a.parquet", "data/[a.parquet").unwrap_err();
        assert!(error.to_string().starts_with("`data/[a.parquet` is not a valid glob:"), "{error}");
    }
}
