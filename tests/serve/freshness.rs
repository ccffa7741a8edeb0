//! Silence is told by the clock: no window closes where no row comes (SEMANTICS S21).

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use driftlead::clock::{Clock, ManualClock};
use driftlead::serve::plan::{Plan, SourceKind, SourcePlan};
use driftlead::serve::wire::{Alert, Body, Status};
use driftlead::serve::{End, Service};
use driftlead_connectors::dataset::Remotes;
use driftlead_connectors::store::Retention;
use tokio::runtime::Runtime;

use super::rows::{self, BEGIN, Row};
use crate::support::folder::Folder;

const SECOND: i64 = 1_000_000;
/// Longer than a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A service in this process, with a clock that the test moves.
struct World {
    service: Service,
    heard: Receiver<Body>,
    clock: ManualClock,
    now: i64,
    _runtime: Runtime,
}

impl World {
    fn start(folder: &Folder, now: i64) -> Self {
        let (listener, heard) = crossbeam_channel::unbounded();
        let plan = Plan {
            file: None,
            store: folder.path("state").into(),
            models: vec![folder.path("model.yaml").into()],
            sources: vec![SourcePlan::json(
                "rows",
                SourceKind::Lines { path: folder.path("rows.ndjson").into(), ends: false },
            )],
            sinks: Vec::new(),
            commit_every: Duration::from_millis(100),
            listener: Some(listener),
            retention: Retention::default(),
        };
        let clock = ManualClock::at(now);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let runtime = Runtime::new().expect("threads");
        let remotes = Arc::new(Remotes::default());
        let service = Service::start(plan, &remotes, &shared, runtime.handle()).expect("it starts");
        Self { service, heard, clock, now, _runtime: runtime }
    }

    fn move_to(&mut self, now: i64) {
        self.now = now;
        self.clock.set(now);
    }

    /// Lets the clock run, a little at a time, until `answer` has one.
    fn until<T>(&mut self, what: &str, mut answer: impl FnMut(&Self, Option<Alert>) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "not in time: {what}");
            self.move_to(self.now + SECOND / 20);
            let alert = match self.heard.recv_timeout(Duration::from_millis(5)) {
                Ok(Body::Alert(alert)) => Some(alert),
                Ok(Body::Verdict(_) | Body::Gap(_) | Body::Diagnostic(_))
                | Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => panic!("the service has ended before {what}"),
            };
            if let Some(found) = answer(self, alert) {
                return found;
            }
        }
    }

    fn next_alert(&mut self, what: &str) -> Alert {
        self.until(what, |_, alert| alert)
    }

    fn freshness(&self) -> Option<f64> {
        let text = self.service.counters.text();
        let line =
            text.lines().find_map(|line| line.strip_prefix("driftlead_freshness_seconds{model=\"rows\"} "));
        line.and_then(|number| number.parse().ok())
    }

    /// Waits until the engine has looked at the clock as it is now, and answers what it saw.
    fn look(&mut self) -> f64 {
        let before = self.freshness();
        self.until("a look", |own, alert| {
            assert_eq!(alert, None, "nothing is to be said");
            own.freshness().filter(|seen| before.is_none_or(|before| *seen != before))
        })
    }

    fn stop(self) {
        self.service.commands().stop();
        assert_eq!(self.service.wait().expect("it ends well"), End::Stopped);
    }
}

fn row(time: i64) -> Row {
    let ts = driftlead::time::Timestamp::from_micros(time);
    Row { time, json: format!(r#"{{"ts":"{ts}","x":0.5,"y":2,"c":"a"}}"#) }
}

#[test]
fn s21_silence_opens_one_alert_by_the_clock_and_rows_resolve_it() {
    let folder = Folder::new();
    rows::baseline(&folder);
    let rule = "thresholds:\n  - {metric: freshness, warn: 600, drift: 3600}\n";
    folder.write("model.yaml", super::MODEL.replace("sinks: [record]\n", rule));
    let newest = BEGIN + 600 * SECOND;
    let first: Vec<Row> = (0..=60).map(|at| row(BEGIN + at * 10 * SECOND)).collect();
    rows::file(&folder, "rows.ndjson", &first);

    let mut world = World::start(&folder, newest + SECOND);
    let seen = world.until("the rows are counted", |own, _| own.freshness().filter(|seen| *seen < 60.0));
    assert!(seen >= 1.0, "{seen}");
    world.move_to(newest + 3_500 * SECOND);
    assert!(world.look() > 3_000.0, "above `warn`, which opens nothing");

    world.move_to(newest + 3_601 * SECOND);
    let opened = world.next_alert("an alert on silence");
    assert_eq!((opened.status, opened.window.as_str(), opened.revision), (Status::Open, "freshness", 0));
    assert_eq!(opened.first_window.start.map(driftlead::time::Timestamp::micros), Some(newest));
    let cause = &opened.causes[0];
    assert_eq!((cause.metric.as_str(), cause.threshold), ("freshness", Some(3_600.0)));
    assert!(cause.value.is_some_and(|age| age > 3_600.0), "{cause:?}");
    world.move_to(newest + 9_000 * SECOND);
    assert!(world.look() > 3_600.0, "it is said once");
    world.stop();

    // Another process knows that it is open.
    let mut world = World::start(&folder, newest + 9_500 * SECOND);
    assert!(world.look() > 9_000.0);
    let later = newest + 10_000 * SECOND;
    rows::append(&folder, "rows.ndjson", &[row(later)]);
    world.move_to(later + SECOND);
    let resolved = world.next_alert("its end");
    assert_eq!((resolved.status, resolved.revision), (Status::Resolved, 1));
    assert_eq!((&resolved.id, resolved.reason.as_deref()), (&opened.id, Some("calm")));
    assert_eq!(resolved.last_window.period.end.map(driftlead::time::Timestamp::micros), Some(later));

    world.move_to(later + 3_601 * SECOND);
    let again = world.next_alert("another silence");
    assert_eq!((again.status, again.revision), (Status::Open, 0));
    assert_ne!(again.id, opened.id);
    // A clock that is put back ends it; the same silence goes on under its id when the clock is right again.
    world.move_to(later + SECOND);
    let ended = world.next_alert("a clock put back");
    assert_eq!((ended.status, &ended.id), (Status::Resolved, &again.id));
    world.move_to(later + 3_700 * SECOND);
    let reopened = world.next_alert("the clock is right again");
    assert_eq!((reopened.status, &reopened.id, reopened.revision), (Status::Open, &again.id, 2));
    world.stop();

    // A new version takes its place, before it has any row.
    let model = std::fs::read_to_string(folder.path("model.yaml")).expect("the model");
    folder.write("model.yaml", model.replace("version: \"1\"", "version: \"2\""));
    let mut world = World::start(&folder, later + 3_800 * SECOND);
    let superseded = world.next_alert("the old version's end");
    assert_eq!((superseded.status, &superseded.id), (Status::Resolved, &again.id));
    assert_eq!((superseded.reason.as_deref(), superseded.model.version.as_str()), (Some("superseded"), "1"));
    world.stop();
}
