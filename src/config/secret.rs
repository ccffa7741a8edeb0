//! Values that must never be shown: they come from the environment or a mounted file, and print as `***`.

use std::fmt;

/// A secret, readable only through [`Secret::reveal`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes `text` with every `${NAME}` replaced by what `environment` has for it.
    ///
    /// `$$` stands for one `$`. The environment is an argument, so that a test needs none.
    ///
    /// # Errors
    ///
    /// A name that is unset, empty or malformed. The message has the name and never a value.
    pub fn expand(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if let Some(after) = rest.strip_prefix('{') {
                let Some((name, after)) = after.split_once('}') else {
                    return Err("`${` has no `}`: write `${NAME}`, or `$$` for a dollar sign".to_owned());
                };
                let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                if !is_name {
                    return Err("`${…}` needs the name of an environment variable: letters, digits and `_`"
                        .to_owned());
                }
                match environment(name) {
                    Some(value) if !value.is_empty() => out.push_str(&value),
                    _ => {
                        return Err(format!(
                            "the environment variable `{name}` is not set: set it before the start"
                        ));
                    }
                }
                rest = after;
            } else {
                out.push('$');
            }
        }
        out.push_str(rest);
        Ok(Self(out))
    }

    /// The secret itself: for the wire, never for people.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "HOOK" => Some("s3cr3t".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn names_are_replaced_and_nothing_is_shown() {
        let secret = Secret::expand("Bearer ${HOOK}-$$1 $x", environment).expect("set");
        assert_eq!(secret.reveal(), "Bearer s3cr3t-$1 $x");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, expected) in [
            ("${OTHER}", "`OTHER` is not set"),
            ("${EMPTY}", "`EMPTY` is not set"),
            ("${HOOK", "has no `}`"),
            ("${a-b}", "letters, digits"),
            ("${}", "letters, digits"),
        ] {
            let error = Secret::expand(text, environment).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
