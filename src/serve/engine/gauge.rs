//! What is shown of how far behind the service is: records that wait at their source, and event time against the clock.
//!
//! Both are shown only. No window, alert or commit looks at them, so that when and how often they are renewed changes
//! nothing that is told or stored.

use std::collections::BTreeMap;

use driftlead_connectors::stream::Partition;

use super::super::counters::{OfPartition, OfWindow};
use super::Engine;

impl Engine {
    /// How many records of each partition of a source wait to be read. Partitions that are not named stay as they are.
    pub(super) fn show_lag(&self, source: usize, lag: BTreeMap<Partition, u64>) {
        for (partition, records) in lag {
            let of = OfPartition {
                source: self.feeds[source].name.clone(),
                topic: partition.topic,
                partition: partition.number,
            };
            self.counters.lag.get_or_create(&of).set(i64::try_from(records).unwrap_or(i64::MAX));
        }
    }

    /// How far the windows of one source, or of all, are behind the clock. Without a watermark, and at the end of a
    /// source, there is nothing to be behind of.
    pub(super) fn show_delay(&self, source: Option<usize>, now: i64) {
        for working in self.models.iter().filter(|own| source.is_none_or(|source| own.source == source)) {
            for watch in &working.watches {
                let Some(watermark) = watch.flow.watermark().filter(|own| *own < i64::MAX) else {
                    continue;
                };
                let of = OfWindow {
                    model: working.model.config.model.clone(),
                    window: working.model.config.windows[watch.window].name.clone(),
                };
                let delay = now.saturating_sub(watermark) as f64 / 1e6;
                self.counters.watermark_delay.get_or_create(&of).set(delay);
            }
        }
    }
}
