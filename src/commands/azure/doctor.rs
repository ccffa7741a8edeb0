//! `driftlead azure doctor`: would Azure take what the sinks of a service send, and if not, what mends it?
//!
//! For each sink that carries records: is there a token for the right resource, has the host a name, would a request be
//! taken that writes nothing? Where it is asked for, is a record taken? What is wrong gets its own advice. What a sink is
//! asked is `Freight::examine`'s affair; a sink that is new here needs an arm there, and one in [`Subject::of`] for the
//! words of the advice.

use std::path::Path;

use driftlead_connectors::azure::{self, ConnectionString, Examination, Fault, Finding, Outcome};
use driftlead_connectors::sink::Delivery;

use super::advice::Subject;
use crate::clock::{Clock as _, SystemClock};
use crate::config::fleet::Fleet;
use crate::config::service::Target;
use crate::exit::{Error, Result, code};
use crate::output;
use crate::serve::carrier::Carrier;
use crate::serve::plan::Plan;
use crate::serve::trial::{self, Trial};

/// Looks at all sinks in Azure, and prints what it finds.
///
/// # Errors
///
/// The service file cannot be read or has problems, it has no such sink, or one of them would not work.
pub(super) fn run(file: &Path, sends: bool) -> Result<u8> {
    let fleet = Fleet::load(file)?;
    let plan = Plan::of(file, &fleet, &|name: &str| std::env::var(name).ok())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Error::run("cannot start the runtime").because(error))?;
    let now = SystemClock.now();
    let mut faults = Vec::new();
    let mut sinks = 0;
    for own in &plan.sinks {
        let Carrier::Freight(freight) = &own.carrier else { continue };
        let Some(sink) = fleet.service.sink(&own.name) else { continue };
        sinks += 1;
        let mut found = runtime.block_on(freight.examine(sink.send, now));
        let has_sent = sends && found.is_well();
        if has_sent {
            for trial in trial::all(sink.send, &own.name, now) {
                let Trial { kind, key, event } = trial;
                let answer = runtime.block_on(own.carrier.deliver_one(key, &event, now))?;
                found.findings.push(Finding { of: format!("test {kind}"), outcome: taken(answer) });
            }
        }
        output::print(&format!("{} ({})\n", own.name, sink.target.name()))?;
        let connection = connection(&sink.target);
        let subject = Subject::of(&sink.target, connection.as_ref(), file, &own.name);
        output::print(&shown(&found, &subject, has_sent))?;
        faults.extend(found.findings.into_iter().filter_map(|finding| match finding.outcome {
            Outcome::Fault(fault, _) => Some(fault),
            Outcome::Well(_) | Outcome::Unknown(_) => None,
        }));
    }
    if sinks == 0 {
        return Err(Error::input(format!(
            "`{}` has no sink in Azure Monitor: docs/azure.md shows one",
            file.display()
        )));
    }
    if faults.is_empty() {
        return Ok(code::OK);
    }
    let count = if faults.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", faults.len()) };
    let message = format!("{count} in what `{}` sends to Azure", file.display());
    // Others may mend those by themselves.
    let may_pass = faults.iter().all(|fault| matches!(fault, Fault::NoAnswer | Fault::Busy));
    Err(if may_pass { Error::run(message) } else { Error::input(message) })
}

/// The connection string of a sink of Application Insights, for what it says beside the key.
fn connection(target: &Target) -> Option<ConnectionString> {
    let Target::Insights(own) = target else { return None };
    let text = own.connection_string.open(|name| std::env::var(name).ok()).ok()?;
    ConnectionString::parse(text.reveal()).ok()
}

fn shown(found: &Examination, subject: &Subject, has_sent: bool) -> String {
    let mut out = String::new();
    let mut advised = Vec::new();
    for finding in &found.findings {
        let (word, said) = match &finding.outcome {
            Outcome::Well(said) => ("well   ", said),
            Outcome::Unknown(said) => ("unknown", said),
            Outcome::Fault(_, said) => ("fault  ", said),
        };
        out.push_str(&format!("  {word}  {}: {said}\n", finding.of));
        if let Outcome::Fault(fault, said) = &finding.outcome {
            let advice = subject.advice(*fault, said, &found.claims);
            // Three streams of one rule have one fault.
            if !advised.contains(&advice) {
                for line in advice.lines() {
                    out.push_str(&format!("           {line}\n"));
                }
                advised.push(advice);
            }
        }
    }
    for open in subject.beyond(has_sent).iter().filter(|_| found.is_well()) {
        out.push_str(&format!("  unknown  {open}\n"));
    }
    out
}

/// What became of a message of a test.
fn taken(answer: Delivery) -> Outcome {
    match answer {
        Delivery::Delivered => Outcome::Well(format!("was taken: look for the model `{}`", trial::MODEL)),
        Delivery::Refused { reason } | Delivery::Expired { reason } => Outcome::Fault(Fault::Refused, reason),
        Delivery::Retry { reason, .. } => {
            // What an answer says begins with its status; what is none, such as a connection that breaks, does not.
            let status = reason.strip_prefix("status ").and_then(|rest| rest.get(..3)?.parse().ok());
            Outcome::Fault(status.map_or(Fault::NoAnswer, azure::fault), reason)
        }
    }
}
