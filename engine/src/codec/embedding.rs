//! The frozen measures of an embedding as bytes.

use super::bytes::{Reader, Writer, damaged};
use crate::Result;
use crate::embedding::{
    CODES, COLUMNS, COMPONENTS, EmbeddingCells, FREQUENCIES, MAX_DIM, MOMENTS, SCORE_CELLS, SCORES, Waves,
    Whitening,
};

pub(super) fn write(writer: &mut Writer, cells: &EmbeddingCells) {
    writer.count(cells.dim as u64);
    let floats = [&cells.center, &cells.spread, &cells.basis, &cells.offsets, &cells.precisions];
    for x in floats.into_iter().flatten().chain(cells.edges.as_flattened()) {
        writer.narrow(*x);
    }
    for x in [cells.limit, cells.scale, cells.score_limit, cells.moment_scale] {
        writer.narrow(x);
    }
    cells.moment_variances.iter().for_each(|variance| writer.float(*variance));
    writer.count(cells.fitted);
    writer.byte(u8::from(cells.whitening.is_some()));
    if let Some(own) = &cells.whitening {
        own.factor.iter().for_each(|x| writer.narrow(*x));
        writer.float(own.trace);
        writer.float(own.square_trace);
    }
    if let Some(own) = &cells.waves {
        own.frequencies.iter().for_each(|x| writer.narrow(*x));
        writer.float(own.bandwidth);
        own.traces.iter().for_each(|x| writer.float(*x));
    }
}

pub(super) fn read(reader: &mut Reader<'_>, has_waves: bool) -> Result<EmbeddingCells> {
    let dim = reader.count()?;
    let dim = usize::try_from(dim)
        .ok()
        .filter(|dim| (1..=MAX_DIM).contains(dim))
        .ok_or_else(|| damaged(format!("vectors of {dim} numbers")))?;
    let center = finite(reader, dim)?;
    let spread = finite(reader, dim)?;
    let basis = finite(reader, dim * COLUMNS)?;
    let offsets = floats(reader, CODES)?;
    let precisions = finite(reader, COMPONENTS)?;
    let edges: Vec<[f32; SCORE_CELLS]> =
        floats(reader, SCORES * SCORE_CELLS)?.as_chunks::<SCORE_CELLS>().0.to_vec();
    let (limit, scale) = (reader.narrow()?, reader.narrow()?);
    let (score_limit, moment_scale) = (reader.narrow()?, reader.narrow()?);
    let moment_variances = (0..MOMENTS).map(|_| reader.float()).collect::<Result<Vec<f64>>>()?;
    let fitted = reader.count()?;
    let whitening = if reader.flag()? {
        let factor = finite(reader, dim * (dim + 1) / 2)?;
        let own = Whitening { factor, trace: reader.float()?, square_trace: reader.float()? };
        if !is_sound(own.trace) || !is_sound(own.square_trace) {
            return Err(damaged("the spread of whitened vectors is out of range".to_owned()));
        }
        Some(own)
    } else {
        None
    };
    let waves = if has_waves {
        let frequencies = finite(reader, dim * FREQUENCIES)?;
        let bandwidth = reader.float()?;
        let traces = [reader.float()?, reader.float()?, reader.float()?];
        if !is_sound(bandwidth) || !traces.into_iter().all(is_sound) {
            return Err(damaged("the spread of waves is out of range".to_owned()));
        }
        Some(Waves { frequencies, bandwidth, traces })
    } else {
        None
    };
    let cells = EmbeddingCells {
        dim,
        center,
        basis,
        offsets,
        precisions,
        edges,
        limit,
        scale,
        score_limit,
        moment_scale,
        moment_variances,
        spread,
        whitening,
        waves,
        fitted,
    };
    let are_in_range = cells.moment_variances.iter().all(|x| *x >= 0.0 && x.is_finite())
        && cells.offsets.iter().all(|x| *x >= 0.0)
        && cells.limit > 0.0
        && cells.score_limit > 0.0;
    if are_in_range && cells.is_consistent() {
        Ok(cells)
    } else {
        Err(damaged("the measures of an embedding contradict each other".to_owned()))
    }
}

fn is_sound(x: f64) -> bool {
    x > 0.0 && x.is_finite()
}

fn floats(reader: &mut Reader<'_>, n: usize) -> Result<Vec<f32>> {
    let (numbers, _) = reader.raw(4 * n)?.as_chunks::<4>();
    Ok(numbers.iter().map(|x| f32::from_le_bytes(*x)).collect())
}

fn finite(reader: &mut Reader<'_>, n: usize) -> Result<Vec<f32>> {
    let numbers = floats(reader, n)?;
    if numbers.iter().all(|x| x.is_finite()) {
        return Ok(numbers);
    }
    Err(damaged("a measure of an embedding is not finite".to_owned()))
}
