//! One run after the other: how a service takes settings that no running engine can take (decision 0042).
//!
//! The engine has committed all that was read and its sources are closed when this is asked. What follows is a start: series
//! and positions from the store, models and sources from the new settings, which were read and checked before. Should it
//! fail all the same, the settings of before start again. The process, its API, the sinks' workers and the store go on; what
//! people ask the engine for meanwhile waits.

use tracing::{error, warn};

use super::engine::{Anew, End, Engine, Outcome};
use super::fault;
use super::from_store;
use super::layout::{Drawn, Layout};
use super::reload::{Draft, Settings};
use super::run::{Frame, Hands, Opened, Remains};
use crate::exit::{Error, Kind, Result};

/// The threads of the sources, and the sources to be opened once more.
type Run = (Hands, Vec<Drawn>);

/// The engine thread's whole life.
///
/// # Errors
///
/// Why the service could not go on. What was committed stays.
pub(super) fn supervise(frame: &Frame, mut engine: Engine, hands: Hands, sources: Vec<Drawn>) -> Result<End> {
    let mut run: Run = (hands, sources);
    let end = engine.begin().and_then(|()| {
        loop {
            match engine.run()? {
                Outcome::Ended(end) => return Ok(end),
                Outcome::Anew(anew) => run = begin_anew(frame, &mut engine, std::mem::take(&mut run), *anew)?,
            }
        }
    });
    // The sources' threads find that nobody listens any more.
    drop(engine);
    drop(Remains::of(run.0));
    end
}

/// Goes on with other settings, or with those of before, and answers who asked.
fn begin_anew(frame: &Frame, engine: &mut Engine, (hands, sources): Run, anew: Anew) -> Result<Run> {
    let Anew { draft: Draft { layout, settings, .. }, why, by, answer } = anew;
    let new_settings = engine.new_settings(&layout, &why);
    let before = engine.shown();
    let old = engine.leave(sources);
    let mut remains = Remains::of(hands);
    fault::point("between_runs");
    let failed = match enter(frame, engine, layout, settings, &mut remains) {
        Ok((run, of_sinks)) => {
            let said: Vec<String> = why.into_iter().chain(new_settings).chain(of_sinks).collect();
            engine.forget(&before);
            engine.has_reloaded(&by, &said)?;
            drop(answer.send(Ok(said)));
            return Ok(run);
        }
        Err(failed) => failed,
    };
    error!(error = failed.chain(), "the new settings cannot be started: those of before are started again");
    engine.leave(Vec::new());
    let (run, _) = enter(frame, engine, old, None, &mut remains)?;
    engine.commit_if(true)?;
    warn!("the settings of before are at work again");
    let message = format!(
        "the new settings cannot be started, and those of before are at work again: {}",
        failed.chain()
    );
    let refusal = match failed.kind() {
        Kind::Input => Error::input(message),
        _ => Error::run(message),
    };
    drop(answer.send(Err(refusal)));
    Ok(run)
}

/// Opens a layout and goes on with it; answers the run, and what changed of the sinks. Whatever fails here fails before a
/// thread has begun or anything was changed, but for the system giving no threads.
fn enter(
    frame: &Frame,
    engine: &mut Engine,
    layout: Layout,
    settings: Option<Settings>,
    remains: &mut Remains,
) -> Result<(Run, Vec<String>)> {
    let store = engine.committer.store();
    let loaded = store.load().map_err(|error| from_store(&error))?;
    let opened = Opened::open(frame, layout, store, &loaded)?;
    let said = settings.map(|settings| engine.take_settings(settings)).transpose()?.unwrap_or_default();
    let begun = opened.begin(frame, std::mem::take(remains))?;
    Ok((engine.enter(begun)?, said))
}
