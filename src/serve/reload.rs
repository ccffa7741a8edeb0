//! Settings that are read again while the service runs: all of the new ones are taken, or none.
//!
//! Everything is read, built and tried out before anything is changed. What leaves series and sources as they are is taken at
//! once: bounds, alerts, waiting times, sinks, API tokens, retention. For all else the service begins anew within its process
//! (decision 0042). The address and the store are those of the process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use driftlead_connectors::store;
use driftlead_connectors::stream::Partition;

use super::board::Sheet;
use super::engine::Subscription;
use super::event::Event;
use super::layout::{Layout, open_models};
use super::plan::{Plan, SinkPlan};
use super::{Commands, build, seal, shown};
use crate::config::fleet::Fleet;
use crate::config::service as file;
use crate::exit::{Error, Result};
use crate::http::auth::Tokens;

/// The settings that are in force, and the tokens that the API holds.
#[derive(Debug)]
pub(super) struct InForce {
    service: file::Service,
    tokens: Tokens,
    /// By what the files are known that the sources were begun with.
    seals: BTreeMap<String, [u8; 32]>,
}

/// What a reload brings.
pub(super) struct Draft {
    pub(super) layout: Layout,
    /// Settings beside models and sources; `None` leaves them.
    pub(super) settings: Option<Settings>,
    /// How the sources changed, in words.
    pub(super) sources: Vec<String>,
    /// The partitions of sources that are new or changed, where they are known.
    pub(super) partitions: BTreeMap<String, BTreeSet<Partition>>,
}

/// What a reload brings beside models and sources.
pub(super) struct Settings {
    pub(super) sinks: Vec<SinkPlan>,
    pub(super) subscriptions: Vec<Subscription>,
    /// The sinks that were there and have other settings now.
    pub(super) others: Vec<String>,
    pub(super) retention: store::Retention,
    pub(super) commit_every: Duration,
}

impl Commands {
    /// What is in force: without it nothing can be read again. `tokens` are those that the API holds.
    pub fn hold(&self, service: file::Service, tokens: Tokens) {
        let seals = seals(&service, &environment);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Some(InForce { service, tokens, seals });
    }

    /// Reads the service file and its models again and takes what changed; answers what that was. Reading takes as long as a
    /// start; the service goes on meanwhile. Secrets, certificates and templates are read again too. `by` is who asks; of two
    /// who ask at a time the second waits for the first.
    ///
    /// # Errors
    ///
    /// What is wrong with the new settings; then those of before are at work.
    pub fn reload(&self, by: &str) -> Result<String> {
        let Some(path) = &self.file else {
            return Err(Error::input(
                "the service was not started from a file: there is nothing to read again",
            ));
        };
        // Held until the end, so that of two reloads the later one's settings stay.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(in_force) = held.as_mut() else {
            return Err(Error::run("the service is still starting: try again in a moment"));
        };
        let fleet = Fleet::load(path)?;
        stays(&in_force.service, &fleet.service)?;
        let tokens = build::tokens(&fleet.service, &environment)?;
        let (draft, seals) = self.draft(path, &fleet, in_force)?;
        let sheet = Sheet {
            models: draft.layout.models.iter().map(|own| shown(&own.model)).collect(),
            sinks: fleet.service.sinks.iter().map(|sink| sink.name.clone()).collect(),
        };
        let draft = Box::new(draft);
        let mut changed = self.ask(|answer| Event::Reload { draft, by: by.to_owned(), answer })?;
        changed.extend(differences(&in_force.service, &fleet.service));
        in_force.tokens.replace(tokens);
        in_force.service = fleet.service;
        in_force.seals = seals;
        self.board.put_up(sheet);
        if changed.is_empty() {
            changed.push("nothing changed".to_owned());
        }
        Ok(changed.join("; "))
    }

    /// New settings, read, built and tried out; and by what the files of their sources are known.
    fn draft(
        &self,
        path: &Path,
        fleet: &Fleet,
        in_force: &InForce,
    ) -> Result<(Draft, BTreeMap<String, [u8; 32]>)> {
        // Before they are read: one that is renewed between the two is read again by the next reload.
        let seals = seals(&fleet.service, &environment);
        let plan = Plan::of(path, fleet, &environment)?;
        let subscriptions = Subscription::all(&plan.sinks);
        let models = open_models(&plan.models, &plan.sources, &self.remotes)?;
        let layout = Layout::of(models, plan.sources, &subscriptions)?;
        let (sources, names) = of_sources((&in_force.service, &in_force.seals), (&fleet.service, &seals));
        let partitions = layout.try_out(&names, self.clock.as_ref())?;
        let is_other = |sink: &&file::Sink| {
            in_force.service.sinks.iter().any(|before| before.name == sink.name && before != *sink)
        };
        let others = fleet.service.sinks.iter().filter(is_other).map(|sink| sink.name.clone()).collect();
        let settings = Settings {
            sinks: plan.sinks,
            subscriptions,
            others,
            retention: plan.retention,
            commit_every: plan.commit_every,
        };
        Ok((Draft { layout, settings: Some(settings), sources, partitions }, seals))
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn seals(
    service: &file::Service,
    environment: &dyn Fn(&str) -> Option<String>,
) -> BTreeMap<String, [u8; 32]> {
    service.sources.iter().map(|source| (source.name.clone(), seal::of(source, environment))).collect()
}

/// # Errors
///
/// What changed that is the process's, as long as it lives.
fn stays(old: &file::Service, new: &file::Service) -> Result<()> {
    let mut changed = Vec::new();
    for (key, is_other) in [("listen", old.listen != new.listen), ("store", old.store != new.store)] {
        if is_other {
            changed.push(format!("`{key}`"));
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    Err(Error::input(format!(
        "{} changed: restart the service for that, which loses nothing; nothing has changed",
        changed.join(" and ")
    )))
}

type Sealed<'a> = (&'a file::Service, &'a BTreeMap<String, [u8; 32]>);

/// How the sources changed, in words; and the names of those that are there and not as they were.
fn of_sources((old, old_seals): Sealed<'_>, (new, new_seals): Sealed<'_>) -> (Vec<String>, BTreeSet<String>) {
    let (mut said, mut names) = (Vec::new(), BTreeSet::new());
    for source in &old.sources {
        if new.sources.iter().all(|own| own.name != source.name) {
            said.push(format!("the source `{}` is gone", source.name));
        }
    }
    for source in &new.sources {
        let name = &source.name;
        let what = match old.sources.iter().find(|own| own.name == *name) {
            None => "is new",
            Some(own) if own != source => "has other settings",
            Some(_) if old_seals.get(name) != new_seals.get(name) => {
                "has other secrets, certificates or schemas"
            }
            Some(_) => continue,
        };
        said.push(format!("the source `{name}` {what}"));
        names.insert(name.clone());
    }
    (said, names)
}

/// What changed that is said here; what sinks and models do is said by the engine.
fn differences(old: &file::Service, new: &file::Service) -> Vec<String> {
    let mut said = Vec::new();
    if old.tokens != new.tokens {
        said.push(match new.tokens.len() {
            0 => "no tokens: whoever is on this machine is let in".to_owned(),
            _ => {
                let names: Vec<String> = new.tokens.iter().map(|token| format!("`{}`", token.name)).collect();
                format!("the tokens are {}", names.join(", "))
            }
        });
    }
    if old.retention != new.retention {
        said.push("a new `retention`".to_owned());
    }
    if old.commit_every != new.commit_every {
        said.push(format!("`commit_every` is {}", new.commit_every));
    }
    said
}
