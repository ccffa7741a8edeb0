//! The rows of a soak, and what each window must hold of them by the rule of SEMANTICS S14.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use driftlead::time::Timestamp;
use driftlead_connectors::store::{Reader, Segments, WindowFilter};

use crate::topic::PARTITIONS;
use crate::{Failure, SEGMENTS};

pub(crate) const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;
/// As the model file has them.
const OUT_OF_ORDERNESS: i64 = 60 * SECOND;
const LATENESS: i64 = 600 * SECOND;
/// 2001-01-01T00:00:00Z.
const BEGIN: i64 = 978_307_200 * SECOND;
/// Between two rows: 40,000 an hour.
const SPACING: i64 = 90_000;

/// Makes rows, and keeps account of them.
pub(crate) struct Ledger {
    random: u64,
    newest: [i64; PARTITIONS as usize],
    /// Rows that must be counted, by the end of their hour.
    panes: BTreeMap<i64, u64>,
    /// Rows that come too late.
    pub(crate) late: u64,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { random: 9, newest: [i64::MIN / 2; PARTITIONS as usize], panes: BTreeMap::new(), late: 0 }
    }

    fn below(&mut self, end: u64) -> u64 {
        splitmix::next(&mut self.random) % end
    }

    /// The next row of a partition, as JSON.
    pub(crate) fn row(&mut self, out: &mut Vec<u8>, partition: usize, number: u64) -> Result<(), Failure> {
        let behind = match self.below(200) {
            // Late, and in time for its hour wherever that is.
            0 => OUT_OF_ORDERNESS + self.below(300) as i64 * SECOND,
            // Hours late: never in time.
            1 => 3 * HOUR + self.below(3_600) as i64 * SECOND,
            _ => self.below(60) as i64 * SECOND / 2,
        };
        let time = BEGIN + i64::try_from(number)? * SPACING - behind;
        let end = (time.div_euclid(HOUR) + 1) * HOUR;
        let newest = &mut self.newest[partition];
        if end + LATENESS <= *newest - OUT_OF_ORDERNESS {
            self.late += 1;
        } else {
            *self.panes.entry(end).or_default() += 1;
        }
        *newest = (*newest).max(time);
        let (a, b) = (self.below(1_000_000) + self.below(1_000_000), self.below(10_000));
        let (kind, shop) = (self.below(9), self.below(SEGMENTS));
        write!(
            out,
            "{{\"ts\":\"{}\",\"a\":{},\"b\":{b},\"kind\":\"k{kind}\",\"shop\":\"s{shop:02}\"}}",
            Timestamp::from_micros(time),
            a as f64 / 1e3
        )?;
        Ok(())
    }

    /// Holds the FINAL windows of a store to the account; how many there are.
    pub(crate) fn check(&self, store: &Path) -> Result<usize, Failure> {
        let reader = Reader::open(store)?;
        let filter = WindowFilter {
            model: "soak".to_owned(),
            segment: Segments::Whole,
            is_final: Some(true),
            ..WindowFilter::default()
        };
        let (mut windows, mut cursor) = (0, None);
        loop {
            let page = reader.windows(&filter, cursor.as_deref(), 1_000)?;
            for window in page.items {
                let end = window.end.ok_or("a window without an end")?;
                let wanted: u64 = self.panes.range(end - 23 * HOUR..=end).map(|(_, rows)| rows).sum();
                let document = window.document.ok_or("a window without its document")?;
                let rows = rows_of(&document).ok_or("a document without rows")?;
                if rows != wanted {
                    let id = window.id;
                    return Err(format!(
                        "window {id}, which ends at {end}, has {rows} rows: expected {wanted}"
                    )
                    .into());
                }
                windows += 1;
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        // Hours that are over, of which the first day's windows begin before the first row.
        let last = self.panes.last_key_value().map_or(BEGIN, |(end, _)| *end);
        let least = usize::try_from((last - BEGIN) / HOUR)?.saturating_sub(3);
        if windows < least {
            return Err(format!("{windows} windows are FINAL: expected at least {least}").into());
        }
        Ok(windows)
    }
}

/// The first `rows` of a window's document is the window's own.
fn rows_of(document: &str) -> Option<u64> {
    let (_, rest) = document.split_once("\"rows\":")?;
    rest.split([',', '}']).next()?.parse().ok()
}

#[path = "../../../tests/support/splitmix.rs"]
mod splitmix;
