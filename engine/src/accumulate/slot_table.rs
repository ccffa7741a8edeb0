//! The slots of an accumulator: which key stands at which place, and how many rows it has.
//!
//! Places are numbers, so that a row finds its state without a look-up. The place of a slot that was removed is given
//! to the next new one: a service makes and drops panes for months, and holds no more than it needs at once.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::accumulate::NO_SLOT;

/// Which rows a state speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotKey {
    /// The number of the pane on its grid; `None` without windows.
    pub pane: Option<i64>,
    /// The segment as a JSON object (SEMANTICS S18); `None` for the whole.
    pub segment: Option<Arc<str>>,
}

/// Slots by key, with their rows.
#[derive(Debug, Default)]
pub(super) struct SlotTable {
    places: BTreeMap<SlotKey, u32>,
    /// By place: all rows, and those that had come when the slot was last marked clean.
    rows: Vec<u64>,
    clean_rows: Vec<u64>,
    free: Vec<u32>,
}

impl SlotTable {
    pub(super) fn find(&self, key: &SlotKey) -> Option<u32> {
        self.places.get(key).copied()
    }

    /// Gives `key`, which is new, a place without rows: a free one, or the next, which is how many there were.
    ///
    /// # Panics
    ///
    /// If there are 2^32 - 1 slots already.
    pub(super) fn insert(&mut self, key: SlotKey) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            let place = u32::try_from(self.rows.len()).unwrap_or(NO_SLOT);
            assert!(place < NO_SLOT, "too many panes and segments");
            self.rows.push(0);
            self.clean_rows.push(0);
            place
        });
        self.places.insert(key, place);
        place
    }

    /// Takes every slot of a pane out, and says which they were and where they stood.
    pub(super) fn remove_pane(&mut self, pane: i64) -> Vec<(SlotKey, u32)> {
        let removed: Vec<(SlotKey, u32)> =
            self.of_pane(Some(pane)).map(|key| (key.clone(), self.places[key])).collect();
        for (key, place) in &removed {
            self.places.remove(key);
            self.rows[*place as usize] = 0;
            self.clean_rows[*place as usize] = 0;
            self.free.push(*place);
        }
        removed
    }

    /// The slots of a pane in the order of their keys.
    pub(super) fn of_pane(&self, pane: Option<i64>) -> impl Iterator<Item = &SlotKey> {
        let first = SlotKey { pane, segment: None };
        self.places.range(first..).map(|(key, _)| key).take_while(move |key| key.pane == pane)
    }

    /// The panes within these that have slots, in order. The whole, which every pane has, comes first among its slots.
    pub(super) fn panes_within(&self, panes: RangeInclusive<i64>) -> impl Iterator<Item = i64> {
        let first = SlotKey { pane: Some(*panes.start()), segment: None };
        let keys = self.places.range(first..).map(|(key, _)| key);
        let whole = keys.take_while(move |key| key.pane.is_some_and(|pane| pane <= *panes.end()));
        whole.filter(|key| key.segment.is_none()).filter_map(|key| key.pane)
    }

    pub(super) fn rows(&self, place: u32) -> u64 {
        self.rows[place as usize]
    }

    pub(super) fn add_rows(&mut self, place: u32, n_rows: u64) {
        self.rows[place as usize] += n_rows;
    }

    /// The slots in the order of their keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&SlotKey, u32)> {
        self.places.iter().map(|(key, place)| (key, *place))
    }

    /// The slots that took rows since they were last marked clean. Rows only come, so their number tells.
    pub(super) fn dirty(&self) -> impl Iterator<Item = (&SlotKey, u32)> {
        self.iter().filter(|(_, place)| self.rows[*place as usize] != self.clean_rows[*place as usize])
    }

    /// Marks every slot clean.
    pub(super) fn mark_clean(&mut self) {
        self.clean_rows.clone_from(&self.rows);
    }

    /// Gives a slot its rows as ones that were there already.
    pub(super) fn set_clean_rows(&mut self, place: u32, n_rows: u64) {
        self.rows[place as usize] = n_rows;
        self.clean_rows[place as usize] = n_rows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pane: i64, segment: Option<&str>) -> SlotKey {
        SlotKey { pane: Some(pane), segment: segment.map(Arc::from) }
    }

    #[test]
    fn places_are_used_again_and_forget_who_had_them() {
        let mut table = SlotTable::default();
        let keys = [key(1, None), key(1, Some("a")), key(1, Some("b")), key(2, None), SlotKey::default()];
        for (place, key) in (0..).zip(&keys) {
            assert_eq!(table.insert(key.clone()), place);
            table.add_rows(place, 10);
        }
        let removed: Vec<SlotKey> = table.remove_pane(1).into_iter().map(|(key, _)| key).collect();
        assert_eq!(removed, keys[..3]);
        assert!(table.remove_pane(1).is_empty() && table.remove_pane(i64::MAX).is_empty());
        assert_eq!(table.iter().map(|(key, _)| key).collect::<Vec<_>>(), [&keys[4], &keys[3]]);
        for pane in 3..6 {
            let place = table.insert(key(pane, None));
            assert!(place < 3 && table.rows(place) == 0, "place {place}");
        }
        assert_eq!(table.insert(key(6, None)), 5);
    }

    #[test]
    fn what_took_rows_is_dirty_until_it_is_marked_clean() {
        let dirty = |table: &SlotTable| table.dirty().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let mut table = SlotTable::default();
        let (a, b) = (table.insert(key(1, None)), table.insert(key(2, None)));
        assert_eq!(dirty(&table), []);
        table.add_rows(b, 1);
        assert_eq!(dirty(&table), [key(2, None)]);
        table.mark_clean();
        assert_eq!(dirty(&table), []);
        table.add_rows(a, 1);
        assert_eq!(dirty(&table), [key(1, None)]);
        table.set_clean_rows(a, 7);
        assert_eq!((dirty(&table), table.rows(a)), (Vec::new(), 7));
        // A place that is used again is as clean as a new one.
        table.add_rows(b, 1);
        table.remove_pane(2);
        table.insert(key(3, None));
        assert_eq!(dirty(&table), []);
    }
}
