//! `driftlead alerts`: what a service has alerted of, and its deliveries.

use std::path::Path;

use driftlead_connectors::sink;
use driftlead_connectors::store::{AlertFilter, AlertStatus, Outbox, Reader, Selection, Store};

use super::store::{folder, from_store};
use crate::cli::{Alerts, AlertsCommand};
use crate::clock::{Clock as _, SystemClock};
use crate::config::fleet::{Fleet, is_service_file};
use crate::config::problem::suggest;
use crate::exit::{Error, Result, code};
use crate::output;
use crate::serve::plan::Plan;
use crate::serve::trial;
use crate::time::Timestamp;

/// Alerts of a page.
const PAGE: usize = 1_000;

/// Lists, retries or tests.
///
/// # Errors
///
/// There is no store or it is in use, there is no such message or sink, or a delivery fails.
pub fn run(args: &Alerts) -> Result<u8> {
    match &args.command {
        AlertsCommand::List { store, all, model } => list(&folder(store)?, *all, model.clone()),
        AlertsCommand::Retry { store, sink, key } => retry(store, sink.as_deref(), key.as_deref()),
        AlertsCommand::TestSink { service, sink } => test(service, sink),
    }
}

fn list(folder: &Path, all: bool, model: Option<String>) -> Result<u8> {
    let reader = Reader::open(folder).map_err(|error| from_store(&error))?;
    let filter = AlertFilter { model, status: (!all).then_some(AlertStatus::Open) };
    let mut cursor = None;
    let mut count = 0_u64;
    loop {
        let page = reader.alerts(&filter, cursor.as_deref(), PAGE).map_err(|error| from_store(&error))?;
        for alert in &page.items {
            count += 1;
            let seen = match &alert.acknowledged {
                Some(acknowledged) => format!(", seen by {}", acknowledged.by),
                None => String::new(),
            };
            output::print(&format!(
                "{}  {:<8}  {:<8}  {} {} {}{}  since {}{seen}\n",
                alert.id,
                alert.status.name(),
                alert.severity,
                alert.model,
                alert.version,
                alert.name,
                alert.segment.as_deref().map(|segment| format!(" {segment}")).unwrap_or_default(),
                Timestamp::from_micros(alert.opened).short(),
            ))?;
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if count == 0 {
        output::print(if all { "there was no alert\n" } else { "no alert is open\n" })?;
    }
    Ok(code::OK)
}

/// `named` is a service file or the store's folder; only the first says which sinks there are.
fn retry(named: &Path, sink: Option<&str>, key: Option<&str>) -> Result<u8> {
    let now = SystemClock.now();
    // The lock of the store keeps a running service and this apart: there the API retries.
    let store = Store::open(&folder(named)?, now).map_err(|error| from_store(&error))?;
    let mut outbox: Outbox = store.outbox().map_err(|error| from_store(&error))?;
    let selection = match (key, sink) {
        (Some(key), _) => Selection::Key(key),
        (None, Some(sink)) => Selection::Sink(sink),
        (None, None) => Selection::All,
    };
    let count = outbox.retry(selection, now).map_err(|error| from_store(&error))?;
    // One that is no longer in the file may still have messages, so a name is only wrong if nothing has it.
    if let (0, Some(sink), true) = (count, sink, is_service_file(named)) {
        let sinks = Fleet::load(named)?.service.sinks;
        if sinks.iter().all(|own| own.name != sink) {
            let hint = suggest(sink, sinks.iter().map(|own| own.name.as_str()));
            return Err(Error::input(format!("`{}` has no sink `{sink}`: {hint}", named.display())));
        }
    }
    output::print(&format!(
        "{count} messages wait again for delivery, which the next `driftlead serve` begins\n"
    ))?;
    Ok(code::OK)
}

/// Sends one alert that says it is a test, as `serve` would send it.
fn test(file: &Path, name: &str) -> Result<u8> {
    let fleet = Fleet::load(file)?;
    let plan = Plan::of(file, &fleet, &|name: &str| std::env::var(name).ok())?;
    let names: Vec<String> = plan.sinks.iter().map(|sink| sink.name.clone()).collect();
    let Some(own) = plan.sinks.into_iter().find(|sink| sink.name == name) else {
        let hint = suggest(name, names.iter().map(String::as_str));
        return Err(Error::input(format!("`{}` has no sink `{name}`: {hint}", file.display())));
    };
    let now = SystemClock.now();
    let trial = trial::alert(name, now);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Error::run("cannot start the runtime").because(error))?;
    match runtime.block_on(own.carrier.deliver_one(trial.key, &trial.event, now))? {
        sink::Delivery::Delivered => {
            output::print(&format!("`{name}` took the test message\n"))?;
            Ok(code::OK)
        }
        sink::Delivery::Retry { reason, .. } => Err(Error::run(format!(
            "`{name}` did not take the test message, and would be tried again: {reason}"
        ))),
        sink::Delivery::Refused { reason } => {
            Err(Error::input(format!("`{name}` refused the test message: {reason}")))
        }
        sink::Delivery::Expired { reason } => {
            Err(Error::run(format!("`{name}` takes nothing so old as the test message: {reason}")))
        }
    }
}
