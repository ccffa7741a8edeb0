//! Rows into series, and series into windows that close.

use std::collections::BTreeMap;

use driftlead_connectors::store;
use driftlead_engine::accumulate::Split;
use driftlead_engine::stream::Rows as SeriesRows;

use super::super::chunk::Chunk;
use super::super::counters::{OfModel, OfReason, OfSource, OfWindow};
use super::super::fault;
use super::super::watch::Bench;
use super::Engine;
use super::feed::series_id;
use crate::exit::Result;

/// What became of rows beside those that were counted.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Rows that `where` left out.
    pub(super) excluded: u64,
    /// Rows that came too late, by window name; only those that have some.
    pub(super) late: BTreeMap<String, u64>,
}

impl Engine {
    /// Counts a chunk's rows in every model that reads its partition.
    pub(super) fn count(&mut self, chunk: &Chunk) -> Result<Counted> {
        let source = chunk.source;
        self.reading(source);
        let of = OfSource { source: self.feeds[source].name.clone() };
        self.counters.records.get_or_create(&of).inc_by(chunk.records);
        for (reason, count) in chunk.dead_by_reason() {
            let of = OfReason { source: of.source.clone(), reason: reason.to_owned() };
            self.counters.bad_records.get_or_create(&of).inc_by(count);
        }
        let now = self.clock.now();
        self.dead[source].add(&chunk.partition, &chunk.dead, now);
        let partition = self.partition(source, &chunk.partition);
        partition.position = Some(chunk.position);
        partition.quiet_since = None;
        let id = partition.id;
        if self.feeds[source].is_sent() {
            // What is sent is read to its end with each request.
            self.partition(source, &chunk.partition).quiet_since = Some(now);
        }
        self.remember(source, &chunk.partition, id, chunk.position);
        if let Some(file) = &chunk.file {
            self.progress
                .pending
                .commit
                .files
                .retain(|own| (&own.source, &own.path) != (&file.source, &file.path));
            self.progress.pending.commit.files.push(file.clone());
        }
        let mut counted = Counted::default();
        for at in 0..self.models.len() {
            if !self.reads(at, source, &chunk.partition) {
                continue;
            }
            self.admit(at, source, &chunk.partition, id)?;
            self.count_model(at, chunk, id, &mut counted)?;
            fault::point("chunk_counted");
            self.close(at, chunk.received)?;
        }
        Ok(counted)
    }

    pub(super) fn count_model(
        &mut self,
        at: usize,
        chunk: &Chunk,
        partition: store::PartitionId,
        counted: &mut Counted,
    ) -> Result<()> {
        let working = &mut self.models[at];
        let rows = working.model.rows(chunk, &working.places, working.time)?;
        counted.excluded += rows.excluded;
        if rows.excluded > 0 {
            let of = OfModel { model: working.model.config.model.clone() };
            self.counters.excluded.get_or_create(&of).inc_by(rows.excluded);
        }
        let features = working.model.features(&rows);
        let splits: Vec<Split<'_>> =
            rows.segments.iter().map(|own| Split { segments: &own.segments, rows: &own.rows }).collect();
        let failed = working.model.failed(&rows);
        let batch = SeriesRows {
            times: &rows.times,
            features: &features,
            failed: &failed,
            splits: &splits,
            ids: rows.ids.as_ref(),
        };
        for watch in &mut working.watches {
            let added = watch.add(series_id(partition), &batch)?;
            let of = OfWindow {
                model: working.model.config.model.clone(),
                window: working.model.config.windows[watch.window].name.clone(),
            };
            self.counters.rows.get_or_create(&of).inc_by(added.counted);
            if added.late + added.late_after_final > 0 {
                *counted.late.entry(of.window.clone()).or_default() += added.late + added.late_after_final;
            }
            if added.late > 0 {
                self.counters.late_rows.get_or_create(&of).inc_by(added.late);
            }
            if added.late_after_final > 0 {
                self.counters.late_after_final.get_or_create(&of).inc_by(added.late_after_final);
            }
        }
        self.progress.pending.is_dirty = true;
        Ok(())
    }

    /// Judges what closed in a model's windows, and notes it for the next commit.
    pub(super) fn close(&mut self, at: usize, since: i64) -> Result<()> {
        let now = self.clock.now();
        let working = &mut self.models[at];
        let bench = Bench::of(&working.model);
        let mut all = Vec::new();
        for watch in &mut working.watches {
            let closed = watch.close(&bench, now);
            if !closed.windows.is_empty() || !closed.gaps.is_empty() {
                all.push((working.model.config.windows[watch.window].name.clone(), closed));
            }
        }
        for (name, closed) in all {
            self.progress.pending.closing_since.get_or_insert(since);
            self.note(at, &name, closed, now)?;
        }
        fault::point("windows_judged");
        Ok(())
    }
}
