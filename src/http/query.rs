//! What a request asks for after its `?`, read strictly: a key that means nothing here is refused with the key that was
//! meant, because a filter that is silently ignored answers another question.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::extract::Query as Pairs;
use axum::http::Uri;
use driftlead_connectors::store::Segments;
use driftlead_engine::id;

use super::problem::Problem;
use crate::config::problem::{quote, suggest};
use crate::report::wire;
use crate::time::Timestamp;

/// Items of a page that does not say how many.
pub(super) const LIMIT: usize = 50;
/// The most items of a page.
pub(super) const MOST: usize = 500;

/// The query of one request.
#[derive(Debug, Default)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads the query of `uri`, in which only `known` keys may stand, each once.
    ///
    /// # Errors
    ///
    /// Another key, a key twice, or a key without a value.
    pub(super) fn read(uri: &Uri, known: &[&str]) -> Result<Self, Problem> {
        let Pairs(pairs) = Pairs::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| Problem::request(format!("the query cannot be read: {error}")))?;
        let mut query = BTreeMap::new();
        for (key, value) in pairs {
            if !known.contains(&key.as_str()) {
                let hint = match known {
                    [] => format!("`{}` takes none", uri.path()),
                    known => suggest(&key, known.iter().copied()),
                };
                return Err(Problem::request(format!("unknown parameter `{key}`: {hint}")));
            }
            if value.is_empty() {
                return Err(Problem::request(format!(
                    "parameter `{key}` is empty: give it a value or leave it out"
                )));
            }
            if query.contains_key(&key) {
                return Err(Problem::request(format!("parameter `{key}` is there twice: expected it once")));
            }
            query.insert(key, value);
        }
        Ok(Self(query))
    }

    /// A value as it stands.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// As [`Query::text`], to keep.
    pub(super) fn owned(&self, key: &str) -> Option<String> {
        self.text(key).map(str::to_owned)
    }

    /// A point in time, in microseconds since 1970.
    pub(super) fn time(&self, key: &str) -> Result<Option<i64>, Problem> {
        self.parse::<Timestamp>(key).map(|time| time.map(Timestamp::micros))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Problem> {
        self.choice(key, &[("true", true), ("false", false)])
    }

    /// One of some words.
    pub(super) fn choice<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(key) else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                let expected = quote(&known);
                Err(Problem::request(format!("parameter `{key}` is `{text}`: expected one of {expected}")))
            }
        }
    }

    /// How many items a page has, from 1 to [`MOST`].
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.text("limit") else { return Ok(LIMIT) };
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|limit| plain && (1..=MOST).contains(limit)).ok_or_else(|| {
            Problem::request(format!(
                "parameter `limit` is `{text}`: expected a whole number from 1 to {MOST}"
            ))
        })
    }

    /// Where a page begins: the `next` of the page before.
    pub(super) fn cursor(&self) -> Result<Option<String>, Problem> {
        let Some(text) = self.text("cursor") else { return Ok(None) };
        let is_part = |part: &str| {
            let digits = part.strip_prefix('-').unwrap_or(part);
            (1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        if text.split_once('.').is_some_and(|(at, place)| is_part(at) && is_part(place)) {
            return Ok(Some(text.to_owned()));
        }
        Err(Problem::request(format!(
            "parameter `cursor` is `{text}`: expected the `next` of the page before, or none for the first page"
        )))
    }

    /// `null` for the whole, or a segment as a JSON object (SEMANTICS S18).
    pub(super) fn segment(&self) -> Result<Option<Wish>, Problem> {
        let Some(text) = self.text("segment") else { return Ok(None) };
        let expected = r#"expected `null` for the whole, or columns and values such as `{"origin":"ATL"}`"#;
        let wrong =
            |what: String| Problem::request(format!("parameter `segment` is `{text}`: {what}{expected}"));
        match serde_json::from_str::<Option<wire::Segment>>(text) {
            Ok(None) => Ok(Some(Wish::Whole)),
            Ok(Some(segment)) if segment.0.is_empty() => Err(wrong("it has no column; ".to_owned())),
            Ok(Some(segment)) => {
                let mut columns: Vec<&str> = segment.0.iter().map(|(column, _)| column.as_str()).collect();
                columns.sort_unstable();
                if columns.windows(2).any(|pair| pair[0] == pair[1]) {
                    return Err(wrong("it names a column twice; ".to_owned()));
                }
                Ok(Some(Wish::One(segment)))
            }
            Err(_) => Err(wrong(String::new())),
        }
    }

    fn parse<T: FromStr<Err = String>>(&self, key: &str) -> Result<Option<T>, Problem> {
        let read = |text: &str| {
            text.parse().map_err(|error| Problem::request(format!("parameter `{key}`: {error}")))
        };
        self.text(key).map(read).transpose()
    }
}

/// Which segment somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// The whole.
    Whole,
    /// One segment, its columns in any order.
    One(wire::Segment),
}

impl Wish {
    /// The segment's text as the store has it, its columns in the order in which one of the `splits` has them.
    pub(super) fn text(&self, splits: &[Vec<String>]) -> Option<String> {
        let Self::One(segment) = self else { return None };
        let value = |column: &String| segment.0.iter().find(|(own, _)| own == column);
        let in_order = splits
            .iter()
            .filter(|split| split.len() == segment.0.len())
            .find_map(|split| split.iter().map(value).collect::<Option<Vec<_>>>());
        // A model that is split otherwise today may have been split so before.
        let pairs = in_order.unwrap_or_else(|| segment.0.iter().collect());
        let pairs: Vec<(&str, Option<&str>)> =
            pairs.into_iter().map(|(column, value)| (column.as_str(), value.as_deref())).collect();
        Some(id::segment(&pairs))
    }

    /// The same for the store's filter.
    pub(super) fn filter(&self, splits: &[Vec<String>]) -> Segments {
        self.text(splits).map_or(Segments::Whole, Segments::One)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<Query, Problem> {
        let uri: Uri = format!("/x?{text}").parse().unwrap();
        Query::read(&uri, &["since", "until", "segment", "final", "limit", "cursor"])
    }

    fn encoded(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect()
    }

    fn says<T>(answer: Result<T, Problem>, expected: &str) {
        let Err(problem) = answer else { panic!("accepted, and not: {expected}") };
        assert!(format!("{problem:?}").contains(expected), "{problem:?}: {expected}");
    }

    #[test]
    fn what_is_asked_is_read_and_what_means_nothing_is_refused() {
        says(query("sincee=2001"), "unknown parameter `sincee`: did you mean `since`?");
        says(query("since=2001-01-01&since=2001-01-02"), "twice");
        says(query("since="), "is empty");
        says(Query::read(&Uri::from_static("/y?a=1"), &[]), "`/y` takes none");
        let known = query("since=2001-01-01&final=true&limit=500&cursor=-1.0").unwrap();
        assert_eq!(known.time("since").unwrap(), Some(978_307_200_000_000));
        assert_eq!(known.flag("final").unwrap(), Some(true));
        assert_eq!(known.limit().unwrap(), 500);
        assert_eq!(known.cursor().unwrap().as_deref(), Some("-1.0"));
        assert_eq!(query("").unwrap().limit().unwrap(), LIMIT);
        says(query("since=yesterday").unwrap().time("since"), "is not a time: expected such as");
        says(query("final=1").unwrap().flag("final"), "expected one of `true`, `false`");
        for limit in ["0", "501", "+5", "ten", "5.0", "99999999999999999999"] {
            says(query(&format!("limit={limit}")).unwrap().limit(), "from 1 to 500");
        }
        for cursor in ["1", "1.", "a.b", "1.2.3", "--1.2", "1.%202", "1234567890123456789.1"] {
            says(query(&format!("cursor={cursor}")).unwrap().cursor(), "expected the `next`");
        }
    }

    #[test]
    fn a_segment_is_found_in_whatever_order_its_columns_are_written() {
        let splits = [vec!["origin".to_owned()], vec!["origin".to_owned(), "carrier".to_owned()]];
        let text = |text: &str| {
            let wish = query(&format!("segment={}", encoded(text))).unwrap().segment().unwrap().unwrap();
            wish.text(&splits)
        };
        assert_eq!(text("null"), None);
        assert_eq!(text(r#"{"origin":"ATL"}"#).as_deref(), Some(r#"{"origin":"ATL"}"#));
        let crossed = Some(r#"{"origin":null,"carrier":"AA"}"#);
        assert_eq!(text(r#"{"carrier":"AA", "origin":null}"#).as_deref(), crossed);
        assert_eq!(text(r#"{"b":"1","a":"2"}"#).as_deref(), Some(r#"{"b":"1","a":"2"}"#));
        for wrong in ["ATL", "{}", r#"{"origin":1}"#, "[]", r#"{"a":"1","a":"2"}"#] {
            let query = query(&format!("segment={}", encoded(wrong))).unwrap();
            says(query.segment(), "columns and values such as");
        }
    }
}
