//! Rows that were sent: counted once under their key, and answered after the commit that holds them (SEMANTICS S17).
//!
//! A key is looked up where it is counted, on this thread, so that no two requests can both find it new. One that is
//! counted and not yet committed waits for the same commit as the first.

use std::collections::BTreeMap;

use driftlead_connectors::store::Idempotency;
use serde::Serialize;
use tokio::sync::oneshot;

use super::super::chunk::Chunk;
use super::super::intake::{Answer, Key, Pass, Request};
use super::Engine;
use super::count::Counted;
use crate::exit::{Error, Result};

/// How long a key is remembered, in microseconds.
const REMEMBERED: i64 = 24 * 3_600_000_000;

/// Somebody who is answered after the next commit.
#[derive(Debug)]
pub(in crate::serve) struct Waiting {
    answer: oneshot::Sender<Answer>,
    receipt: String,
    is_replay: bool,
    /// The place that is free once the answer is given.
    _pass: Pass,
}

impl Waiting {
    /// Answers; a client that has hung up needs no answer.
    pub(super) fn tell(self) {
        let Self { answer, receipt, is_replay, .. } = self;
        drop(answer.send(Answer::Committed { receipt, is_replay }));
    }
}

/// What a request is told.
#[derive(Debug, Serialize)]
struct Receipt<'a> {
    model: &'a str,
    records: u64,
    taken: u64,
    set_aside: BTreeMap<&'static str, u64>,
    excluded: u64,
    late: BTreeMap<String, u64>,
}

/// An earlier request under the same key.
struct Earlier {
    sha256: String,
    receipt: String,
    is_committed: bool,
}

impl Engine {
    /// Counts a chunk; one that somebody waits for only if its key is new.
    ///
    /// # Errors
    ///
    /// The rows cannot be counted, or the store cannot be asked.
    pub(super) fn take_in(&mut self, mut chunk: Chunk) -> Result<()> {
        let Some(request) = chunk.request.take() else { return self.count(&chunk).map(drop) };
        let Request { model, key, answer, pass } = *request;
        let now = self.clock.now();
        let earlier = match &key {
            Some(key) => self.earlier(&model, &key.text, now)?,
            None => None,
        };
        if let (Some(key), Some(earlier)) = (&key, earlier) {
            let Earlier { sha256, receipt, is_committed } = earlier;
            if sha256 != key.sha256 {
                drop(answer.send(Answer::OtherBody));
                return Ok(());
            }
            let waiting = Waiting { answer, receipt, is_replay: true, _pass: pass };
            if is_committed {
                waiting.tell();
            } else {
                self.progress.pending.waiting.push(waiting);
            }
            return Ok(());
        }
        let counted = self.count(&chunk)?;
        let receipt = receipt(&model, &chunk, counted)?;
        if let Some(Key { text, sha256 }) = key {
            let answer = format!("{sha256} {receipt}");
            let row = Idempotency { scope: model, key: text, created: now, answer };
            self.progress.pending.commit.idempotency.push(row);
        }
        self.progress.pending.is_dirty = true;
        self.progress.pending.waiting.push(Waiting { answer, receipt, is_replay: false, _pass: pass });
        Ok(())
    }

    /// What was sent to a model under this key within a day.
    fn earlier(&self, model: &str, key: &str, now: i64) -> Result<Option<Earlier>> {
        let pending = &self.progress.pending.commit.idempotency;
        let of = |row: &Idempotency, is_committed| {
            let (sha256, receipt) = row.answer.split_once(' ')?;
            Some(Earlier { sha256: sha256.to_owned(), receipt: receipt.to_owned(), is_committed })
        };
        if let Some(row) = pending.iter().find(|row| row.scope == model && row.key == key) {
            return Ok(of(row, false));
        }
        let since = now.saturating_sub(REMEMBERED);
        let row = self
            .reader
            .idempotency(model, key, since)
            .map_err(|error| Error::run(error.to_string()).because(error))?;
        Ok(row.and_then(|row| of(&row, true)))
    }
}

/// A record is one that was set aside or one that was taken; of what was taken, some may be left out by the model's
/// condition, and some may be late for one window name and not for another.
fn receipt(model: &str, chunk: &Chunk, counted: Counted) -> Result<String> {
    let set_aside = chunk.dead_by_reason();
    let receipt = Receipt {
        model,
        records: chunk.records,
        taken: chunk.records.saturating_sub(set_aside.values().sum()),
        set_aside,
        excluded: counted.excluded,
        late: counted.late,
    };
    serde_json::to_string(&receipt)
        .map_err(|error| Error::run("a receipt cannot be written as JSON").because(error))
}
