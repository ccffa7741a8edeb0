//! The counter that fills the state of a numeric feature from columns of any width.

use std::ops::{Range, RangeInclusive};

use arrow_array::Array;
use arrow_buffer::BooleanBuffer;
use arrow_schema::DataType;

use crate::accumulate::column::{Values, for_values, numeric_values, validity};
use crate::accumulate::{NO_SLOT, NumericState, Slots};
use crate::feature::{Edges, Narrowing, NumericCells, Unit, Value, ValueType};
use crate::kernel::{self, Locator, NAN_CELL, NULL_CELL, Native, Validity};
use crate::{Error, ErrorKind, Result};

/// Counts columns of one Arrow type into the cells of one feature.
#[derive(Debug)]
pub(crate) struct NumericCounter {
    data_type: DataType,
    reader: Reader,
    /// One step of the column is the first number divided by the second, in steps of the feature. Two numbers, because
    /// a division by a power of ten is exact where a multiplication by its inverse is not.
    steps: (f64, f64),
    /// For decimals against float edges: what divides them. The baseline's floats are the nearest doubles of such
    /// numbers, so the rows become those too.
    divisor: Option<f64>,
    narrowed: bool,
    scratch: Scratch,
}

#[derive(Debug)]
enum Reader {
    F32(Placed<f32>),
    F64(Placed<f64>),
    I32(Placed<i32>),
    I64(Placed<i64>),
    I128(Placed<i128>),
}

/// A locator, and how its cells become the feature's.
#[derive(Debug)]
struct Placed<T> {
    locator: Locator<T>,
    /// Edges below everything the column can hold were left out; cells begin here.
    skip: usize,
    /// Where cells merged (float32 rows) or were split ([`NumericState::beside`]): the feature's cell for each of the
    /// locator's.
    stands_for: Option<Vec<u16>>,
    /// The locator's cells whose rows are beside an atom, if there are any.
    beside: Vec<bool>,
    /// The locator's cells up to the first of these are below the baseline's range, those from the second on above it.
    inside: (usize, usize),
    /// The edges of that: rows up to the first are below, rows beyond the second above.
    ends: (Option<T>, Option<T>),
}

#[derive(Debug, Default)]
struct Scratch {
    counts: Vec<u64>,
    cells: Vec<u16>,
}

impl NumericCounter {
    /// A counter for columns of `data_type`.
    ///
    /// # Errors
    ///
    /// `Schema` if such a column cannot be compared with the baseline; says what was expected and found (S4).
    pub(crate) fn new(feature: &NumericCells, data_type: &DataType) -> Result<Self> {
        let own = feature.value_type;
        let found = ValueType::of(data_type)?;
        if found.family != own.family || matches!(data_type, DataType::Dictionary(..)) {
            // Strings come as dictionaries whatever the file holds: say what they are.
            let found = if found.family == own.family { data_type.to_string() } else { found.to_string() };
            return Err(Error::new(
                ErrorKind::Schema,
                format!(
                    "type changed: the baseline holds `{own}`, found `{found}`; convert the column or make a new baseline"
                ),
            ));
        }
        let core = feature.core.clone();
        let inside = feature.inside();
        let mut narrowed = false;
        let is_float = matches!(feature.edges, Edges::F32(_) | Edges::F64(_));
        #[expect(clippy::cast_precision_loss, reason = "powers of ten up to 22 are exact")]
        let divisor = (is_float && found.unit.denominator > 1).then_some(found.unit.denominator as f64);
        let native = if divisor.is_some() { NativeType::F64 } else { native_type(data_type) };
        let reader = match (native, &feature.edges) {
            (NativeType::F32 | NativeType::F64, Edges::F32(edges)) => {
                Reader::F32(Placed::direct(edges, core, inside))
            }
            (NativeType::F32, Edges::F64(edges)) => {
                narrowed = true;
                let narrowing = Narrowing::new(edges);
                let inner = |edge: usize| narrowing.edges.partition_point(|e| f64::from(*e) < edges[edge]);
                let core = if core.is_empty() {
                    0..narrowing.edges.len()
                } else {
                    inner(core.start)..(inner(core.end - 1) + 1).min(narrowing.edges.len())
                };
                Reader::F32(Placed::standing(narrowing.edges, core, narrowing.stands_for, Vec::new(), inside))
            }
            (NativeType::F64, Edges::F64(edges)) => Reader::F64(Placed::direct(edges, core, inside)),
            (NativeType::F32 | NativeType::F64, edges) => {
                let doubles = edges.to_doubles(own);
                let split = Split::new(&doubles, &edges.atoms(), Value::pred);
                Reader::F64(match split {
                    Some(split) => split.placed(core, inside, |e| e),
                    None => Placed::direct(&doubles, core, inside),
                })
            }
            (NativeType::I32, edges) => Reader::I32(Placed::integers(
                edges,
                (own, found.unit),
                (core, inside),
                i128::from(i32::MIN)..=i128::from(i32::MAX),
                |e| i32::try_from(e).unwrap_or(i32::MAX),
            )),
            (NativeType::I64, edges) => Reader::I64(Placed::integers(
                edges,
                (own, found.unit),
                (core, inside),
                i128::from(i64::MIN)..=i128::from(i64::MAX),
                |e| i64::try_from(e).unwrap_or(i64::MAX),
            )),
            (NativeType::I128, edges) => Reader::I128(Placed::integers(
                edges,
                (own, found.unit),
                (core, inside),
                i128::MIN..=i128::MAX,
                |e| e,
            )),
        };
        let steps = if divisor.is_some() { (1.0, 1.0) } else { found.unit.steps_of(own.unit) };
        Ok(Self {
            data_type: data_type.clone(),
            reader,
            steps,
            divisor,
            narrowed,
            scratch: Scratch::default(),
        })
    }

    /// Whether this counter reads columns of `data_type`.
    pub(crate) fn reads(&self, data_type: &DataType) -> bool {
        self.data_type == *data_type
    }

    /// Adds a column. `errors` marks rows that are null because their value could not be read.
    ///
    /// Each of `slots` gives each row one of `states` (or none).
    pub(crate) fn update(
        &mut self,
        feature: &NumericCells,
        array: &dyn Array,
        errors: Option<&BooleanBuffer>,
        slots: &[Slots<'_>],
        states: &mut [NumericState],
    ) -> Result<()> {
        let mut values = numeric_values(array)?;
        if let Some(divisor) = self.divisor {
            values = Values::F64(
                for_values!(&values, slice => slice.iter().map(|x| x.widen() / divisor).collect()),
            );
        }
        let mask = validity(array);
        let values = match (&self.reader, values) {
            #[expect(clippy::cast_possible_truncation, reason = "the baseline's type decides (S4)")]
            (Reader::F32(_), Values::F64(wide)) => Values::F32(wide.iter().map(|x| *x as f32).collect()),
            (Reader::F64(_), Values::F32(narrow)) => {
                Values::F64(narrow.iter().map(|x| f64::from(*x)).collect())
            }
            (_, values) => values,
        };
        let unscaled: Vec<f64>;
        let rescaled = if self.steps == (1.0, 1.0) {
            None
        } else {
            let (up, down) = self.steps;
            unscaled = for_values!(&values, slice => slice.iter().map(|x| x.widen() * up / down).collect());
            Some(unscaled.as_slice())
        };
        let row = Rows { mask, errors, slots, rescaled, narrowed: self.narrowed };
        let scratch = &mut self.scratch;
        match (&self.reader, &values) {
            (Reader::F32(placed), Values::F32(slice)) => placed.update(feature, slice, &row, scratch, states),
            (Reader::F64(placed), Values::F64(slice)) => placed.update(feature, slice, &row, scratch, states),
            (Reader::I32(placed), Values::I32(slice)) => placed.update(feature, slice, &row, scratch, states),
            (Reader::I64(placed), Values::I64(slice)) => placed.update(feature, slice, &row, scratch, states),
            (Reader::I128(placed), Values::I128(slice)) => {
                placed.update(feature, slice, &row, scratch, states)
            }
            _ => Err(Error::new(
                ErrorKind::Schema,
                format!("expected a column of type `{}`, found `{}`", self.data_type, array.data_type()),
            )),
        }
    }
}

/// One column's rows, apart from their values.
struct Rows<'a> {
    mask: Option<Validity<'a>>,
    errors: Option<&'a BooleanBuffer>,
    slots: &'a [Slots<'a>],
    /// The values in steps of the feature, where the column's steps differ.
    rescaled: Option<&'a [f64]>,
    narrowed: bool,
}

impl<T: Number> Placed<T> {
    fn direct(edges: &[T], core: Range<usize>, inside: (usize, usize)) -> Self {
        Self {
            ends: (
                edges.get(inside.0.wrapping_sub(1)).copied(),
                edges.get(inside.1.wrapping_sub(1)).copied(),
            ),
            locator: Locator::with_core(edges.to_vec(), core),
            skip: 0,
            stands_for: None,
            beside: Vec::new(),
            inside,
        }
    }

    /// A locator whose cells are not the feature's; `inside` names cells of the feature.
    fn standing(
        edges: Vec<T>,
        core: Range<usize>,
        stands_for: Vec<u16>,
        beside: Vec<bool>,
        inside: (usize, usize),
    ) -> Self {
        let first = |feature: usize| {
            stands_for.iter().position(|cell| usize::from(*cell) >= feature).unwrap_or(stands_for.len())
        };
        let inside = (first(inside.0), first(inside.1));
        Self { stands_for: Some(stands_for), beside, ..Self::direct(&edges, core, inside) }
    }

    /// Integer edges for a column in steps of `unit` whose values lie in `range`.
    fn integers(
        edges: &Edges,
        (own, unit): (ValueType, Unit),
        (core, inside): (Range<usize>, (usize, usize)),
        range: RangeInclusive<i128>,
        to: impl Fn(i128) -> T,
    ) -> Self {
        let floored = edges.floor_to_integers(own, unit);
        let native = |e: i128| to(e.clamp(*range.start(), *range.end()));
        // Finer steps than the baseline's may lie between its neighbours.
        if matches!(edges, Edges::I64(_) | Edges::I128(_))
            && own.unit != unit
            && let Some(split) = Split::new(&floored, &edges.atoms(), |e| e.saturating_sub(1))
        {
            return split.from(range.start()).placed(core, inside, native);
        }
        // Edges below the range are below every row; edges above it are never below a row, and neither is the greatest.
        let skip = floored.partition_point(|e| e < range.start());
        let edges: Vec<T> = floored[skip..].iter().map(|e| native(*e)).collect();
        let here = |place: usize| place.saturating_sub(skip);
        let core = here(core.start).min(edges.len())..here(core.end).min(edges.len());
        Self { skip, ..Self::direct(&edges, core, (here(inside.0), here(inside.1))) }
    }

    fn update(
        &self,
        feature: &NumericCells,
        values: &[T],
        rows: &Rows<'_>,
        scratch: &mut Scratch,
        states: &mut [NumericState],
    ) -> Result<()> {
        let whole = rows.slots.iter().any(|slots| matches!(slots, Slots::All(_)));
        if let ([Slots::All(slot)], None) = (rows.slots, &self.stands_for) {
            // The usual case, without windows and segments: straight into the one state.
            let state = &mut states[*slot as usize];
            return self.count_into(feature, values, rows, state, scratch);
        }
        if whole {
            let mut partial = NumericState::empty(feature.n_cells());
            self.count_into(feature, values, rows, &mut partial, scratch)?;
            for slots in rows.slots {
                if let Slots::All(slot) = slots {
                    states[*slot as usize].merge(&partial)?;
                }
            }
        }
        if rows.slots.iter().any(|slots| matches!(slots, Slots::Each(_))) {
            self.scatter(feature, values, rows, scratch, states);
        }
        Ok(())
    }

    /// Counts every row into one state.
    fn count_into(
        &self,
        feature: &NumericCells,
        values: &[T],
        rows: &Rows<'_>,
        state: &mut NumericState,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let counts = &mut scratch.counts;
        counts.clear();
        counts.resize(self.locator.n_cells(), 0);
        let tally = self.locator.count(values, rows.mask, counts);
        let (low, high) = self.inside;
        let has_tail = counts.iter().take(low).chain(counts.iter().skip(high)).any(|n| *n > 0);
        match &self.stands_for {
            None => state.cells.add_counts_at(self.skip, counts),
            Some(stands_for) => {
                for (cell, count) in stands_for.iter().zip(counts.iter()) {
                    state.cells.add(*cell, *count);
                }
                for ((cell, count), is_beside) in stands_for.iter().zip(counts.iter()).zip(&self.beside) {
                    if *is_beside {
                        state.beside.add(*cell, *count);
                    }
                }
            }
        }
        state.rows += values.len() as u64;
        let n_errors = rows.errors.map_or(0, |errors| errors.count_set_bits() as u64);
        state.nulls += tally.nulls - n_errors;
        state.type_errors += n_errors;
        state.nans += tally.nans;
        state.narrowed |= rows.narrowed && !values.is_empty();

        let scale = &feature.scale;
        let (sums, extent) = match rows.rescaled {
            None => (
                kernel::sums(values, rows.mask, scale.center, scale.exponent_x, scale.exponent_xx),
                kernel::extent(values, rows.mask).map(|(low, high)| (low.widen(), high.widen())),
            ),
            Some(values) => (
                kernel::sums(values, rows.mask, scale.center, scale.exponent_x, scale.exponent_xx),
                kernel::extent(values, rows.mask),
            ),
        };
        state.sums.0 += sums.x;
        state.sums.1 += sums.xx;
        state.overflow.0 += sums.overflow_x;
        state.overflow.1 += sums.overflow_xx;
        if let Some((low, high)) = extent {
            state.stretch(low, high);
        }
        if has_tail {
            self.add_tails(feature, values, rows, state);
        }
        Ok(())
    }

    /// Adds the rows beyond the baseline's range to the tails, row by row.
    fn add_tails(&self, feature: &NumericCells, values: &[T], rows: &Rows<'_>, state: &mut NumericState) {
        for (i, x) in values.iter().enumerate() {
            // No edge on a side: then every row is beyond it, or none is, as with the locator's cells.
            let is_above = self.ends.1.map_or(self.inside.1 == 0, |end| *x > end);
            let is_below = !is_above && self.ends.0.is_some_and(|end| *x <= end);
            if (is_above || is_below) && !x.is_nan() && rows.mask.is_none_or(|mask| mask.is_valid(i)) {
                let x = rows.rescaled.map_or_else(|| x.widen(), |values| values[i]);
                add_tail(feature, is_below, x, state);
            }
        }
    }

    /// Adds each row to the state that its slot names.
    fn scatter(
        &self,
        feature: &NumericCells,
        values: &[T],
        rows: &Rows<'_>,
        scratch: &mut Scratch,
        states: &mut [NumericState],
    ) {
        let cells = &mut scratch.cells;
        cells.clear();
        cells.resize(values.len(), NULL_CELL);
        self.locator.locate(values, rows.mask, cells);
        let (low, high) = self.inside;
        for slots in rows.slots {
            let Slots::Each(slots) = slots else { continue };
            for (i, (slot, cell)) in slots.iter().zip(cells.iter()).enumerate() {
                if *slot == NO_SLOT {
                    continue;
                }
                let state = &mut states[*slot as usize];
                state.rows += 1;
                state.narrowed |= rows.narrowed;
                match *cell {
                    NULL_CELL if rows.errors.is_some_and(|errors| errors.value(i)) => state.type_errors += 1,
                    NULL_CELL => state.nulls += 1,
                    NAN_CELL => state.nans += 1,
                    cell => {
                        let x = rows.rescaled.map_or_else(|| values[i].widen(), |values| values[i]);
                        let is_above = usize::from(cell) >= high;
                        if is_above || usize::from(cell) < low {
                            add_tail(feature, !is_above, x, state);
                        }
                        state.stretch(x, x);
                        if x.is_finite() {
                            state.add_sum(x, &feature.scale);
                        }
                        #[expect(clippy::cast_possible_truncation, reason = "at most 65,533 edges")]
                        let cell = match &self.stands_for {
                            Some(stands_for) => {
                                let own = stands_for[usize::from(cell)];
                                if self.beside.get(usize::from(cell)) == Some(&true) {
                                    state.beside.add(own, 1);
                                }
                                own
                            }
                            None => cell + self.skip as u16,
                        };
                        state.cells.add_one(cell);
                    }
                }
            }
        }
    }
}

/// Edges among which the neighbours below atoms were put, for columns that can lie between the baseline's steps
/// (SEMANTICS S4): an atom `v` of integers is the cell `(v-1, v]`, of which `(v-1, pred v]` is not `v`.
struct Split<E> {
    edges: Vec<E>,
    stands_for: Vec<u16>,
    beside: Vec<bool>,
}

impl<E: Copy + PartialOrd> Split<E> {
    /// Splits the cells of `atoms` among converted `edges`; `None` if none can hold more than its atom.
    fn new(edges: &[E], atoms: &[bool], pred: impl Fn(E) -> E) -> Option<Self> {
        let mut split = Self { edges: Vec::new(), stands_for: Vec::new(), beside: Vec::new() };
        for (cell, edge) in (0_u16..).zip(edges) {
            let below = pred(*edge);
            if cell > 0 && atoms[usize::from(cell)] && below > edges[usize::from(cell) - 1] {
                split.edges.push(below);
                split.stands_for.push(cell);
                split.beside.push(true);
            }
            split.edges.push(*edge);
            split.stands_for.push(cell);
            split.beside.push(false);
        }
        split.stands_for.push(u16::try_from(edges.len()).unwrap_or(u16::MAX));
        split.beside.push(false);
        (split.edges.len() > edges.len() && split.edges.len() <= kernel::MAX_EDGES).then_some(split)
    }

    /// Without the edges below `least`, which are below every row.
    fn from(mut self, least: &E) -> Self {
        let skip = self.edges.partition_point(|edge| edge < least);
        self.edges.drain(..skip);
        self.stands_for.drain(..skip);
        self.beside.drain(..skip);
        self
    }

    fn placed<T: Number>(self, core: Range<usize>, inside: (usize, usize), to: impl Fn(E) -> T) -> Placed<T> {
        let here = |edge: usize| {
            self.stands_for.iter().position(|cell| usize::from(*cell) >= edge).unwrap_or(self.edges.len())
        };
        let core = here(core.start).min(self.edges.len())..here(core.end).min(self.edges.len());
        let edges = self.edges.iter().map(|edge| to(*edge)).collect();
        Placed::standing(edges, core, self.stands_for, self.beside, inside)
    }
}

fn add_tail(feature: &NumericCells, is_low: bool, x: f64, state: &mut NumericState) {
    if x.is_infinite() {
        // Counted where infinities have no cells of their own.
        if feature.infinite().is_none() {
            if x < 0.0 { state.infinities.0 += 1 } else { state.infinities.1 += 1 }
        }
        return;
    }
    let summand = feature.scale.summand(x).unwrap_or(0);
    if is_low { state.tails.0 += summand } else { state.tails.1 += summand }
}

/// A native number that turns into a double.
trait Number: Native {
    fn widen(self) -> f64;
    fn is_nan(self) -> bool;
}

macro_rules! number {
    ($($t:ident: $nan:expr),*) => {$(
        impl Number for $t {
            #[allow(clippy::cast_precision_loss, clippy::cast_lossless, clippy::unnecessary_cast, reason = "one macro")]
            fn widen(self) -> f64 {
                self as f64
            }
            fn is_nan(self) -> bool {
                let nan: fn(Self) -> bool = $nan;
                nan(self)
            }
        }
    )*};
}

number!(f32: f32::is_nan, f64: f64::is_nan, i32: |_| false, i64: |_| false, i128: |_| false);

#[derive(Clone, Copy)]
enum NativeType {
    F32,
    F64,
    I32,
    I64,
    I128,
}

/// The native type in which [`numeric_values`] shows a column.
fn native_type(data_type: &DataType) -> NativeType {
    use DataType as D;
    match data_type {
        D::Float16 | D::Float32 => NativeType::F32,
        D::Float64 => NativeType::F64,
        D::Int8 | D::Int16 | D::Int32 | D::UInt8 | D::UInt16 | D::Date32 | D::Decimal32(..) => {
            NativeType::I32
        }
        D::UInt64 | D::Decimal128(..) => NativeType::I128,
        _ => NativeType::I64,
    }
}
