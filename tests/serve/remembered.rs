//! How long a request is known again by its key (SEMANTICS S17): 24 hours of the service's clock, which the test moves.

use std::net::SocketAddr;
use std::sync::Arc;

use driftlead::clock::{Clock, ManualClock};
use driftlead::config::fleet::Fleet;
use driftlead::http::auth::Tokens;
use driftlead::http::{Settings, start};
use driftlead::serve::plan::Plan;
use driftlead::serve::{End, Service};
use driftlead_connectors::dataset::Remotes;
use tokio::runtime::Runtime;

use super::ingest::send;
use super::rows::{self, BEGIN};
use super::service;
use crate::support::folder::Folder;

const DAY: i64 = 86_400_000_000;

#[test]
fn s17_a_key_is_remembered_for_a_day_and_then_free_again() {
    let folder = Folder::new();
    service(&folder, "{ingest: {}}", "");
    let file = folder.path("service.yaml");
    let fleet = Fleet::load(file.as_ref()).expect("settings");
    let plan = Plan::of(file.as_ref(), &fleet, &|_| None).expect("a plan");
    let sent_at = BEGIN + 30 * DAY;
    let clock = ManualClock::at(sent_at);
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let runtime = Runtime::new().expect("threads");
    let service =
        Service::start(plan, &Arc::new(Remotes::default()), &shared, runtime.handle()).expect("it starts");
    let settings = Settings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), tokens: Tokens::default() };
    let server = runtime.block_on(start(&settings, &service, &shared)).expect("it listens");
    let address = server.address.to_string();

    let rows = rows::rows(2, 1, 0, 92);
    let (one, other) = (rows[0].json.as_str(), rows[1].json.as_str());
    // What was sent, what the answer is, and whether it is the one of an earlier request.
    let sends = |body: &str| {
        let reply = send(&address, "k", body).expect("an answer");
        (reply.status, reply.header("idempotency-replayed").to_owned(), reply.body)
    };
    let (status, replayed, first) = sends(one);
    assert_eq!((status, replayed.as_str()), (202, "false"), "{first}");
    // To the last microsecond.
    clock.set(sent_at + DAY);
    assert_eq!(sends(one), (202, "true".to_owned(), first.clone()));
    assert_eq!(sends(other).0, 422);
    clock.set(sent_at + DAY + 1);
    let (status, replayed, body) = sends(other);
    assert_eq!((status, replayed.as_str()), (202, "false"), "{body}");
    // From then on the key is that of the other body, for a day of its own.
    clock.set(sent_at + 2 * DAY);
    assert_eq!(sends(one).0, 422);
    assert_eq!(sends(other), (202, "true".to_owned(), body));
    let counted = service.counters.text();
    assert!(counted.contains("driftlead_source_records_total{source=\"rows\"} 2\n"), "{counted}");

    service.commands().stop();
    assert_eq!(service.wait().expect("it ends well"), End::Stopped);
    runtime.block_on(server.close());
}
