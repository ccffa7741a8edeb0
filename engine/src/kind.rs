//! What a feature is: it decides which metrics can be computed and which of them the default policy judges.

use std::fmt;

/// How a feature's values are compared with the baseline's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Numbers on a line: cells between edges, with an order and a distance.
    Numeric,
    /// Names without an order: the baseline's dictionary, then OTHER and NEW (SEMANTICS S3).
    Categorical,
    /// Vectors of one fixed length.
    Embedding,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Numeric, Self::Categorical, Self::Embedding];

    /// The word in model files and reports, such as `numeric`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Numeric => "numeric",
            Self::Categorical => "categorical",
            Self::Embedding => "embedding",
        }
    }

    /// The kind of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_parse_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.name()), Some(kind));
        }
        assert_eq!(Kind::parse("number"), None);
    }
}
