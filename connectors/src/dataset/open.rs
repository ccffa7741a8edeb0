//! Opening a data set: find the files, read their schemas in parallel, and see that they fit together.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::schema::{Origin, Union};
use super::{Dataset, File, Format, OpenOptions, add_parts};
use crate::error::{Error, Result};
use crate::location::{self, Object};
use crate::source::Source;
use crate::source::parquet::{MetadataCache, ParquetFile};
use crate::source::whole::{Kind, WholeFile};

/// Footers that are fetched from a store at the same time: they cost latency, not bandwidth.
const REMOTE_OPENS: usize = 16;

/// The files that inputs name, sorted by name.
pub(super) fn list(inputs: &[String], options: &OpenOptions) -> Result<Vec<Object>> {
    location::expand(inputs, &options.remotes, Format::accepts)
}

pub(super) fn open(objects: Vec<Object>, options: &OpenOptions) -> Result<Dataset> {
    let format = common_format(&objects)?;
    let mut sources = open_all(&objects, format)?;
    let is_text = format.is_text();
    if is_text {
        declare(&mut sources, options);
    }

    let mut files: Vec<File> = Vec::with_capacity(objects.len());
    let mut parts = Vec::new();
    let mut union: Option<Union> = None;
    for (object, source) in objects.into_iter().zip(sources) {
        let origins: Arc<[Origin]> = match &mut union {
            None => {
                let (first, origins) = Union::new(
                    object.name(),
                    source.schema(),
                    object.partitions(),
                    options.columns.as_deref(),
                )?;
                union = Some(first);
                origins.into()
            }
            Some(union) => {
                let origins = union.add(object.name(), source.schema(), object.partitions())?;
                match files.last() {
                    Some(last) if *last.origins == origins[..] => Arc::clone(&last.origins),
                    _ => origins.into(),
                }
            }
        };
        add_parts(&mut parts, files.len(), source.groups());
        files.push(File { object, source, origins });
    }
    let Some(union) = union else {
        return Err(Error::misconfigured("no file was found"));
    };
    let mut schema = union.into_schema();
    if is_text {
        schema = without_null(&schema);
        for file in &mut files {
            file.source.settle(&schema);
        }
    }
    Ok(Dataset { format, schema, files, parts })
}

/// Gives text files the types that the caller declares, and JSON files the keys that other files have.
fn declare(sources: &mut [Box<dyn Source>], options: &OpenOptions) {
    let mut names: Vec<String> = Vec::new();
    let own =
        sources.iter().flat_map(|source| source.schema().fields().iter().map(|field| field.name().clone()));
    for name in own.chain(options.types.keys().cloned()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let declared: Vec<Field> =
        options.types.iter().map(|(name, data_type)| Field::new(name, data_type.clone(), true)).collect();
    let declared = Schema::new(declared);
    for source in sources {
        source.expect(&names);
        source.settle(&declared);
    }
}

/// A text column that is null in every sample is one of strings, should there be any after all.
fn without_null(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Null => field.as_ref().clone().with_data_type(DataType::Utf8),
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<Field>>()))
}

fn common_format(objects: &[Object]) -> Result<Format> {
    let mut common: Option<(Format, &Object)> = None;
    for object in objects {
        let format = Format::of_object(object)?;
        match common {
            None => common = Some((format, object)),
            Some((first, _)) if first == format => {}
            Some((first, other)) => {
                return Err(Error::misconfigured(format!(
                    "`{}` is {first} and `{}` is {format}: files of one set must have one format; name them apart",
                    other.name(),
                    object.name()
                )));
            }
        }
    }
    common.map(|(format, _)| format).ok_or_else(|| Error::misconfigured("no file was found"))
}

/// Opens all files, several at a time. Of several errors, the one of the first file in order is returned.
fn open_all(objects: &[Object], format: Format) -> Result<Vec<Box<dyn Source>>> {
    let cache = Arc::new(MetadataCache::default());
    let open_one = |id: usize, object: &Object| -> Result<Box<dyn Source>> {
        match format {
            Format::Parquet => Ok(Box::new(ParquetFile::open(object.clone(), id, Arc::clone(&cache))?)),
            Format::Csv => Ok(Box::new(WholeFile::open(object.clone(), Kind::Csv)?)),
            Format::Ndjson => Ok(Box::new(WholeFile::open(object.clone(), Kind::Ndjson)?)),
            Format::Arrow => Ok(Box::new(WholeFile::open(object.clone(), Kind::Arrow)?)),
            Format::Mdc => Ok(Box::new(WholeFile::open(object.clone(), Kind::Mdc)?)),
        }
    };
    let threads = match objects.iter().any(Object::is_remote) {
        true => REMOTE_OPENS,
        false => std::thread::available_parallelism().map_or(1, NonZero::get),
    };
    let next = AtomicUsize::new(0);
    let opened = Mutex::new(Vec::with_capacity(objects.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(objects.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(object) = objects.get(index) else { break };
                    let source = open_one(index, object);
                    let failed = source.is_err();
                    opened.lock().unwrap_or_else(PoisonError::into_inner).push((index, source));
                    if failed {
                        // Files are taken in order: all before this one are being opened or are open.
                        next.store(objects.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut opened = opened.into_inner().unwrap_or_else(PoisonError::into_inner);
    opened.sort_by_key(|(index, _)| *index);
    opened.into_iter().map(|(_, source)| source).collect()
}
