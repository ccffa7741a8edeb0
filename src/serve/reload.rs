//! Settings that are read again while the service runs: all of the new ones are taken, or none.
//!
//! What a running service takes: what models may change (see the engine's part), sinks, API tokens, retention and
//! `commit_every`. Everything is read and built before anything is changed. Sources, the address, the store and which models
//! there are need a restart, which loses nothing.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use driftlead_connectors::store;

use super::board::Sheet;
use super::build;
use super::event::Event;
use super::model::Model;
use super::plan::{Plan, SinkPlan};
use super::{Commands, shown};
use crate::config::fleet::Fleet;
use crate::config::service as file;
use crate::exit::{Error, Result};
use crate::http::auth::Tokens;

/// The settings that are in force, and the tokens that the API holds.
#[derive(Debug)]
pub(super) struct InForce {
    service: file::Service,
    tokens: Tokens,
}

/// What a reload brings beside models.
pub(super) struct Settings {
    pub(super) sinks: Vec<SinkPlan>,
    /// The sinks that were there and have other settings now.
    pub(super) others: Vec<String>,
    pub(super) retention: store::Retention,
    pub(super) commit_every: Duration,
}

impl Commands {
    /// What is in force: without it a reload looks at the models alone. `tokens` are those that the API holds.
    pub fn hold(&self, service: file::Service, tokens: Tokens) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Some(InForce { service, tokens });
    }

    /// Reads the service file and its models again and takes what changed; answers what that was. Reading takes as long as a
    /// start; the service goes on meanwhile. Secrets and templates of sinks are read again too.
    ///
    /// # Errors
    ///
    /// What is wrong with them, or needs a restart; then nothing has changed.
    pub fn reload(&self) -> Result<String> {
        let Some(file) = &self.file else {
            return Err(Error::input(
                "the service was not started from a file: there is nothing to read again",
            ));
        };
        // Held until the end, so that of two reloads the later one's settings stay.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let fleet = Fleet::load(file)?;
        let mut said = Vec::new();
        let mut tokens = None;
        let settings = match held.as_ref() {
            None => None,
            Some(held) => {
                needs_no_restart(&held.service, &fleet.service)?;
                let environment = |name: &str| std::env::var(name).ok();
                tokens = Some(build::tokens(&fleet.service, &environment)?);
                said = differences(&held.service, &fleet.service);
                Some(settings(file, &fleet, &held.service, &environment)?)
            }
        };
        let mut models: Vec<Model> =
            fleet.models.iter().map(|own| Model::open(&own.file, &self.remotes)).collect::<Result<_>>()?;
        models.sort_by(|a, b| a.config.model.cmp(&b.config.model));
        let sinks = match &settings {
            Some(settings) => settings.sinks.iter().map(|sink| sink.name.clone()).collect(),
            None => self.board.sheet().sinks.clone(),
        };
        let sheet = Sheet { models: models.iter().map(shown).collect(), sinks };
        let mut changed = self.ask(|answer| Event::Reload { models, settings, answer })?;
        if let Some(held) = held.as_mut() {
            if let Some(tokens) = tokens {
                held.tokens.replace(tokens);
            }
            held.service = fleet.service;
        }
        self.board.put_up(sheet);
        changed.extend(said);
        if changed.is_empty() {
            changed.push("nothing changed".to_owned());
        }
        // They were read when the sources began, and whoever has renewed one may think that this was enough.
        changed.extend(held.as_ref().and_then(|held| not_read_again(&held.service)));
        Ok(changed.join("; "))
    }
}

/// What a sink, the retention and the commits are to be.
fn settings(
    file: &Path,
    fleet: &Fleet,
    old: &file::Service,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Settings> {
    let plan = Plan::of(file, fleet, environment)?;
    let others = fleet
        .service
        .sinks
        .iter()
        .filter(|sink| old.sinks.iter().any(|before| before.name == sink.name && before != *sink));
    Ok(Settings {
        others: others.map(|sink| sink.name.clone()).collect(),
        sinks: plan.sinks,
        retention: plan.retention,
        commit_every: plan.commit_every,
    })
}

/// # Errors
///
/// What changed that a running service cannot take.
fn needs_no_restart(old: &file::Service, new: &file::Service) -> Result<()> {
    let mut changed = Vec::new();
    for (key, is_other) in [("listen", old.listen != new.listen), ("store", old.store != new.store)] {
        if is_other {
            changed.push(format!("`{key}`"));
        }
    }
    let of = |service: &file::Service, name: &str| {
        service.sources.iter().find(|source| source.name == name).cloned()
    };
    let names = old.sources.iter().chain(&new.sources).map(|source| source.name.as_str());
    let names: BTreeSet<&str> = names.collect();
    let others = names.into_iter().filter(|name| of(old, name) != of(new, name));
    changed.extend(others.map(|name| format!("the source `{name}`")));
    if changed.is_empty() {
        return Ok(());
    }
    Err(needs_restart(&format!("{} changed", changed.join(" and "))))
}

/// Whose secrets and certificates a reload leaves as they are; `None` if no source has any that could be others now.
fn not_read_again(service: &file::Service) -> Option<String> {
    let sources = service.sources.iter().filter(|source| source.has_secret_files());
    let names: Vec<String> = sources.map(|source| format!("`{}`", source.name)).collect();
    let whose = match names.as_slice() {
        [] => return None,
        [one] => format!("the source {one}"),
        several => format!("the sources {}", several.join(", ")),
    };
    Some(format!(
        "secrets and certificates of {whose} are not read again: restart the service for new ones, which loses nothing"
    ))
}

/// Why a reload takes nothing.
pub(super) fn needs_restart(what: &str) -> Error {
    Error::input(format!("{what}: restart the service for that, which loses nothing; nothing has changed"))
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
