//! Silences: times in which some alerts are not sent.
//!
//! A silence names alerts by what they have in common; it keeps messages back, never the alert itself, which opens, shows
//! in the API and is resolved as ever. An alert that is still open when its last silence ends is sent then, as it stands:
//! what was kept back is late, not lost.

use std::collections::BTreeMap;

use driftlead_connectors::store::{Alert, Silence};
use serde::{Deserialize, Serialize};

use crate::job::segments::pairs_of;

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
struct Subject<'a> {
    model: &'a str,
    window: &'a str,
    segment: Option<&'a [(String, Option<String>)]>,
    alert: &'a str,
}

impl Matcher {
    fn matches(&self, subject: Subject<'_>) -> bool {
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
    pub(super) fn keep_back(&self, alert: &Alert, now: i64) -> bool {
        self.any(alert, |silence| silence.starts <= now && now < silence.expires)
    }

    /// Whether some silence, over or not, may have kept an alert back.
    pub(super) fn may_have_kept_back(&self, alert: &Alert) -> bool {
        self.any(alert, |_| true)
    }

    fn any(&self, alert: &Alert, is_meant: impl Fn(&Silence) -> bool) -> bool {
        let segment = alert.segment.as_deref().and_then(pairs_of);
        let subject = Subject {
            model: &alert.model,
            window: &alert.name,
            segment: segment.as_deref(),
            alert: &alert.id,
        };
        self.0.values().any(|(silence, matcher)| is_meant(silence) && matcher.matches(subject))
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

    fn alert(segment: Option<&str>) -> Alert {
        Alert {
            id: "a".to_owned(),
            revision: 0,
            model: "m".to_owned(),
            version: "1".to_owned(),
            name: "default".to_owned(),
            segment: segment.map(str::to_owned),
            status: driftlead_connectors::store::AlertStatus::Open,
            severity: "major".to_owned(),
            opened: 0,
            resolved: None,
            document: "{}".to_owned(),
            acknowledged: None,
        }
    }

    #[test]
    fn a_silence_keeps_back_what_has_all_that_it_names_while_it_lasts() {
        let (whole, atlanta) = (alert(None), alert(Some(r#"{"origin":"ATL"}"#)));
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
            assert_eq!(silences.keep_back(&whole, 10), of_whole, "{matcher}");
            assert_eq!(silences.keep_back(&atlanta, 19), of_atlanta, "{matcher}");
            assert!(!silences.keep_back(&whole, 9) && !silences.keep_back(&whole, 20), "{matcher}");
            assert_eq!(silences.may_have_kept_back(&whole), of_whole, "{matcher}");
        }
        let silences = Silences::of([silence("{}", 10, 20)]);
        assert!(
            silences.ended_between(19, 20)
                && !silences.ended_between(20, 30)
                && !silences.ended_between(1, 19)
        );
        assert!(silences.ended_between(i64::MIN, 25));
    }
}
