//! A pattern that the shell spread out: `--baseline train-*.parquet` without quotes becomes one baseline and several
//! words of data, and the report would compare a part of the baseline with the rest of it.
//!
//! What the shell left behind can be told by its looks alone, so the answer never depends on what a folder holds: the
//! words that follow `--baseline REF` have the name of REF but for their digits.

use std::path::Path;

use crate::exit::{Error, Result};

/// Looks at the words that directly follow `--baseline REF`. A note, if they may have been meant as baseline.
///
/// # Errors
///
/// If some of them look like REF and the others do not: then the first were hardly meant as data.
pub fn check(reference: &str, words: &[String]) -> Result<Option<String>> {
    let alike = words.iter().take_while(|word| is_alike(reference, word)).count();
    let pattern = pattern_of(reference);
    match &words[..alike] {
        [] => Ok(None),
        [first, ..] if alike < words.len() => Err(Error::input(format!(
            "is `{first}` baseline or data? a shell spreads a pattern out, and `--baseline` takes one word: quote the \
             pattern (`--baseline '{pattern}'`), or name the data before `--baseline`"
        ))),
        [_] => Ok(None),
        [first, rest @ ..] => {
            let more = match rest {
                [second] => format!("`{second}`"),
                _ => format!("{} more", rest.len()),
            };
            Ok(Some(format!(
                "note: `{first}` and {more} are taken as data, only `{reference}` as baseline; if a pattern was meant, quote \
                 it: `--baseline '{pattern}'`"
            )))
        }
    }
}

/// Whether `word` could come from the same pattern: the same folder and, but for digits, the same name.
fn is_alike(reference: &str, word: &str) -> bool {
    reference != word && reference.contains(|c: char| c.is_ascii_digit()) && shape(reference) == shape(word)
}

/// The path with each run of digits as `*`, in its last part only.
fn shape(path: &str) -> String {
    let name = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path);
    let folder = path.strip_suffix(name).unwrap_or_default();
    let mut out = folder.to_owned();
    for c in name.chars() {
        let c = if c.is_ascii_digit() { '*' } else { c };
        if c != '*' || !out.ends_with('*') {
            out.push(c);
        }
    }
    out
}

fn pattern_of(reference: &str) -> String {
    // `2001-*` is nearer to what was typed than `*-*`: the last run of digits is the one that counts on.
    let shape = shape(reference);
    let Some((head, tail)) = shape.rsplit_once('*') else { return shape };
    let kept = reference.len() - tail.len();
    let digits = reference[..kept].chars().rev().take_while(char::is_ascii_digit).count();
    if head.is_empty() { shape } else { format!("{}*{tail}", &reference[..kept - digits]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn data_like_the_baseline_and_data_unlike_it_are_refused_together() {
        let error =
            check("t/2001-01.parquet", &words(&["t/2001-02.parquet", "t/2001-03.parquet", "live.parquet"]));
        let message = error.expect_err("refused").to_string();
        assert!(message.contains("is `t/2001-02.parquet` baseline or data?"), "{message}");
        assert!(message.contains("--baseline 't/2001-*.parquet'"), "{message}");
    }

    #[test]
    fn several_like_the_baseline_are_noted() {
        let note =
            check("part-1.csv", &words(&["part-2.csv", "part-10.csv", "part-11.csv"])).expect("no error");
        let note = note.expect("a note");
        assert!(note.contains("`part-2.csv` and 2 more are taken as data, only `part-1.csv`"), "{note}");
        assert!(note.contains("'part-*.csv'"), "{note}");
    }

    #[test]
    fn what_nobody_spread_is_left_alone() {
        for (reference, data) in [
            ("2001-01.parquet", &["2001-02.parquet"][..]),
            ("train.parquet", &["live-1.parquet", "live-2.parquet"]),
            ("train.parquet", &["live.parquet", "test.parquet"]),
            ("base/1.csv", &["live/1.csv", "live/2.csv"]),
            ("2001-01.parquet", &["live.parquet", "2001-02.parquet"]),
            ("train-1.parquet", &[]),
        ] {
            let found = check(reference, &words(data)).expect("no error");
            assert_eq!(found, None, "{reference} {data:?}");
        }
    }
}
