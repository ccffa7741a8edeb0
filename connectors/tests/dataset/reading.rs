//! What comes out of a part: the right rows, in order, in bounded batches, for any encoding.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, Int64Array, RecordBatch, StringArray, StructArray, TimestampNanosecondArray,
};
use arrow_schema::{DataType, Field, TimeUnit};
use driftlead_connectors::dataset::{Dataset, Part, ReadOptions};
use driftlead_connectors::error::ErrorKind;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int96, Int96Type};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::files::{Folder, batch, flights, integers, open, read, strings, texts};

#[test]
fn every_codec_and_page_version() {
    let folder = Folder::new();
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ];
    for codec in codecs {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let path = folder.parquet_with("a.parquet", &flights(0, 5000), |properties| {
                properties.set_compression(codec).set_writer_version(version)
            });
            let data = open(&[&path]).unwrap();
            assert_eq!(integers(&data, "id"), (0..5000).collect::<Vec<i64>>(), "{codec} {version:?}");
            assert_eq!(strings(&data, "origin")[4], Some("ORD".to_owned()), "{codec} {version:?}");
        }
    }
}

#[test]
fn batches_are_bounded_and_in_order() {
    let folder = Folder::new();
    let path =
        folder.parquet_with("a.parquet", &flights(0, 2500), |p| p.set_max_row_group_row_count(Some(1000)));
    let data = open(&[&path]).unwrap();
    let rows: Vec<Option<u64>> = data.parts().iter().map(|part| part.rows).collect();
    assert_eq!(rows, [Some(1000), Some(1000), Some(500)]);
    let first: Vec<Option<u64>> = data.parts().iter().map(|part| part.first_row).collect();
    assert_eq!(first, [Some(0), Some(1000), Some(2000)]);
    let sizes: Vec<usize> =
        read(&data, &data.parts()[0], &["delay"], 300).iter().map(RecordBatch::num_rows).collect();
    assert_eq!(sizes, [300, 300, 300, 100]);
    assert_eq!(integers(&data, "id"), (0..2500).collect::<Vec<i64>>());
}

#[test]
fn columns_come_in_the_order_asked_for() {
    let folder = Folder::new();
    folder.parquet("k=v/a.parquet", &flights(0, 10));
    let data = open(&[&folder.text("")]).unwrap();
    let batches = read(&data, &data.parts()[0], &["k", "origin", "id"], 100);
    let names: Vec<String> = batches[0].schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["k", "origin", "id"]);
    assert_eq!(texts(batches[0].column(0))[9], Some("v".to_owned()));
    assert_eq!(texts(batches[0].column(1))[1], Some("DEN".to_owned()));
    assert_eq!(batches[0].column(2).as_primitive::<Int64Type>().value(9), 9);

    let counted = read(&data, &data.parts()[0], &[], 4);
    assert_eq!(counted.iter().map(RecordBatch::num_rows).collect::<Vec<usize>>(), [4, 4, 2]);
    let constant = read(&data, &data.parts()[0], &["k"], 4);
    assert_eq!(constant.iter().map(RecordBatch::num_rows).sum::<usize>(), 10);

    let again = data.read(&data.parts()[0], &[0, 0], &ReadOptions::default()).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Misconfigured);
}

#[test]
fn strings_come_by_key_with_one_dictionary_a_row_group() {
    let folder = Folder::new();
    let path = folder.parquet("a.parquet", &flights(0, 5000));
    let data = open(&[&path]).unwrap();
    assert_eq!(data.schema().field(2).data_type(), &DataType::Utf8);
    let batches = read(&data, &data.parts()[0], &["origin"], 1000);
    assert_eq!(batches.len(), 5);
    let first = batches[0].column(0).as_dictionary::<Int32Type>().values().clone();
    assert_eq!(first.len(), 5);
    for batch in &batches {
        let values = batch.column(0).as_dictionary::<Int32Type>().values();
        assert!(Arc::ptr_eq(values, &first), "one dictionary for all batches of a row group");
    }
}

#[test]
fn strings_without_a_dictionary_come_plain() {
    let folder = Folder::new();
    let ids: StringArray = (0..5000).map(|id| Some(format!("passenger-{id:020}"))).collect();
    let column = batch(vec![("id", Arc::new(ids) as ArrayRef)]);
    // The dictionary outgrows its page: the writer gives it up half-way.
    let half = folder.parquet_with("a.parquet", &column, |p| p.set_dictionary_page_size_limit(10_000));
    let none = folder.parquet_with("b.parquet", &column, |p| p.set_dictionary_enabled(false));
    for path in [half, none] {
        let data = open(&[&path]).unwrap();
        let batches = read(&data, &data.parts()[0], &["id"], 1000);
        assert!(batches.iter().all(|batch| batch.column(0).data_type() == &DataType::Utf8));
        assert_eq!(strings(&data, "id")[4999], Some(format!("passenger-{:020}", 4999)));
    }
}

#[test]
fn encodings_of_strings_are_one_type() {
    let folder = Folder::new();
    let plain = StringArray::from(vec![Some("a"), None, Some("b")]);
    let types = [
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
        DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::LargeUtf8)),
    ];
    for (index, data_type) in types.iter().enumerate() {
        let array = arrow_cast::cast(&plain, data_type).unwrap();
        folder.parquet(&format!("data/{index}.parquet"), &batch(vec![("s", array)]));
    }
    let data = open(&[&folder.text("data")]).unwrap();
    assert_eq!(data.schema().field(0).data_type(), &DataType::Utf8);
    let expected = [Some("a".to_owned()), None, Some("b".to_owned())];
    assert_eq!(
        strings(&data, "s"),
        [expected.clone(), expected.clone(), expected.clone(), expected].concat()
    );
}

#[test]
fn nested_columns_may_stand_beside() {
    let folder = Folder::new();
    let inner = StructArray::from(vec![
        (
            Arc::new(Field::new("id", DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![7; 10])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("s", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec!["x"; 10])) as ArrayRef,
        ),
    ]);
    let flights = flights(0, 10);
    let nested = batch(vec![
        ("before", Arc::new(inner.clone()) as ArrayRef),
        ("id", flights.column(0).clone()),
        ("origin", flights.column(2).clone()),
        ("after", Arc::new(inner) as ArrayRef),
    ]);
    let path = folder.parquet("a.parquet", &nested);
    let data = open(&[&path]).unwrap();
    assert_eq!(integers(&data, "id"), (0..10).collect::<Vec<i64>>());
    assert_eq!(strings(&data, "origin")[0], Some("ATL".to_owned()));
    let whole = read(&data, &data.parts()[0], &["after", "id"], 10);
    assert_eq!(whole[0].column(0).as_struct().column(0).as_primitive::<Int64Type>().value(3), 7);
}

#[test]
fn old_spark_timestamps_do_not_wrap() {
    let folder = Folder::new();
    let schema = Arc::new(parse_message_type("message m { optional int96 t; }").unwrap());
    let path = folder.path("a.parquet");
    let file = std::fs::File::create(&path).unwrap();
    let mut writer =
        SerializedFileWriter::new(file, schema, Arc::new(WriterProperties::builder().build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    // 9999-12-31T00:00:00 is Julian day 5373484: beyond what nanoseconds in 64 bits can say.
    let mut value = Int96::new();
    value.set_data(0, 0, 5_373_484);
    column.typed::<Int96Type>().write_batch(&[value], Some(&[1]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    let data = open(&[path.to_str().unwrap()]).unwrap();
    assert_eq!(data.schema().field(0).data_type(), &DataType::Timestamp(TimeUnit::Microsecond, None));
    let batches = read(&data, &data.parts()[0], &["t"], 10);
    let micros = batches[0].column(0).as_primitive::<arrow_array::types::TimestampMicrosecondType>().value(0);
    assert_eq!(micros, 253_402_214_400_000_000);
}

#[test]
fn files_of_other_writers_without_arrow_metadata() {
    let folder = Folder::new();
    let schema = Arc::new(parse_message_type("message m { required binary s (UTF8); }").unwrap());
    let path = folder.path("a.parquet");
    let file = std::fs::File::create(&path).unwrap();
    let mut writer =
        SerializedFileWriter::new(file, schema, Arc::new(WriterProperties::builder().build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<ByteArrayType>()
        .write_batch(&[ByteArray::from("é"), ByteArray::from("b")], None, None)
        .unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    let data = open(&[path.to_str().unwrap()]).unwrap();
    assert_eq!(strings(&data, "s"), [Some("é".to_owned()), Some("b".to_owned())]);
}

fn rows(data: &Dataset, part: &Part, column: &str, ranges: &[std::ops::Range<u64>]) -> Vec<RecordBatch> {
    let column = data.column(column).unwrap();
    data.read_rows(part, &[column], ranges, &ReadOptions { batch_rows: 64 })
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn chosen_rows_are_read_and_no_others() {
    let folder = Folder::new();
    for (name, paged) in [("plain.parquet", false), ("indexed.parquet", true)] {
        let path = folder.parquet_with(name, &flights(0, 10_000), |p| {
            p.set_data_page_row_count_limit(500)
                .set_write_batch_size(100)
                .set_offset_index_disabled(!paged)
                .set_statistics_enabled(if paged {
                    EnabledStatistics::Page
                } else {
                    EnabledStatistics::Chunk
                })
        });
        let data = open(&[&path]).unwrap();
        let part = &data.parts()[0];
        let ranges = [0..1, 700..703, 4000..4200, 9999..10_000];
        let expected: Vec<i64> =
            ranges.iter().flat_map(|range| range.start as i64..range.end as i64).collect();
        let batches = rows(&data, part, "id", &ranges);
        assert!(batches.iter().all(|batch| batch.num_rows() <= 64));
        let ids: Vec<i64> = batches
            .iter()
            .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec())
            .collect();
        assert_eq!(ids, expected, "{name}");
        let origins: Vec<Option<String>> =
            rows(&data, part, "origin", &ranges).iter().flat_map(|batch| texts(batch.column(0))).collect();
        assert_eq!(origins[1], Some("ATL".to_owned()), "row 700 in {name}");
        let delays = rows(&data, part, "delay", &[699..702]);
        let delays = delays[0].column(0).as_primitive::<Float64Type>();
        assert_eq!((delays.value(0), delays.is_null(1), delays.value(2)), (69.9, true, 70.1), "{name}");
        assert!(rows(&data, part, "id", &[]).is_empty());

        // Lone rows, far apart.
        let every: Vec<std::ops::Range<u64>> = (0..100).map(|k| k * 100..k * 100 + 1).collect();
        let ids: Vec<i64> = rows(&data, part, "id", &every)
            .iter()
            .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec())
            .collect();
        assert_eq!(ids, (0..100).map(|k| k * 100).collect::<Vec<i64>>());
    }
}

#[test]
fn pages_without_a_wanted_row_are_not_decoded() {
    let folder = Folder::new();
    let path = folder.parquet_with("a.parquet", &flights(0, 10_000), |p| {
        p.set_dictionary_enabled(false)
            .set_compression(Compression::SNAPPY)
            .set_data_page_row_count_limit(1000)
            .set_write_batch_size(1000)
    });
    // Ruin the compressed integers of the sixth of ten pages.
    let footer = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
    let (start, length) = footer.metadata().row_group(0).column(0).byte_range();
    let middle = (start + length * 55 / 100) as usize;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[middle..middle + 200].fill(0xff);
    let path = folder.bytes("bad.parquet", &bytes);
    let data = open(&[&path]).unwrap();
    let part = &data.parts()[0];
    let mut all = data.read(part, &[0], &ReadOptions::default()).unwrap();
    assert!(all.any(|batch| batch.is_err()), "the damage is in the column");
    let around = rows(&data, part, "id", &[4000..4001, 7000..7001]);
    assert_eq!(around[0].column(0).as_primitive::<Int64Type>().values(), &[4000, 7000]);
}

#[test]
fn ranges_are_checked() {
    let folder = Folder::new();
    let path = folder.parquet("a.parquet", &flights(0, 100));
    let data = open(&[&path]).unwrap();
    for ranges in [vec![50..101], vec![10..20, 15..30], vec![20..30, 0..10]] {
        let error = data.read_rows(&data.parts()[0], &[0], &ranges, &ReadOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert!(error.to_string().contains("sorted and disjoint"), "{error}");
    }
}

#[test]
fn statistics_are_given_where_the_file_has_them() {
    let folder = Folder::new();
    let path = folder.parquet("a.parquet", &flights(1, 100));
    let data = open(&[&path]).unwrap();
    let part = &data.parts()[0];
    let id = data.statistics(part, 0).unwrap().unwrap();
    assert_eq!(id.min.as_primitive::<Int64Type>().value(0), 1);
    assert_eq!(id.max.as_primitive::<Int64Type>().value(0), 100);
    assert_eq!((id.nulls, id.exact), (Some(0), true));
    let delay = data.statistics(part, 1).unwrap().unwrap();
    assert_eq!(delay.max.as_primitive::<Float64Type>().value(0), 10.0);
    assert_eq!(delay.nulls, Some(14));
    let origin = data.statistics(part, 2).unwrap().unwrap();
    assert_eq!(texts(&origin.min), [Some("ATL".to_owned())]);

    let path = folder
        .parquet_with("b.parquet", &flights(1, 100), |p| p.set_statistics_enabled(EnabledStatistics::None));
    let data = open(&[&path]).unwrap();
    assert!(data.statistics(&data.parts()[0], 0).unwrap().is_none());
}

#[test]
fn small_columns_are_grouped() {
    let folder = Folder::new();
    let path = folder.parquet("a.parquet", &flights(0, 100));
    let data = open(&[&path]).unwrap();
    assert_eq!(data.column_groups(&data.parts()[0], &[2, 0, 1]).unwrap(), [[2, 0, 1]]);
    let path = folder.parquet_with("b.parquet", &flights(0, 200_000), |p| p.set_dictionary_enabled(false));
    let data = open(&[&path]).unwrap();
    assert_eq!(data.column_groups(&data.parts()[0], &[0, 1]).unwrap(), [[0], [1]]);
}

#[test]
fn parts_can_be_read_from_many_threads() {
    let folder = Folder::new();
    let path =
        folder.parquet_with("a.parquet", &flights(0, 20_000), |p| p.set_max_row_group_row_count(Some(1000)));
    let data = open(&[&path]).unwrap();
    let mut sums: Vec<(usize, i64)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|worker| {
                let data = &data;
                scope.spawn(move || {
                    let parts = data.parts().iter().filter(|part| part.index % 8 == worker);
                    parts
                        .map(|part| {
                            let batches = read(data, part, &["id"], 100);
                            let sum = |b: &RecordBatch| {
                                b.column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>()
                            };
                            (part.index, batches.iter().map(sum).sum())
                        })
                        .collect::<Vec<(usize, i64)>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    sums.sort_unstable();
    let expected: Vec<(usize, i64)> =
        (0..20).map(|part| (part as usize, (part * 1000..(part + 1) * 1000).sum())).collect();
    assert_eq!(sums, expected);
}

#[test]
fn timestamps_keep_unit_and_zone() {
    let folder = Folder::new();
    let times = TimestampNanosecondArray::from(vec![1, 2]).with_timezone("UTC");
    let path = folder.parquet("a.parquet", &batch(vec![("t", Arc::new(times) as ArrayRef)]));
    let data = open(&[&path]).unwrap();
    let expected = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    assert_eq!(data.schema().field(0).data_type(), &expected);
    assert_eq!(read(&data, &data.parts()[0], &["t"], 10)[0].column(0).data_type(), &expected);
}
