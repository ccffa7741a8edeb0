//! Silences: times in which some alerts are not sent.
//!
//! A silence names alerts by what they have in common; it keeps messages back, never the alert itself, which opens, shows
//! in the API and is resolved as ever. An alert that is still open when its last silence ends is sent then, as it stands:
//! what was kept back is late, not lost.

use std::collections::BTreeMap;

use driftlead_connectors::store::Silence;
use serde::{Deserialize, Serialize};

/// Which alerts a silence keeps back: those that have all of what is named; nothing named is all alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matcher {
    /// Of this model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Of windows of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// Of this segment: a column and its value each, null being a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<BTreeMap<String, Option<String>>>,
    /// This alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
}

/// An alert as a matcher sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) model: &'a str,
    pub(super) window: &'a str,
    pub(super) segment: Option<&'a [(String, Option<String>)]>,
    pub(super) alert: &'a str,
}

impl Matcher {
    pub(super) fn matches(&self, subject: Subject<'_>) -> bool {
        let is = |wanted: &Option<String>, own: &str| wanted.as_deref().is_none_or(|wanted| wanted == own);
        let segment = self.segment.as_ref().is_none_or(|wanted| {
            subject.segment.is_some_and(|own| {
                let own: BTreeMap<String, Option<String>> = own.iter().cloned().collect();
                own == *wanted
            })
        });
        is(&self.model, subject.model)
            && is(&self.window, subject.window)
            && is(&self.alert, subject.alert)
            && segment
    }
}

/// The silences of a service.
#[derive(Debug, Default)]
pub(super) struct Silences(BTreeMap<String, (Silence, Matcher)>);

impl Silences {
    pub(super) fn of(silences: impl IntoIterator<Item = Silence>) -> Self {
        let mut own = Self::default();
        silences.into_iter().for_each(|silence| own.put(silence));
        own
    }

    /// Takes a silence, new or changed. One whose matcher cannot be read matches nothing: it is shown, and lifted by hand.
    pub(super) fn put(&mut self, silence: Silence) {
        let matcher = serde_json::from_str(&silence.matcher);
        match matcher {
            Ok(matcher) => drop(self.0.insert(silence.id.clone(), (silence, matcher))),
            Err(_) => drop(self.0.remove(&silence.id)),
        }
    }

    /// Whether an alert is kept back at `now`.
    pub(super) fn keep_back(&self, subject: Subject<'_>, now: i64) -> bool {
        self.0.values().any(|(silence, matcher)| {
            silence.starts <= now && now < silence.expires && matcher.matches(subject)
        })
    }

    /// Whether a silence ended after `since`, and not after `now`.
    pub(super) fn ended_between(&self, since: i64, now: i64) -> bool {
        self.0.values().any(|(silence, _)| since < silence.expires && silence.expires <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence(matcher: &str, starts: i64, expires: i64) -> Silence {
        Silence {
            id: matcher.to_owned(),
            matcher: matcher.to_owned(),
            author: "ops".to_owned(),
            reason: "maintenance".to_owned(),
            starts,
            expires,
        }
    }

    #[test]
    fn a_silence_keeps_back_what_has_all_that_it_names_while_it_lasts() {
        let segment = [("origin".to_owned(), Some("ATL".to_owned()))];
        let whole = Subject { model: "m", window: "default", segment: None, alert: "a" };
        let atlanta = Subject { segment: Some(&segment), ..whole };
        for (matcher, of_whole, of_atlanta) in [
            ("{}", true, true),
            (r#"{"model":"m"}"#, true, true),
            (r#"{"model":"n"}"#, false, false),
            (r#"{"segment":{"origin":"ATL"}}"#, false, true),
            (r#"{"segment":{"origin":null}}"#, false, false),
            (r#"{"model":"m","alert":"b"}"#, false, false),
            (r#"{"moddel":"m"}"#, false, false),
        ] {
            let silences = Silences::of([silence(matcher, 10, 20)]);
            assert_eq!(silences.keep_back(whole, 10), of_whole, "{matcher}");
            assert_eq!(silences.keep_back(atlanta, 19), of_atlanta, "{matcher}");
            assert!(!silences.keep_back(whole, 9) && !silences.keep_back(whole, 20), "{matcher}");
        }
        let silences = Silences::of([silence("{}", 10, 20)]);
        assert!(
            silences.ended_between(19, 20)
                && !silences.ended_between(20, 30)
                && !silences.ended_between(1, 19)
        );
    }
}
