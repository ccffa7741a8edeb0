//! Schemas that a registry does not know yet: asked for again after a minute of the service's clock or by a reload, and
//! not at every record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use driftlead::clock::{Clock, ManualClock};
use driftlead::config::fleet::Fleet;
use driftlead::http::auth::Tokens;
use driftlead::serve::plan::Plan;
use driftlead::serve::{End, Service};
use driftlead_connectors::dataset::Remotes;
use tokio::runtime::Runtime;

use super::odd::avro;
use super::rows::{self, BEGIN};
use super::service;
use super::topic::{PARTITIONS, source_on};
use crate::support::broker::{Message, broker};
use crate::support::folder::Folder;
use crate::support::service::eventually;
use crate::support::stub::{Answer, Stub};

const SECOND: i64 = 1_000_000;

/// A metric of a service in this process, over all its labels.
fn counted(service: &Service, name: &str) -> u64 {
    let text = service.counters.text();
    let values = text.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit_once(' '));
    values.map(|(_, value)| value.parse::<u64>().expect("a number")).sum()
}

#[test]
fn an_unknown_schema_is_asked_for_once_a_minute_and_again_by_a_reload() {
    let is_known = Arc::new(AtomicBool::new(false));
    let schema = r#"{"type":"record","name":"Row","fields":[{"name":"ts","type":"string"},
        {"name":"x","type":["null","double"]},{"name":"y","type":"int"},{"name":"c","type":"string"}]}"#;
    let known = serde_json::json!({"schema": schema}).to_string();
    let registry = Stub::start({
        let is_known = Arc::clone(&is_known);
        move |_| {
            if !is_known.load(Ordering::SeqCst) {
                let missing = r#"{"error_code":40403,"message":"Schema not found"}"#;
                return Some(Answer::of(404).saying(missing));
            }
            let kind = ("content-type", "application/vnd.schemaregistry.v1+json");
            Some(Answer::of(200).with(kind.0, kind.1).saying(&known))
        }
    });
    let topic = broker().topic("rows", PARTITIONS);
    let folder = Folder::new();
    let format = format!("{{avro: {{registry: {{url: \"{}\"}}}}}}", registry.url());
    service(&folder, &source_on(broker(), &topic, &format), "");
    let file = folder.path("service.yaml");
    let fleet = Fleet::load(file.as_ref()).expect("settings");
    let plan = Plan::of(file.as_ref(), &fleet, &|_| None).expect("a plan");
    let now = BEGIN + 86_400 * SECOND;
    let clock = ManualClock::at(now);
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let runtime = Runtime::new().expect("threads");
    let service =
        Service::start(plan, &Arc::new(Remotes::default()), &shared, runtime.handle()).expect("it starts");
    service.commands().hold(fleet.service, Tokens::default());

    let writer = broker().writer(&[]);
    let row = rows::rows(1, 1, 0, 93).remove(0);
    let write = |partitions: i32| {
        for partition in 0..partitions {
            let record = Message::new("k", avro(&row, false), row.time / 1_000);
            writer.send(&topic, partition, std::slice::from_ref(&record));
        }
        writer.flush();
    };
    let unknown = || counted(&service, "driftlead_source_bad_records_total");
    for (seconds, wanted) in [(0, 1), (59, 1), (60, 2), (119, 2), (120, 3)] {
        clock.set(now + seconds * SECOND);
        let before = unknown();
        write(PARTITIONS);
        eventually("all are set aside", || unknown() == before + PARTITIONS as u64);
        assert_eq!(registry.requests().len(), wanted, "after {seconds} s");
    }
    is_known.store(true, Ordering::SeqCst);
    // Not before a reload, or the minute is over.
    let before = unknown();
    write(PARTITIONS);
    eventually("they are set aside", || unknown() == before + PARTITIONS as u64);
    service.commands().reload("a test").expect("a reload");
    // Told to a thread that may be reading these very records: one of the next is the first that is a row.
    eventually("the schema is known", || {
        write(1);
        counted(&service, "driftlead_rows_total") > 0
    });
    assert_eq!(registry.requests().len(), 4, "one more for the partition that was written to");

    service.commands().stop();
    assert_eq!(service.wait().expect("it ends well"), End::Stopped);
}
