//! States as bytes.
//!
//! Only what a state *is* gets written, never how it is held: a sparse and a dense state of equal counts have equal
//! bytes, so a hash of them names the content. The layout stands in `docs/formats/state.md`.

use super::bytes::{Reader, Writer, damaged};
use crate::accumulate::{CategoricalState, CellCounts, FeatureState, Newcomers, NumericState, StateView};
use crate::embedding::{EmbeddingState, Exemplars, MAX_DIM, MOMENTS, WAVES};
use crate::feature::FeatureCells;
use crate::{Kind, Result};

const NUMERIC: u8 = 0;
const CATEGORICAL: u8 = 1;
const EMBEDDING: u8 = 2;
/// With sums of waves.
const EMBEDDING_WAVES: u8 = 3;

pub(super) fn write(writer: &mut Writer, state: &FeatureState) {
    write_view(
        writer,
        match state {
            FeatureState::Numeric(state) => StateView::Numeric(state),
            FeatureState::Categorical(state) => StateView::Categorical(state),
            FeatureState::Embedding(state) => StateView::Embedding(state),
        },
    );
}

pub(super) fn write_view(writer: &mut Writer, state: StateView<'_>) {
    match state {
        StateView::Numeric(state) => {
            writer.byte(NUMERIC);
            write_cells(writer, &state.cells);
            write_cells(writer, &state.beside);
            for count in [
                state.rows,
                state.nulls,
                state.nans,
                state.type_errors,
                state.infinities.0,
                state.infinities.1,
                state.overflow.0,
                state.overflow.1,
            ] {
                writer.count(count);
            }
            for sum in [state.sums.0, state.sums.1, state.tails.0, state.tails.1] {
                writer.wide(sum);
            }
            writer.byte(u8::from(state.extent.is_some()));
            if let Some((low, high)) = state.extent {
                writer.float(low);
                writer.float(high);
            }
            writer.byte(u8::from(state.narrowed));
        }
        StateView::Embedding(state) => {
            writer.byte(if state.waves.is_empty() { EMBEDDING } else { EMBEDDING_WAVES });
            write_cells(writer, &state.cells);
            state.counters().into_iter().for_each(|count| writer.count(count));
            let lists = state.sums();
            let written = if state.waves.is_empty() { 2 } else { lists.len() };
            for sums in &lists[..written] {
                writer.count(sums.len() as u64);
                sums.iter().for_each(|sum| writer.count(zigzag(*sum)));
            }
            writer.count(state.exemplars.unnamed);
            let clusters = state.exemplars.clusters();
            writer.count(clusters.len() as u64);
            for (code, ids) in clusters {
                writer.byte(code);
                writer.count(ids.len() as u64);
                ids.for_each(|id| writer.text(id));
            }
        }
        StateView::Categorical(state) => {
            writer.byte(CATEGORICAL);
            write_cells(writer, &state.cells);
            for count in [state.rows, state.nulls, state.nans, state.type_errors] {
                writer.count(count);
            }
            let newcomers: Vec<_> = state.newcomers.entries().collect();
            writer.count(newcomers.len() as u64);
            for (hash, name, count) in newcomers {
                writer.raw(&hash.to_le_bytes());
                writer.text(name);
                writer.count(count);
            }
        }
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<FeatureState> {
    match reader.byte()? {
        NUMERIC => {
            let mut state = NumericState::empty(0);
            state.cells = read_cells(reader)?;
            state.beside = read_cells(reader)?;
            let part = state.beside.to_vec();
            if part.len() != state.cells.n_cells()
                || part.iter().zip(state.cells.to_vec()).any(|(part, whole)| *part > whole)
            {
                return Err(damaged("more rows lie beside an atom than in its cell".to_owned()));
            }
            state.rows = reader.count()?;
            state.nulls = reader.count()?;
            state.nans = reader.count()?;
            state.type_errors = reader.count()?;
            state.infinities = (reader.count()?, reader.count()?);
            state.overflow = (reader.count()?, reader.count()?);
            state.sums = (reader.wide()?, reader.wide()?);
            state.tails = (reader.wide()?, reader.wide()?);
            if reader.flag()? {
                let (low, high) = (reader.float()?, reader.float()?);
                // NaN has a count of its own, and is no end of anything.
                if low.is_nan() || high.is_nan() || low > high {
                    return Err(damaged(format!("an extent from {low} to {high}")));
                }
                state.extent = Some((low, high));
            }
            state.narrowed = reader.flag()?;
            ensure_rows_add_up(state.rows, &[state.nulls, state.nans, state.type_errors], &state.cells)?;
            let infinities = state.infinities.0.checked_add(state.infinities.1);
            if infinities.is_none_or(|n| n > state.cells.total())
                || state.overflow.0.max(state.overflow.1) > state.cells.total()
            {
                return Err(damaged("more rows are infinite or too large than have a value".to_owned()));
            }
            // 2^94, the largest summand, for each row: beyond that, adding states could overflow.
            let most = u128::from(state.rows).saturating_mul(1 << 94);
            let sums = [state.sums.0, state.sums.1, state.tails.0, state.tails.1];
            if sums.iter().any(|sum| sum.unsigned_abs() > most) {
                return Err(damaged("a sum is larger than its rows can make it".to_owned()));
            }
            Ok(FeatureState::Numeric(state))
        }
        CATEGORICAL => {
            let mut state = CategoricalState::empty(0);
            state.cells = read_cells(reader)?;
            state.rows = reader.count()?;
            state.nulls = reader.count()?;
            state.nans = reader.count()?;
            state.type_errors = reader.count()?;
            let mut newcomers = Newcomers::default();
            for _ in 0..reader.length(10)? {
                let hash = reader.hash()?;
                let name = reader.text()?;
                newcomers.add(hash, name, reader.count()?);
            }
            state.newcomers = newcomers;
            ensure_rows_add_up(state.rows, &[state.nulls, state.nans, state.type_errors], &state.cells)?;
            Ok(FeatureState::Categorical(state))
        }
        kind @ (EMBEDDING | EMBEDDING_WAVES) => {
            let mut state = EmbeddingState::empty();
            state.cells = read_cells(reader)?;
            for count in state.parts_mut().1 {
                *count = reader.count()?;
            }
            state.sums = read_sums(reader, MAX_DIM)?;
            state.moments = read_sums(reader, MOMENTS)?;
            if kind == EMBEDDING_WAVES {
                state.waves = read_sums(reader, WAVES)?;
                if state.waves.is_empty() {
                    return Err(damaged("sums of waves that are all zero are not written".to_owned()));
                }
            }
            state.exemplars = read_exemplars(reader)?;
            if !state.adds_up() {
                return Err(damaged(format!("the cells do not add up to its {} rows", state.rows)));
            }
            Ok(FeatureState::Embedding(state))
        }
        other => Err(damaged(format!("expected the state of a feature, found kind {other}"))),
    }
}

/// The state, if it is one on these cells.
pub(super) fn fit(state: FeatureState, cells: &FeatureCells) -> Result<FeatureState> {
    let (n_cells, kind) = (cells.n_cells(), cells.kind());
    let (own, own_kind) = match &state {
        FeatureState::Numeric(state) => (state.cells.n_cells(), Kind::Numeric),
        FeatureState::Categorical(state) => (state.cells.n_cells(), Kind::Categorical),
        FeatureState::Embedding(state) => (state.cells.n_cells(), Kind::Embedding),
    };
    if own != n_cells {
        Err(damaged(format!("a state of {own} cells, not {n_cells}")))
    } else if own_kind != kind {
        Err(damaged("a state is not of the feature's kind".to_owned()))
    } else if let (FeatureState::Embedding(state), FeatureCells::Embedding(cells)) = (&state, cells)
        && !(state.sums.is_empty() || state.sums.len() == cells.dim)
    {
        Err(damaged(format!("sums of vectors of {}, not {}", state.sums.len(), cells.dim)))
    } else if let (FeatureState::Embedding(state), FeatureCells::Embedding(cells)) = (&state, cells)
        && !state.waves.is_empty()
        && cells.waves.is_none()
    {
        Err(damaged("sums of waves, which the cells do not have".to_owned()))
    } else {
        Ok(state)
    }
}

/// I-LOST: every row is in a cell, null, NaN or a type error.
fn ensure_rows_add_up(rows: u64, apart: &[u64], cells: &CellCounts) -> Result<()> {
    let sum = apart.iter().try_fold(cells.total(), |sum, count| sum.checked_add(*count));
    if sum == Some(rows) {
        return Ok(());
    }
    Err(damaged(format!("the cells do not add up to its {rows} rows")))
}

/// Small numbers of either sign as small numbers.
#[expect(clippy::cast_sign_loss, reason = "the sign is folded into the lowest bit")]
fn zigzag(x: i64) -> u64 {
    ((x << 1) ^ (x >> 63)) as u64
}

fn read_exemplars(reader: &mut Reader<'_>) -> Result<Exemplars> {
    let mut exemplars = Exemplars::default();
    exemplars.unnamed = reader.count()?;
    for _ in 0..reader.length(3)? {
        let code = reader.byte()?;
        let ids = (0..reader.length(2)?).map(|_| reader.text()).collect::<Result<Vec<&str>>>()?;
        if exemplars.restore(code, &ids).is_none() {
            return Err(damaged(format!("the ids of cluster {code} are not those that would be kept")));
        }
    }
    Ok(exemplars)
}

fn read_sums(reader: &mut Reader<'_>, most: usize) -> Result<Vec<i64>> {
    let n = reader.length(1)?;
    if n > most {
        return Err(damaged(format!("{n} sums are more than a vector has")));
    }
    let sums = (0..n)
        .map(|_| {
            let folded = reader.count()?;
            Ok((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
        })
        .collect::<Result<Vec<i64>>>()?;
    if n > 0 && sums.iter().all(|sum| *sum == 0) {
        return Err(damaged("sums that are all zero are not written".to_owned()));
    }
    Ok(sums)
}

/// The number of cells, then each filled one as its distance from the one before and its count.
fn write_cells(writer: &mut Writer, cells: &CellCounts) {
    let counts = cells.to_vec();
    let filled: Vec<(usize, u64)> = counts.into_iter().enumerate().filter(|(_, count)| *count > 0).collect();
    writer.count(cells.n_cells() as u64);
    writer.count(filled.len() as u64);
    let mut next = 0;
    for (cell, count) in filled {
        writer.count((cell - next) as u64);
        writer.count(count);
        next = cell + 1;
    }
}

fn read_cells(reader: &mut Reader<'_>) -> Result<CellCounts> {
    let n_cells = usize::try_from(reader.count()?).ok().filter(|n| *n <= crate::kernel::MAX_EDGES + 1);
    let n_cells = n_cells.ok_or_else(|| damaged("too many cells".to_owned()))?;
    let mut counts = vec![0_u64; n_cells];
    let mut next = 0_usize;
    let mut total = 0_u64;
    for _ in 0..reader.length(2)? {
        let skip = usize::try_from(reader.count()?).unwrap_or(usize::MAX);
        let cell = next.checked_add(skip).filter(|cell| *cell < n_cells);
        let cell = cell.ok_or_else(|| damaged("a cell lies beyond the last one".to_owned()))?;
        counts[cell] = reader.count()?;
        total = total
            .checked_add(counts[cell])
            .ok_or_else(|| damaged("the counts are larger than 64 bits".to_owned()))?;
        next = cell + 1;
    }
    Ok(CellCounts::from_counts(&counts))
}
