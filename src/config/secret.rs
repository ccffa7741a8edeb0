//! Values that must never be shown: they come from the environment or a mounted file, and print as `***`.
//!
//! A file that is checked is not yet run: a [`Setting`] says where a value comes from, and [`Setting::open`] fetches it
//! when the service starts. So a file can be checked where its secrets are not.

use std::fmt;
use std::path::{Path, PathBuf};

use super::beside;
use super::node::{Node, Value};
use super::problem::Place;

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

/// A value of a service's file that is a secret, or may hold one. Equal if it says the same, wherever it stands.
#[derive(Clone)]
pub struct Setting {
    from: From,
    place: Place,
}

#[derive(Clone, PartialEq, Eq)]
enum From {
    /// Text in which `${NAME}` stands for a variable.
    Text(String),
    /// The content of a file, without the line break at its end.
    File(PathBuf),
}

impl PartialEq for Setting {
    fn eq(&self, other: &Self) -> bool {
        self.from == other.from
    }
}

impl Eq for Setting {}

impl Setting {
    /// The setting that `node` spells: text, or `{file: PATH}` relative to `folder`. `None` if it has another shape.
    pub(super) fn read(node: &Node, folder: &Path) -> Option<Self> {
        let from = match &node.value {
            Value::Map(_) => From::File(beside(folder, &node.child("file")?.text()?).into()),
            _ => From::Text(node.text()?),
        };
        Some(Self { from, place: node.place })
    }

    /// Text that stands in no file.
    pub(super) fn of(text: &str, place: Place) -> Self {
        Self { from: From::Text(text.to_owned()), place }
    }

    /// # Errors
    ///
    /// A `${` that is not followed by a name and `}`; never shows more than that.
    pub(super) fn check(text: &str) -> Result<(), String> {
        Secret::expand(text, |_| Some("x".to_owned())).map(drop)
    }

    /// Where the file says it.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether it is the content of a file, which may change while the service runs.
    #[must_use]
    pub const fn is_file(&self) -> bool {
        matches!(self.from, From::File(_))
    }

    /// The value, if it stands in the file and may be shown.
    #[must_use]
    pub fn plain(&self) -> Option<String> {
        match &self.from {
            From::Text(text) if !text.contains("${") => {
                Secret::expand(text, |_| None).ok().map(|secret| secret.0)
            }
            From::Text(_) | From::File(_) => None,
        }
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// A variable that is unset or empty, a file that cannot be read or is empty. The message has names, never a value.
    pub fn open(&self, environment: impl Fn(&str) -> Option<String>) -> Result<Secret, String> {
        match &self.from {
            From::Text(text) => Secret::expand(text, environment),
            From::File(path) => {
                let shown = path.display();
                let text = std::fs::read_to_string(path)
                    .map_err(|error| format!("cannot read the secret in `{shown}`: {error}"))?;
                let text = text.trim_end_matches(['\n', '\r']);
                if text.is_empty() {
                    return Err(format!("the file `{shown}` is empty: it should hold the secret"));
                }
                Ok(Secret(text.to_owned()))
            }
        }
    }

    /// Where the value comes from, for a person: the value itself if it may be shown.
    #[must_use]
    pub fn describe(&self) -> String {
        match (&self.from, self.plain()) {
            (_, Some(plain)) => plain,
            (From::File(path), None) => format!("*** from the file {}", path.display()),
            (From::Text(text), None) => format!("*** from {}", variables(text).join(", ")),
        }
    }
}

/// The names of variables in `text`.
fn variables(text: &str) -> Vec<&str> {
    text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect()
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
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

    fn setting(yaml: &str) -> Setting {
        let node = Node::parse(yaml).expect(yaml);
        Setting::read(node.child("x").expect(yaml), Path::new("conf")).expect(yaml)
    }

    #[test]
    fn a_setting_is_shown_only_if_it_stands_in_the_file() {
        let plain = setting("x: a$b$$c");
        assert_eq!((plain.plain().as_deref(), plain.describe().as_str()), (Some("a$b$c"), "a$b$c"));
        let mixed = setting("x: Bearer ${HOOK}.${OTHER}");
        assert_eq!(format!("{mixed:?}"), "*** from HOOK, OTHER");
        assert_eq!(setting("x: {file: ./key}").describe(), "*** from the file conf/key");
        assert_eq!(setting("x: Bearer ${HOOK}").open(environment).expect("set").reveal(), "Bearer s3cr3t");
        assert_eq!(setting("x: 9092").open(environment).expect("plain").reveal(), "9092");
    }

    #[test]
    fn a_secret_in_a_file_has_no_line_break_and_is_not_empty() {
        let folder = tempfile::tempdir().expect("folder");
        let of = |content: &str| {
            let path = folder.path().join("key");
            std::fs::write(&path, content).expect("written");
            setting(&format!("x: {{file: {}}}", path.display())).open(environment)
        };
        assert_eq!(of("s3cr3t\r\n").expect("read").reveal(), "s3cr3t");
        assert!(of("\n").expect_err("empty").contains("is empty"));
        assert!(
            setting("x: {file: no/such}")
                .open(environment)
                .expect_err("none")
                .contains("cannot read the secret")
        );
    }
}
