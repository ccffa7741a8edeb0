//! Alerts of others: one row each, whatever comes twice, late or in another order; and never too many.

use std::time::Duration;

use super::*;

pub(super) fn fired(id: &str, at: i64) -> ExternalAlert {
    ExternalAlert {
        origin: "azure".to_owned(),
        id: id.to_owned(),
        model: Some("flights".to_owned()),
        status: AlertStatus::Open,
        fired: at,
        resolved: None,
        received: at + 1,
        document: format!("{{\"fired\":{at}}}"),
    }
}

fn resolved(id: &str, at: i64, end: i64) -> ExternalAlert {
    let document = format!("{{\"fired\":{at},\"resolved\":{end}}}");
    ExternalAlert {
        status: AlertStatus::Resolved,
        resolved: Some(end),
        received: end + 1,
        document,
        ..fired(id, at)
    }
}

#[test]
fn fired_and_resolved_are_one_alert_in_any_order_and_number() {
    let folder = folder();
    let store = open(&folder);
    let mut outbox = store.outbox().unwrap();
    let reader = store.reader().unwrap();
    let now = || reader.external_alert("azure", "a").unwrap().unwrap();
    let (begin, end) = (fired("a", 10), resolved("a", 10, 20));
    assert_eq!(outbox.hear(&begin).unwrap(), Heard::News);
    assert_eq!(outbox.hear(&ExternalAlert { received: 99, ..begin.clone() }).unwrap(), Heard::Known);
    assert_eq!(now(), begin, "a copy changes nothing");
    assert_eq!(outbox.hear(&end).unwrap(), Heard::News);
    assert_eq!(outbox.hear(&end).unwrap(), Heard::Known);
    assert_eq!(outbox.hear(&begin).unwrap(), Heard::Known, "a firing that comes late does not open it again");
    assert_eq!(now(), end);
    let again = fired("a", 30);
    assert_eq!(outbox.hear(&again).unwrap(), Heard::News);
    assert_eq!(outbox.hear(&end).unwrap(), Heard::Known, "nor does an old end close a new one");
    assert_eq!(now(), again);
    // An end of which the beginning was never heard.
    assert_eq!(outbox.hear(&resolved("b", 40, 50)).unwrap(), Heard::News);
    let ids = |model: Option<&str>, status| -> Vec<String> {
        let is_of = |own: &ExternalAlert| model.is_none() || own.model.as_deref() == model;
        let all = reader.external_alerts(status, 10, is_of).unwrap();
        all.into_iter().map(|own| own.id).collect()
    };
    assert_eq!(ids(None, None), ["b", "a"]);
    assert_eq!(ids(Some("flights"), Some(AlertStatus::Open)), ["a"]);
    assert!(ids(Some("trains"), None).is_empty());
    let first = reader.external_alerts(None, 1, |own| own.id != "b").unwrap();
    assert_eq!(first.len(), 1, "what is not wanted does not count");
    assert_eq!(first[0].id, "a");
    assert_eq!(check(folder.path()).unwrap(), []);
}

#[test]
fn they_are_kept_for_a_time_and_in_a_number() {
    let folder = folder();
    let mut store = open(&folder);
    let mut outbox = store.outbox().unwrap();
    for at in 0..1_010 {
        outbox.hear(&fired(&format!("a{at}"), at)).unwrap();
    }
    let reader = store.reader().unwrap();
    let all = reader.external_alerts(None, 2_000, |_| true).unwrap();
    assert_eq!((all.len(), all[0].fired, all[999].fired), (1_000, 1_009, 10));
    let retention = Retention { windows: Duration::from_micros(100), rows: 10_000, ..Retention::default() };
    let swept = store.sweep(1_000, &retention).unwrap();
    assert_eq!(swept.external_alerts, 889, "those that were heard of before 900");
    assert_eq!(reader.external_alerts(None, 2_000, |_| true).unwrap().last().unwrap().received, 900);
}
