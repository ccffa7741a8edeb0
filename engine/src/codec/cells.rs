//! Frozen cells as bytes.

use std::sync::Arc;

use super::bytes::{Reader, Writer, damaged};
use super::embedding;
use crate::Result;
use crate::feature::{
    Categories, Domain, Edges, Family, FeatureCells, NumericCells, PsiCells, Scale, Unit, ValueType,
};

const NUMERIC: u8 = 0;
const CATEGORICAL: u8 = 1;
const EMBEDDING: u8 = 2;
/// With what `mmd` is measured by.
const EMBEDDING_WAVES: u8 = 3;

pub(super) fn write(writer: &mut Writer, cells: &FeatureCells) {
    match cells {
        FeatureCells::Numeric(cells) => {
            writer.byte(NUMERIC);
            write_type(writer, cells.value_type);
            writer.count(cells.edges.len() as u64);
            writer.raw(&cells.edges.to_bytes());
            writer.count(cells.core.start as u64);
            writer.count(cells.core.end as u64);
            writer.byte(u8::from(cells.exact));
            writer.byte(u8::from(cells.sampled));
            writer.byte(u8::from(cells.range.is_some()));
            if let Some((low, high)) = cells.range {
                writer.count(low as u64);
                writer.count(high as u64);
            }
            writer.count(cells.psi.n_cells as u64);
            writer.byte(u8::from(cells.psi.between.is_some()));
            cells.psi.cell_of.iter().for_each(|cell| writer.count(u64::from(*cell)));
            cells.means.iter().for_each(|mean| writer.float(*mean));
            writer.count(cells.values);
            writer.float(cells.scale.center);
            writer.raw(&cells.scale.exponent_x.to_le_bytes());
            writer.raw(&cells.scale.exponent_xx.to_le_bytes());
        }
        FeatureCells::Embedding(cells) => {
            writer.byte(if cells.waves().is_some() { EMBEDDING_WAVES } else { EMBEDDING });
            embedding::write(writer, cells);
        }
        FeatureCells::Categorical(cells) => {
            writer.byte(CATEGORICAL);
            write_type(writer, cells.value_type);
            writer.count(cells.names().len() as u64);
            cells.names().iter().for_each(|name| writer.text(name));
            writer.count(cells.rare().len() as u64);
            cells.rare().iter().for_each(|hash| writer.raw(&hash.to_le_bytes()));
            writer.count(cells.singletons());
        }
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<FeatureCells> {
    match reader.byte()? {
        NUMERIC => read_numeric(reader).map(FeatureCells::Numeric),
        CATEGORICAL => {
            let value_type = read_type(reader)?;
            let n_names = reader.length(1)?;
            if n_names > Categories::MAX_NAMED {
                return Err(damaged(format!("{n_names} categories are more than a dictionary holds")));
            }
            let names = (0..n_names).map(|_| reader.text().map(str::to_owned)).collect::<Result<_>>()?;
            let rare = (0..reader.length(8)?).map(|_| reader.hash()).collect::<Result<_>>()?;
            Ok(FeatureCells::Categorical(Categories::new(value_type, names, rare, reader.count()?)))
        }
        kind @ (EMBEDDING | EMBEDDING_WAVES) => embedding::read(reader, kind == EMBEDDING_WAVES)
            .map(|cells| FeatureCells::Embedding(Arc::new(cells))),
        other => Err(damaged(format!("expected the cells of a feature, found kind {other}"))),
    }
}

fn read_numeric(reader: &mut Reader<'_>) -> Result<NumericCells> {
    let value_type = read_type(reader)?;
    let edges = read_edges(reader, value_type.domain)?;
    let n_cells = edges.len() + 1;
    let mut below = |limit: usize| -> Result<usize> {
        let count = reader.count()?;
        usize::try_from(count)
            .ok()
            .filter(|count| *count < limit)
            .ok_or_else(|| damaged(format!("{count} was expected to be below {limit}")))
    };
    let core = below(n_cells)?..below(n_cells)?;
    if core.start > core.end {
        return Err(damaged("the core lies outside the edges".to_owned()));
    }
    let (exact, sampled) = (reader.flag()?, reader.flag()?);
    let range = if reader.flag()? {
        let mut edge = || reader.count().map(|edge| usize::try_from(edge).unwrap_or(usize::MAX));
        let (low, high) = (edge()?, edge()?);
        if low > high || high >= n_cells {
            return Err(damaged("the range lies outside the edges".to_owned()));
        }
        Some((low, high))
    } else {
        None
    };
    let n_psi = usize::try_from(reader.count()?).unwrap_or(usize::MAX);
    let between = reader.flag()?;
    let cell_of = (0..n_cells)
        .map(|_| {
            let cell = reader.count()?;
            let inside = usize::try_from(cell).is_ok_and(|cell| cell < n_psi);
            u16::try_from(cell)
                .ok()
                .filter(|_| inside)
                .ok_or_else(|| damaged(format!("there is no cell {cell}")))
        })
        .collect::<Result<Vec<_>>>()?;
    if n_psi == 0 || n_psi > n_cells + 1 {
        return Err(damaged(format!("{n_psi} cells of psi on {n_cells} cells")));
    }
    let means = (0..n_cells).map(|_| reader.float()).collect::<Result<Vec<_>>>()?;
    if means.iter().any(|mean| mean.is_nan()) {
        return Err(damaged("a mean is not a number".to_owned()));
    }
    let values = reader.count()?;
    let scale = Scale { center: reader.float()?, exponent_x: reader.short()?, exponent_xx: reader.short()? };
    if !scale.center.is_finite()
        || scale.exponent_x.unsigned_abs() > 1000
        || scale.exponent_xx.unsigned_abs() > 1000
    {
        return Err(damaged("the scale of sums is out of range".to_owned()));
    }
    Ok(NumericCells {
        value_type,
        edges,
        core,
        exact,
        sampled,
        range,
        psi: PsiCells { cell_of, n_cells: n_psi, between: between.then(|| n_psi - 1) },
        means,
        values,
        scale,
    })
}

fn read_edges(reader: &mut Reader<'_>, domain: Domain) -> Result<Edges> {
    fn read<T: PartialOrd>(
        reader: &mut Reader<'_>,
        width: usize,
        mut one: impl FnMut(&mut Reader<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let n = reader.length(width)?;
        if n > crate::kernel::MAX_EDGES {
            return Err(damaged(format!("{n} edges are more than a feature has")));
        }
        let edges = (0..n).map(|_| one(reader)).collect::<Result<Vec<T>>>()?;
        // Also refuses NaN, which is not less than anything.
        if edges.windows(2).all(|pair| pair[0] < pair[1]) {
            return Ok(edges);
        }
        Err(damaged("the edges are not sorted".to_owned()))
    }
    let edges = match domain {
        Domain::F32 => Edges::F32(read(reader, 4, |r| r.narrow())?),
        Domain::F64 => Edges::F64(read(reader, 8, |r| r.float())?),
        Domain::I64 => Edges::I64(read(reader, 8, |r| r.long())?),
        Domain::I128 => Edges::I128(read(reader, 16, |r| r.wide())?),
    };
    // Infinities have cells of their own, and what is computed from float edges relies on it.
    let bordered = match &edges {
        Edges::F32(edges) => edges.first() == Some(&f32::NEG_INFINITY) && edges.last() == Some(&f32::MAX),
        Edges::F64(edges) => edges.first() == Some(&f64::NEG_INFINITY) && edges.last() == Some(&f64::MAX),
        Edges::I64(_) | Edges::I128(_) => true,
    };
    if bordered { Ok(edges) } else { Err(damaged("float edges do not reach to the infinities".to_owned())) }
}

fn write_type(writer: &mut Writer, value_type: ValueType) {
    writer.byte(match value_type.family {
        Family::Number => 0,
        Family::Time => 1,
        Family::Text => 2,
        Family::Bool => 3,
        Family::Vector => 4,
    });
    writer.byte(match value_type.domain {
        Domain::F32 => 0,
        Domain::F64 => 1,
        Domain::I64 => 2,
        Domain::I128 => 3,
    });
    writer.wide(value_type.unit.numerator);
    writer.wide(value_type.unit.denominator);
}

fn read_type(reader: &mut Reader<'_>) -> Result<ValueType> {
    let family = match reader.byte()? {
        0 => Family::Number,
        1 => Family::Time,
        2 => Family::Text,
        3 => Family::Bool,
        other => return Err(damaged(format!("there is no type {other}"))),
    };
    let domain = match reader.byte()? {
        0 => Domain::F32,
        1 => Domain::F64,
        2 => Domain::I64,
        3 => Domain::I128,
        other => return Err(damaged(format!("there is no number type {other}"))),
    };
    let unit = Unit { numerator: reader.wide()?, denominator: reader.wide()? };
    if unit.numerator < 1 || unit.denominator < 1 {
        return Err(damaged("a unit is not positive".to_owned()));
    }
    Ok(ValueType { family, domain, unit })
}
