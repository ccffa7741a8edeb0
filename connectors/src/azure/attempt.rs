//! The book of one attempt: what becomes of each record, how many requests it takes, and when the rest is left for later.

use crate::sink::Delivery;

/// An attempt that is under way.
pub(super) struct Attempt {
    deliveries: Vec<Option<Delivery>>,
    /// Requests that may still be made, of so many.
    left: usize,
    most: usize,
    /// What all that follow would meet.
    wall: Option<Delivery>,
}

impl Attempt {
    /// Nothing is known of `records` records yet, and `most` requests may be made.
    pub(super) fn new(records: usize, most: usize) -> Self {
        Self { deliveries: vec![None; records], left: most, most, wall: None }
    }

    /// Whether a request may be made for these records, which counts as one then. If not, they are told why.
    pub(super) fn admits<'a>(&mut self, records: impl IntoIterator<Item = &'a usize>) -> bool {
        if self.left == 0 {
            let reason = format!("after {} requests the rest waits for the next attempt", self.most);
            self.wall.get_or_insert(Delivery::Retry { after: None, reason });
        }
        match self.wall.clone() {
            Some(wall) => {
                self.settle(records, &wall);
                false
            }
            None => {
                self.left -= 1;
                true
            }
        }
    }

    /// What became of these records.
    pub(super) fn settle<'a>(&mut self, records: impl IntoIterator<Item = &'a usize>, delivery: &Delivery) {
        records.into_iter().for_each(|at| self.deliveries[*at] = Some(delivery.clone()));
    }

    /// What became of these records, and would of all that follow.
    pub(super) fn stop<'a>(&mut self, records: impl IntoIterator<Item = &'a usize>, delivery: Delivery) {
        self.settle(records, &delivery);
        self.wall = Some(delivery);
    }

    /// What follows goes elsewhere, and may fare better.
    pub(super) fn go_on(&mut self) {
        self.wall = None;
    }

    /// For each record, in their order.
    pub(super) fn deliveries(self) -> Vec<Delivery> {
        let lost = || Delivery::Retry { after: None, reason: "not tried".to_owned() };
        self.deliveries.into_iter().map(|delivery| delivery.unwrap_or_else(lost)).collect()
    }
}

/// The halves of a chunk that was refused as a whole, as a stack of what waits takes them: the first half on top.
pub(super) fn halves<T>(chunk: &[T]) -> [&[T]; 2] {
    let (left, right) = chunk.split_at(chunk.len() / 2);
    [right, left]
}
