//! Counting a baseline's rows of one numeric feature on the cuts drawn from the sample.
//!
//! A feature whose sample has few distinct values is counted by value; a value that the sample did not hold is put
//! aside and counted too. If there turn out to be more than [`MAX_ATOMS`], the values so far move to the cuts, which
//! changes nothing about the counts, and counting goes on there (SEMANTICS S5).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::Array;
use arrow_buffer::BooleanBuffer;

use crate::accumulate::{Values, numeric_values, validity};
use crate::baseline::cuts::{MAX_ATOMS, cuts, runs};
use crate::feature::{Scale, Unit, Value, ValueType};
use crate::kernel::{self, Locator, NAN_CELL, NULL_CELL, Native, Validity};
use crate::{Error, ErrorKind, Result};

/// Where one feature's rows are counted; shared by all counters of it.
#[derive(Debug)]
pub(crate) struct Draft<T> {
    pub(crate) value_type: ValueType,
    /// The cuts, structural edges included.
    pub(crate) cuts: Vec<T>,
    /// The sample's distinct values, if they are few.
    atoms: Option<Vec<T>>,
    pub(crate) scale: Scale,
    /// Whether the sample was all rows.
    pub(crate) complete: bool,
}

/// A type in which a baseline can be held.
pub(crate) trait BaselineValue: Value + Native {
    /// Edges that floats always have: -inf and the largest finite value, so that infinities have cells.
    const STRUCTURAL: &'static [Self];
    fn nan(self) -> bool;
    /// The column's values in this type, in steps of `own`.
    fn of_column(array: &dyn Array, own: ValueType) -> Result<Cow<'_, [Self]>>;
}

macro_rules! float_baseline {
    ($t:ident, $same:ident) => {
        impl BaselineValue for $t {
            const STRUCTURAL: &'static [Self] = &[Self::NEG_INFINITY, Self::MAX];
            fn nan(self) -> bool {
                self.is_nan()
            }
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::unnecessary_cast,
                unreachable_patterns,
                reason = "the baseline's type decides (S4); its own columns pass as they are"
            )]
            fn of_column(array: &dyn Array, own: ValueType) -> Result<Cow<'_, [Self]>> {
                let found = ValueType::of(array.data_type())?;
                debug_assert_eq!(own.unit, Unit::ONE);
                // One division, so that a decimal becomes its nearest double.
                let (up, down) = found.unit.steps_of(own.unit);
                Ok(match numeric_values(array)? {
                    Values::$same(x) => x,
                    Values::F32(x) => x.iter().map(|x| *x as Self).collect(),
                    Values::F64(x) => x.iter().map(|x| *x as Self).collect(),
                    Values::I32(x) => x.iter().map(|x| (f64::from(*x) * up / down) as Self).collect(),
                    Values::I64(x) => x.iter().map(|x| (*x as f64 * up / down) as Self).collect(),
                    Values::I128(x) => x.iter().map(|x| (*x as f64 * up / down) as Self).collect(),
                })
            }
        }
    };
}

macro_rules! integer_baseline {
    ($t:ident, $same:ident) => {
        impl BaselineValue for $t {
            const STRUCTURAL: &'static [Self] = &[];
            fn nan(self) -> bool {
                false
            }
            #[allow(unreachable_patterns, reason = "columns of the same type pass as they are")]
            fn of_column(array: &dyn Array, own: ValueType) -> Result<Cow<'_, [Self]>> {
                let found = ValueType::of(array.data_type())?;
                let steps = found.unit.whole_steps_of(own.unit).ok_or_else(|| mixed_units(array, own))?;
                // What lies behind a null is no value, and need not fit.
                let fit =
                    |row: usize, x: i128| match x.checked_mul(steps).and_then(|x| Self::try_from(x).ok()) {
                        Some(x) => Ok(x),
                        None if array.is_null(row) => Ok(0),
                        None => Err(too_large(array, own, x)),
                    };
                match numeric_values(array)? {
                    Values::$same(x) if steps == 1 => Ok(x),
                    Values::I32(x) if steps == 1 => Ok(x.iter().map(|x| Self::from(*x)).collect()),
                    Values::I64(x) if steps == 1 => Ok(x.iter().map(|x| Self::from(*x)).collect()),
                    Values::I32(x) => x.iter().enumerate().map(|(row, x)| fit(row, (*x).into())).collect(),
                    Values::I64(x) => x.iter().enumerate().map(|(row, x)| fit(row, (*x).into())).collect(),
                    Values::I128(x) => x.iter().enumerate().map(|(row, x)| fit(row, *x)).collect(),
                    Values::F32(_) | Values::F64(_) => Err(mixed_units(array, own)),
                }
            }
        }
    };
}

fn mixed_units(array: &dyn Array, own: ValueType) -> Error {
    Error::new(
        ErrorKind::Schema,
        format!(
            "the baseline's files disagree: expected `{own}` in the unit of the first, found `{}`",
            array.data_type()
        ),
    )
}

fn too_large(array: &dyn Array, own: ValueType, x: i128) -> Error {
    Error::new(
        ErrorKind::Schema,
        format!("the value `{x}` of type `{}` is too large for a baseline of `{own}`", array.data_type()),
    )
}

float_baseline!(f32, F32);
float_baseline!(f64, F64);
integer_baseline!(i64, I64);
integer_baseline!(i128, I128);

impl<T: BaselineValue> Draft<T> {
    /// A draft from the sampled rows, in any order; NaN is passed over. `complete` says that these are all rows, and
    /// `extra` are edges somebody asked for.
    pub(crate) fn new(value_type: ValueType, mut sample: Vec<T>, complete: bool, extra: &[f64]) -> Self {
        sample.retain(|x| !x.nan());
        // -0.0 becomes 0.0, so that the order of rows cannot show.
        sample.iter_mut().for_each(|x| *x = x.unsigned_zero());
        // Equal keys are equal bits by now.
        sample.sort_unstable_by_key(|x| x.order_key());
        let few = runs(&sample).nth(MAX_ATOMS).is_none();
        let atoms = few.then(|| runs(&sample).map(|(value, _)| value).collect());
        let mut edges: Vec<T> = T::STRUCTURAL.to_vec();
        // PSI's deciles count infinities; those of the finite values, which are cuts anyway, may be others.
        let n = sample.len();
        edges.extend((1..10).filter_map(|decile| {
            sample.get((decile * n).div_ceil(10).max(1) - 1).filter(|edge| edge.is_finite())
        }));
        sample.retain(|x| x.is_finite());
        // What is no finite number of this type would be taken for the border of the infinities' cells.
        edges.extend(
            extra
                .iter()
                .map(|edge| T::from_f64(edge / value_type.unit.ratio()))
                .filter(|edge| !edge.nan() && edge.is_finite())
                .map(T::unsigned_zero),
        );
        if let (Some(first), Some(last)) = (sample.first(), sample.last())
            && *first < T::ZERO
            && *last > T::ZERO
        {
            edges.push(T::ZERO);
        }
        let center = sample.get(sample.len() / 2).map_or(0.0, |x| x.to_f64());
        let reach = [sample.first(), sample.last()]
            .into_iter()
            .flatten()
            .map(|x| (x.to_f64() - center).abs())
            .fold(0.0, f64::max);
        let cuts = cuts(&sample, &edges);
        Self { value_type, cuts, atoms, scale: Scale::new(center, reach), complete }
    }
}

/// What the counting pass knows of one numeric feature.
#[derive(Debug)]
pub(crate) struct DraftCounter<T> {
    draft: Arc<Draft<T>>,
    pub(crate) rows: u64,
    pub(crate) nulls: u64,
    pub(crate) nans: u64,
    pub(crate) type_errors: u64,
    pub(crate) counted: Counted<T>,
    locator: Locator<T>,
    /// For each cell of the atoms' edges, the atom in it.
    atom_of: Vec<Option<u32>>,
    scratch: Scratch,
}

#[derive(Debug, Default)]
struct Scratch {
    counts: Vec<u64>,
    located: Vec<u16>,
    near: Vec<(u64, i64)>,
}

/// Counts by value, or by cell.
#[derive(Debug)]
pub(crate) enum Counted<T> {
    /// Every distinct value so far with its rows.
    Atoms(Box<Atoms<T>>),
    /// Rows and scaled sums per cell of the cuts.
    Cuts(Cells<T>),
}

#[derive(Debug)]
pub(crate) struct Atoms<T> {
    known: Vec<u64>,
    unforeseen: BTreeMap<i128, (T, u64)>,
}

/// Rows per cell of the cuts, and what the statistics need beside.
#[derive(Debug)]
pub(crate) struct Cells<T> {
    pub(crate) counts: Vec<u64>,
    /// The sum of each cell's rows, [`COARSE_BITS`] coarser than SEMANTICS S1 asks of sums over all rows: it serves for
    /// the cells' means only.
    pub(crate) sums: Vec<i128>,
    pub(crate) sum: i128,
    pub(crate) squares: i128,
    pub(crate) overflow: (u64, u64),
    pub(crate) extent: Option<(T, T)>,
    pub(crate) finite_extent: Option<(T, T)>,
}

impl<T: BaselineValue> Cells<T> {
    fn zero(n_cells: usize) -> Self {
        Self {
            counts: vec![0; n_cells],
            sums: vec![0; n_cells],
            sum: 0,
            squares: 0,
            overflow: (0, 0),
            extent: None,
            finite_extent: None,
        }
    }

    /// Adds `count` rows of `x` to `cell`.
    fn add(&mut self, cell: usize, x: T, count: u64, scale: &Scale) {
        self.counts[cell] += count;
        stretch(&mut self.extent, x);
        if !x.is_finite() {
            return;
        }
        stretch(&mut self.finite_extent, x);
        let x = x.to_f64();
        match scale.summand(x) {
            Some(summand) => {
                self.sum += summand * i128::from(count);
                self.sums[cell] += coarse(scaled_coarsely(x, scale)) * i128::from(count);
            }
            None => self.overflow.0 += count,
        }
        match scale.square(x) {
            Some(square) => self.squares += square * i128::from(count),
            None => self.overflow.1 += count,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, other)| *own += other);
        self.sums.iter_mut().zip(&other.sums).for_each(|(own, other)| *own += other);
        self.sum += other.sum;
        self.squares += other.squares;
        self.overflow.0 += other.overflow.0;
        self.overflow.1 += other.overflow.1;
        if let Some((low, high)) = other.extent {
            stretch(&mut self.extent, low);
            stretch(&mut self.extent, high);
        }
        if let Some((low, high)) = other.finite_extent {
            stretch(&mut self.finite_extent, low);
            stretch(&mut self.finite_extent, high);
        }
    }
}

fn stretch<T: Value>(extent: &mut Option<(T, T)>, x: T) {
    *extent = Some(match *extent {
        Some((low, high)) => (if x < low { x } else { low }, if x > high { x } else { high }),
        None => (x, x),
    });
}

impl<T: BaselineValue> DraftCounter<T> {
    pub(crate) fn new(draft: Arc<Draft<T>>) -> Self {
        let (locator, atom_of, counted) = match &draft.atoms {
            Some(atoms) => {
                let (edges, atom_of) = atom_edges(atoms);
                let counted = Atoms { known: vec![0; atoms.len()], unforeseen: BTreeMap::new() };
                (Locator::new(edges), atom_of, Counted::Atoms(Box::new(counted)))
            }
            None => {
                let counted = Cells::zero(draft.cuts.len() + 1);
                (Locator::new(draft.cuts.clone()), Vec::new(), Counted::Cuts(counted))
            }
        };
        Self {
            draft,
            rows: 0,
            nulls: 0,
            nans: 0,
            type_errors: 0,
            counted,
            locator,
            atom_of,
            scratch: Scratch::default(),
        }
    }

    /// Adds a column.
    ///
    /// # Errors
    ///
    /// `Schema` if it is not of the feature's type.
    pub(crate) fn update(&mut self, array: &dyn Array, errors: Option<&BooleanBuffer>) -> Result<()> {
        let values = T::of_column(array, self.draft.value_type)?;
        let mask = validity(array);
        let n_errors = errors.map_or(0, |errors| errors.count_set_bits() as u64);
        self.rows += values.len() as u64;
        let tally = match &mut self.counted {
            Counted::Atoms(atoms) => {
                let counts = &mut self.scratch.counts;
                counts.clear();
                counts.resize(self.locator.n_cells(), 0);
                let tally = self.locator.count(&values, mask, counts);
                let mut unforeseen = false;
                for (count, atom) in counts.iter().zip(&self.atom_of) {
                    match atom {
                        Some(atom) => atoms.known[*atom as usize] += count,
                        None => unforeseen |= *count > 0,
                    }
                }
                if unforeseen {
                    let located = &mut self.scratch.located;
                    located.clear();
                    located.resize(values.len(), NULL_CELL);
                    self.locator.locate(&values, mask, located);
                    put_aside(&values, located, &self.atom_of, &mut atoms.unforeseen);
                }
                tally
            }
            Counted::Cuts(cells) => {
                let Scratch { located, near, .. } = &mut self.scratch;
                located.clear();
                located.resize(values.len(), NULL_CELL);
                let tally = self.locator.locate(&values, mask, located);
                count_cells(&values, mask, located, &self.draft.scale, cells, near);
                tally
            }
        };
        self.nulls += tally.nulls - n_errors;
        self.type_errors += n_errors;
        self.nans += tally.nans;
        if let Counted::Atoms(atoms) = &self.counted
            && atoms.known.len() + atoms.unforeseen.len() > MAX_ATOMS
        {
            self.move_to_cuts();
        }
        Ok(())
    }

    /// Adds another counter of the same draft.
    pub(crate) fn merge(&mut self, mut other: Self) {
        self.rows += other.rows;
        self.nulls += other.nulls;
        self.nans += other.nans;
        self.type_errors += other.type_errors;
        if let (Counted::Atoms(own), Counted::Atoms(other)) = (&mut self.counted, &other.counted) {
            own.known.iter_mut().zip(&other.known).for_each(|(own, other)| *own += other);
            for (key, (value, count)) in &other.unforeseen {
                own.unforeseen.entry(*key).or_insert((*value, 0)).1 += count;
            }
            if own.known.len() + own.unforeseen.len() > MAX_ATOMS {
                self.move_to_cuts();
            }
            return;
        }
        self.move_to_cuts();
        other.move_to_cuts();
        if let (Counted::Cuts(own), Counted::Cuts(other)) = (&mut self.counted, &other.counted) {
            own.merge(other);
        }
    }

    /// The distinct values with their rows, sorted, if they are still counted by value.
    pub(crate) fn values(&self) -> Option<Vec<(T, u64)>> {
        let Counted::Atoms(atoms) = &self.counted else { return None };
        let known = self.draft.atoms.iter().flatten().copied().zip(atoms.known.iter().copied());
        let mut values: Vec<(T, u64)> =
            known.chain(atoms.unforeseen.values().copied()).filter(|(_, count)| *count > 0).collect();
        values.sort_by_key(|(value, _)| value.order_key());
        Some(values)
    }

    /// These values counted on `edges`.
    pub(crate) fn cells_of(&self, values: &[(T, u64)], edges: &[T]) -> Cells<T> {
        let mut cells = Cells::zero(edges.len() + 1);
        for (value, count) in values {
            cells.add(edges.partition_point(|e| e < value), *value, *count, &self.draft.scale);
        }
        cells
    }

    fn move_to_cuts(&mut self) {
        let Some(values) = self.values() else { return };
        self.counted = Counted::Cuts(self.cells_of(&values, &self.draft.cuts));
        self.locator = Locator::new(self.draft.cuts.clone());
        self.atom_of.clear();
    }

    pub(crate) fn draft(&self) -> &Arc<Draft<T>> {
        &self.draft
    }
}

/// The edges of atoms, and for each cell the atom in it.
pub(crate) fn atom_edges<T: Value>(atoms: &[T]) -> (Vec<T>, Vec<Option<u32>>) {
    let mut edges: Vec<T> = Vec::with_capacity(atoms.len() * 2);
    let mut atom_of = Vec::with_capacity(atoms.len() * 2 + 1);
    for (atom, value) in (0_u32..).zip(atoms) {
        let below = value.pred();
        // The smallest value there is has no predecessor: its cell is the first.
        if below < *value && edges.last().is_none_or(|last| *last < below) {
            edges.push(below);
            atom_of.push(None);
        }
        edges.push(*value);
        atom_of.push(Some(atom));
    }
    atom_of.push(None);
    (edges, atom_of)
}

/// Counts the rows whose value is not one of the atoms.
fn put_aside<T: BaselineValue>(
    values: &[T],
    located: &[u16],
    atom_of: &[Option<u32>],
    unforeseen: &mut BTreeMap<i128, (T, u64)>,
) {
    for (x, cell) in values.iter().zip(located) {
        // Nulls and NaN have no cell.
        if atom_of.get(usize::from(*cell)).is_some_and(Option::is_none) {
            unforeseen.entry(x.order_key()).or_insert((x.unsigned_zero(), 0)).1 += 1;
        }
    }
}

/// How many bits the sums of cells are coarser than those of all rows: then the rows of a block fit an i64.
pub(crate) const COARSE_BITS: i32 = 6;

/// 2^46: what a row within the sample's reach comes to at most.
const NEAR: f64 = 70_368_744_177_664.0;

/// Rows of this many blocks' sums fit an i64: 2^16 * 2^46 is below 2^63.
const BLOCK_ROWS: usize = 1 << 16;

fn scaled_coarsely(x: f64, scale: &Scale) -> f64 {
    (x - scale.center) * crate::feature::power_of_two(scale.exponent_x - COARSE_BITS)
}

/// A scaled value below 2^94 as an integer, rounded half to even.
fn coarse(scaled: f64) -> i128 {
    if scaled.abs() < NEAR {
        return i128::from(rounded(scaled));
    }
    #[expect(clippy::cast_possible_truncation, reason = "an integer below 2^94")]
    let whole = scaled.round_ties_even() as i128;
    whole
}

/// A value below 2^51, rounded half to even: adding 1.5 * 2^52 leaves the integer in the low bits, and needs no call of
/// a function where the machine has no instruction for rounding.
#[inline]
fn rounded(scaled: f64) -> i64 {
    const ROUNDER: f64 = 6_755_399_441_055_744.0;
    (scaled + ROUNDER).to_bits().wrapping_sub(ROUNDER.to_bits()).cast_signed()
}

/// Adds rows and the sums of those within reach to `near`, by cell; says how many were beyond.
///
/// A function of its own, so that all it needs stays in registers.
#[inline(never)]
fn count_near<T: BaselineValue>(
    values: &[T],
    located: &[u16],
    center: f64,
    factor: f64,
    near: &mut [(u64, i64)],
) -> usize {
    let mut n_far = 0;
    for (x, cell) in values.iter().zip(located) {
        // Nulls and NaN have no cell.
        let Some((count, sum)) = near.get_mut(usize::from(*cell)) else { continue };
        let scaled = (x.to_f64() - center) * factor;
        let is_near = scaled.abs() < NEAR;
        n_far += usize::from(!is_near);
        *count += 1;
        *sum += rounded(if is_near { scaled } else { 0.0 });
    }
    n_far
}

/// Adds rows and sums to the cells that `located` names.
fn count_cells<T: BaselineValue>(
    values: &[T],
    mask: Option<Validity<'_>>,
    located: &[u16],
    scale: &Scale,
    cells: &mut Cells<T>,
    near: &mut Vec<(u64, i64)>,
) {
    for (values, located) in values.chunks(BLOCK_ROWS).zip(located.chunks(BLOCK_ROWS)) {
        near.clear();
        near.resize(cells.counts.len(), (0, 0));
        let factor = crate::feature::power_of_two(scale.exponent_x - COARSE_BITS);
        if count_near(values, located, scale.center, factor, near) > 0 {
            for (x, cell) in values.iter().zip(located) {
                let scaled = (x.to_f64() - scale.center) * factor;
                let Some(sum) = cells.sums.get_mut(usize::from(*cell)) else { continue };
                if scaled.abs() >= NEAR && x.is_finite() && scale.summand(x.to_f64()).is_some() {
                    *sum += coarse(scaled);
                }
            }
        }
        for (cell, (count, sum)) in near.iter().enumerate() {
            cells.counts[cell] += count;
            cells.sums[cell] += i128::from(*sum);
        }
    }
    let sums = kernel::sums(values, mask, scale.center, scale.exponent_x, scale.exponent_xx);
    cells.sum += sums.x;
    cells.squares += sums.xx;
    cells.overflow.0 += sums.overflow_x;
    cells.overflow.1 += sums.overflow_xx;
    let Some((low, high)) = kernel::extent(values, mask) else { return };
    stretch(&mut cells.extent, low);
    stretch(&mut cells.extent, high);
    if low.is_finite() && high.is_finite() {
        stretch(&mut cells.finite_extent, low);
        stretch(&mut cells.finite_extent, high);
    } else {
        for (x, cell) in values.iter().zip(located) {
            if *cell != NULL_CELL && *cell != NAN_CELL && x.is_finite() {
                stretch(&mut cells.finite_extent, *x);
            }
        }
    }
}
