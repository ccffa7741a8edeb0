//! Where a value stands in a record, as people write it: `/payload/delay` (RFC 6901), `payload.delay`, or `delay`.

/// The JSON pointer that `text` means.
///
/// Text that begins with `/` is one already; in any other, dots stand between the names on the way.
///
/// # Errors
///
/// An escape that is none, or an empty name; a lowercase fragment that says what was expected.
pub(super) fn canonical(text: &str) -> Result<String, String> {
    if text.starts_with('/') {
        let is_escape = |after: &str| after.starts_with(['0', '1']);
        if text.split('~').skip(1).all(is_escape) {
            return Ok(text.to_owned());
        }
        return Err(format!(
            "`{text}` has a `~` that is no escape: write `~0` for `~`, and `~1` for a `/` in a name"
        ));
    }
    if text.split('.').any(|name| name.trim().is_empty()) {
        return Err(format!(
            "`{text}` has an empty name: write such as `payload.delay`, or a JSON pointer `/payload/delay`"
        ));
    }
    let escaped = text.split('.').map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1")));
    Ok(escaped.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_mean_a_pointer() {
        for (text, expected) in [
            ("/payload/delay", "/payload/delay"),
            ("payload.delay", "/payload/delay"),
            ("delay", "/delay"),
            ("/a.b/~0~1", "/a.b/~0~1"),
            ("a/b.c~d", "/a~1b/c~0d"),
            ("/", "/"),
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(expected), "{text}");
        }
        for (text, expected) in [("/a~2", "no escape"), ("a..b", "empty name"), (".a", "empty name")] {
            assert!(canonical(text).expect_err(text).contains(expected), "{text}");
        }
    }
}
