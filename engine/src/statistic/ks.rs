//! Two-sample Kolmogorov-Smirnov distance from counts.
//!
//! Let F and G be the empirical distribution functions of window and baseline. At every edge both are prefix sums of
//! the cells' counts, hence exact, whatever the rows between the edges are. If every baseline row lies in an atom's
//! cell, G is constant between edges and F monotone, so no difference between edges exceeds those at the edges: D is
//! exactly that of the two samples, ties included. Otherwise a cell's interior may hide a larger difference, and the
//! cell's own counts bound it: inside `(e[j-1], e[j]]`
//!
//! ```text
//! F(e[j-1]) - G(e[j])  <=  F - G  <=  F(e[j]) - G(e[j-1])
//! ```
//!
//! which gives `high`. Everything is compared as integers over `nN` and divided once.

use super::{Direction, Score};

/// The Kolmogorov-Smirnov distance of a window from its baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ks {
    /// The window's rows; at least 1.
    pub n: u64,
    /// The baseline's rows; at least 1.
    pub n_baseline: u64,
    /// `max |F - G|` over the edges, in `[0, 1]`; a lower bound of the two samples' D, and D itself where `high == d`.
    pub d: f64,
    /// A certified upper bound of the two samples' D, in `[d, 1]`.
    pub high: f64,
    /// `max(F - G)` over the edges, at least 0: the window's values are smaller.
    pub d_plus: f64,
    /// `max(G - F)` over the edges, at least 0: the window's values are larger.
    pub d_minus: f64,
    /// The index of the first edge at which `d` is attained; `None` if the two agree at every edge.
    pub edge: Option<usize>,
    /// Which way the window moved at that edge.
    pub direction: Option<Direction>,
    /// `d * n * N` as the integer that it is; the exact test needs it.
    pub numerator: u128,
}

impl Ks {
    /// The distance as a score, without p-values: `significance::test` adds them.
    #[must_use]
    pub fn score(&self) -> Score {
        Score {
            high: Some(self.high),
            n: self.n,
            n_baseline: self.n_baseline,
            direction: self.direction,
            ..Score::of(self.d)
        }
    }
}

/// The Kolmogorov-Smirnov distance between two sets of counts on all cells of one feature; `None` if a side is empty.
///
/// Cell `j` holds the rows in `(e[j-1], e[j]]`; the last one holds what is above every edge. `is_atom[j]` says that cell
/// `j` holds a single representable value, so that nothing hides inside it. NaN and null enter no cell; infinities are
/// ordinary values. Row counts must stay below 2^63.
///
/// # Panics
///
/// If the three slices differ in length.
#[must_use]
pub fn ks(baseline: &[u64], window: &[u64], is_atom: &[bool]) -> Option<Ks> {
    assert_eq!(baseline.len(), window.len(), "both sides are counted on the same cells");
    assert_eq!(baseline.len(), is_atom.len(), "every cell is an atom or is not");
    let n_baseline: u64 = baseline.iter().sum();
    let n: u64 = window.iter().sum();
    if n == 0 || n_baseline == 0 {
        return None;
    }

    // F and G so far, both as numerators over nN.
    let (mut f, mut g) = (0_u128, 0_u128);
    let (mut plus, mut minus, mut inside) = (0, 0, 0);
    let (mut largest, mut edge) = (0, None);
    for (cell, (&b, &w)) in baseline.iter().zip(window).enumerate() {
        let (f_left, g_left) = (f, g);
        f += u128::from(w) * u128::from(n_baseline);
        g += u128::from(b) * u128::from(n);
        plus = plus.max(f.saturating_sub(g));
        minus = minus.max(g.saturating_sub(f));
        if f.abs_diff(g) > largest {
            largest = f.abs_diff(g);
            edge = Some((cell, f > g));
        }
        if !is_atom[cell] {
            inside = inside.max(f.saturating_sub(g_left)).max(g.saturating_sub(f_left));
        }
    }

    let whole = (u128::from(n) * u128::from(n_baseline)) as f64;
    let share = |numerator: u128| numerator as f64 / whole;
    Some(Ks {
        n,
        n_baseline,
        d: share(largest),
        high: share(largest.max(inside)),
        d_plus: share(plus),
        d_minus: share(minus),
        edge: edge.map(|(edge, _)| edge),
        direction: edge.map(|(_, above)| if above { Direction::Down } else { Direction::Up }),
        numerator: largest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_proportions_have_no_distance() {
        let ks = ks(&[10, 20, 30], &[1, 2, 3], &[true; 3]).expect("both sides hold rows");
        assert_eq!((ks.d, ks.high, ks.edge, ks.direction), (0.0, 0.0, None, None));
    }

    #[test]
    fn disjoint_samples_are_at_distance_one() {
        let ks = ks(&[0, 7, 0], &[0, 0, 5], &[true, true, false]).expect("both sides hold rows");
        assert_eq!((ks.d, ks.high, ks.edge, ks.direction), (1.0, 1.0, Some(1), Some(Direction::Up)));
        assert_eq!((ks.d_plus, ks.d_minus, ks.numerator), (0.0, 1.0, 35));
    }

    #[test]
    fn a_gap_without_baseline_rows_hides_nothing() {
        // Window rows in gaps move F only; the difference is extreme at one of the gap's ends.
        let ks = ks(&[0, 4, 0, 4, 0], &[3, 1, 2, 1, 1], &[false, true, false, true, false]);
        let ks = ks.expect("both sides hold rows");
        assert_eq!(ks.high, ks.d);
    }

    #[test]
    fn an_open_cell_with_both_sides_hides_at_most_its_own_rows() {
        let ks = ks(&[8, 8], &[3, 3], &[false; 2]).expect("both sides hold rows");
        assert_eq!((ks.d, ks.high), (0.0, 0.5));
    }

    #[test]
    fn an_empty_side_has_no_distance() {
        assert_eq!(ks(&[0, 0], &[1, 2], &[true; 2]), None);
        assert_eq!(ks(&[1, 2], &[0, 0], &[true; 2]), None);
    }
}
