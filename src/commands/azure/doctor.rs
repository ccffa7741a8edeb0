//! `driftlead azure doctor`: would Azure take what the sinks of a service send, and if not, what mends it?
//!
//! For each sink that carries records: is there a token for the right resource, has the host a name, would a request be
//! taken that writes nothing? What is wrong gets its own advice. What a sink is asked is `Freight::examine`'s affair; a
//! sink that is new here needs an arm there, and one in [`Subject::of`] for the words of the advice.

use std::path::Path;

use driftlead_connectors::azure::{Examination, Fault, Outcome};

use super::advice::Subject;
use crate::clock::{Clock as _, SystemClock};
use crate::config::fleet::Fleet;
use crate::exit::{Error, Result, code};
use crate::output;
use crate::serve::carrier::Carrier;
use crate::serve::plan::Plan;

/// Looks at all sinks in Azure, and prints what it finds.
///
/// # Errors
///
/// The service file cannot be read or has problems, it has no such sink, or one of them would not work.
pub(super) fn run(file: &Path) -> Result<u8> {
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
        let found = runtime.block_on(freight.examine(sink.send, now));
        output::print(&format!("{} ({})\n", own.name, sink.target.name()))?;
        let subject = Subject::of(&sink.target, file, &own.name);
        output::print(&shown(&found, &subject))?;
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

fn shown(found: &Examination, subject: &Subject) -> String {
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
    if found.is_well() {
        out.push_str(&format!("  unknown  records: {}\n", subject.beyond()));
    }
    out
}
