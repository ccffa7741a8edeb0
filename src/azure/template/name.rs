//! Names of resources: the same for the same model, and valid for every kind that bears them.
//!
//! Names of alert rules may hold letters, digits, `-`, `_` and `.`, and Azure does not tell capitals from small letters. So
//! what is not a small letter, digit, `-` or `_` becomes `-`, and a hash keeps apart what that makes equal. The parts of a
//! name stand between dots, which no part has.

use sha2::{Digest as _, Sha256};

/// The longest part, in bytes.
const LONGEST: usize = 40;

/// The name of something of driftlead's, from its parts.
#[must_use]
pub(super) fn name(parts: &[&str]) -> String {
    let parts: Vec<String> = parts.iter().map(|part| slug(part)).collect();
    format!("driftlead.{}", parts.join("."))
}

/// The same as a symbol of a template: letters, digits and `_`.
#[must_use]
pub(super) fn symbol(parts: &[&str]) -> String {
    let parts: Vec<String> = parts.iter().map(|part| slug(part).replace('-', "_")).collect();
    format!("alert_{}", parts.join("_"))
}

fn slug(text: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if !text.is_empty() && text.len() <= LONGEST && text.chars().all(plain) {
        return text.to_owned();
    }
    let small = text.to_lowercase();
    let kept: String = small.chars().map(|c| if plain(c) { c } else { '-' }).take(LONGEST - 9).collect();
    let hash = Sha256::digest(text.as_bytes());
    let digits: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let kept = kept.trim_matches('-');
    if kept.is_empty() { digits } else { format!("{kept}-{digits}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_and_apart() {
        assert_eq!(name(&["credit-risk", "drift", "hourly_2"]), "driftlead.credit-risk.drift.hourly_2");
        let odd = ["Credit", "credit", "crédit", "a/b", "a b", "[x]", "", "..", &"x".repeat(300)];
        let mut names: Vec<String> = odd.iter().map(|own| name(&[own, "drift"]).to_lowercase()).collect();
        for own in &names {
            assert!(
                own.len() < 100 && own.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)),
                "{own}"
            );
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), odd.len());
        assert!(symbol(&["a-b", "1.5"]).chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    }
}
