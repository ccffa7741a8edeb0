//! What expressions give, what is refused, and that the answer does not depend on the batches.

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{
    Array, Date32Array, Decimal128Array, Float16Array, Float64Array, Int8Array, Int64Array, ListArray,
    StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, TimeUnit};
use arrow_select::concat::concat_batches;
use half::f16;

use super::*;
use crate::source::BadRecords;

const ROWS: usize = 103;

/// One column of each kind, with nulls in all but `id`.
fn flights() -> RecordBatch {
    let some = |i: usize, k: usize| !i.is_multiple_of(k);
    let rows = || 0..ROWS;
    let mut carrier = StringDictionaryBuilder::<Int32Type>::new();
    for i in rows() {
        carrier.append_option(some(i, 9).then_some(["AA", "DL"][i % 2]));
    }
    let zoned: TimestampMicrosecondArray =
        rows().map(|i| some(i, 8).then_some(978_307_200_000_000 + i as i64 * 3_600_000_000)).collect();
    let lists =
        ListArray::from_iter_primitive::<Float64Type, _, _>(rows().map(|i| Some(vec![Some(i as f64)])));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from_iter_values(rows().map(|i| i as i64 + (1 << 53))))),
        ("delay", Arc::new(rows().map(|i| some(i, 5).then_some(i as f64 - 50.5)).collect::<Float64Array>())),
        (
            "origin",
            Arc::new(
                rows()
                    .map(|i| some(i, 7).then_some(["ATL", "JFK", "Zürich"][i % 3]))
                    .collect::<StringArray>(),
            ),
        ),
        ("carrier", Arc::new(carrier.finish())),
        ("small", Arc::new(rows().map(|i| some(i, 6).then_some(i as i8)).collect::<Int8Array>())),
        (
            "half",
            Arc::new(
                rows().map(|i| some(i, 4).then_some(f16::from_f64(i as f64 / 4.0))).collect::<Float16Array>(),
            ),
        ),
        (
            "fare",
            Arc::new(
                rows()
                    .map(|i| some(i, 11).then_some(i as i128 * 25))
                    .collect::<Decimal128Array>()
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
        ),
        ("day", Arc::new(rows().map(|i| some(i, 10).then_some(11_323 + i as i32)).collect::<Date32Array>())),
        ("at", Arc::new(zoned.with_timezone("America/New_York"))),
        ("text", Arc::new(rows().map(|i| Some(["1.5", "x", "2001-01-10"][i % 3])).collect::<StringArray>())),
        ("list", Arc::new(lists)),
    ];
    let fields: Vec<_> = columns.iter().map(|(n, c)| Field::new(*n, c.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, c)| c).collect())
        .unwrap()
}

fn prepare(where_sql: Option<&str>, derived: &[(&str, &str)]) -> Prepare {
    Prepare::new(where_sql, derived, flights().schema_ref()).unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// The rows that a condition keeps, by their number.
fn kept(sql: &str) -> Vec<usize> {
    let prepared = prepare(Some(sql), &[]).apply(&flights()).unwrap();
    let ids = prepared.batch.column(0).as_primitive::<Int64Type>();
    assert_eq!(prepared.excluded as usize, ROWS - ids.len(), "{sql}");
    let found: Vec<_> = ids.values().iter().map(|id| (id - (1 << 53)) as usize).collect();
    match prepared.kept {
        Some(mask) => assert_eq!(mask.set_indices().collect::<Vec<_>>(), found),
        None => assert_eq!(found.len(), ROWS),
    }
    found
}

fn derived(sql: &str) -> ArrayRef {
    let batch = prepare(None, &[("v", sql)]).apply(&flights()).unwrap().batch;
    Arc::clone(batch.column_by_name("v").unwrap())
}

fn refused(sql: &str) -> Refusal {
    Prepare::new(None, &[("v", sql)], flights().schema_ref())
        .err()
        .unwrap_or_else(|| panic!("`{sql}` was taken"))
}

#[test]
fn conditions_keep_rows_and_null_is_false() {
    let rows = |keep: &dyn Fn(usize) -> bool| (0..ROWS).filter(|&i| keep(i)).collect::<Vec<_>>();
    let delay = |i: usize| (!i.is_multiple_of(5)).then_some(i as f64 - 50.5);
    assert_eq!(kept("delay > 0"), rows(&|i| delay(i).is_some_and(|d| d > 0.0)));
    assert_eq!(kept("NOT (delay > 0)"), rows(&|i| delay(i).is_some_and(|d| d <= 0.0)));
    assert_eq!(
        kept("delay > 0 OR origin = 'ATL'"),
        rows(&|i| delay(i).is_some_and(|d| d > 0.0) || (i % 7 != 0 && i % 3 == 0))
    );
    assert_eq!(kept("delay IS NULL"), rows(&|i| i % 5 == 0));
    assert_eq!(kept("id = 9007199254740993"), [1], "integers beyond 2^53 stay exact");
    assert_eq!(kept("delay BETWEEN -1 AND 1"), rows(&|i| delay(i).is_some_and(|d| d.abs() <= 1.0)));
    assert_eq!(kept("origin IN ('JFK', 'LAX')"), rows(&|i| i % 7 != 0 && i % 3 == 1));
    assert_eq!(kept("origin LIKE 'Z_r%'"), rows(&|i| i % 7 != 0 && i % 3 == 2));
    assert_eq!(kept("carrier = 'DL'"), rows(&|i| i % 9 != 0 && i % 2 == 1));
    assert_eq!(kept("small >= 100"), rows(&|i| i % 6 != 0 && i >= 100));
    assert_eq!(kept("half = 0.25"), [1]);
    assert_eq!(kept("fare = 25.75"), rows(&|i| i % 11 != 0 && i == 103));
    assert_eq!(kept("fare > 25.25"), [102]);
    assert_eq!(kept("day = '2001-01-02'"), [1]);
    assert_eq!(kept("day >= DATE '2001-04-10'"), rows(&|i| i % 10 != 0 && i >= 99));
    assert_eq!(kept("at = '2001-01-01 01:00:00'"), [1], "zones are compared as UTC");
    assert_eq!(kept("delay > 1000"), [0_usize; 0]);
    assert_eq!(kept("id > 0").len(), ROWS);
}

/// Polars takes a number for a float only if it has a point; people write `1e9`.
#[test]
fn numbers_may_have_an_exponent() {
    assert_eq!(kept("delay < 1e1"), kept("delay < 10.0"));
    assert_eq!(kept("delay BETWEEN -1E+1 AND 2.5e-1"), kept("delay BETWEEN -10.0 AND 0.25"));
    assert_eq!(kept("delay > -.5e1"), kept("delay > -5.0"));
    assert_eq!(kept("delay IN (5e-1, 1.5)"), kept("delay = 0.5 OR delay = 1.5"));
    assert_eq!(kept("CASE WHEN small > 1e1 THEN 1e9 ELSE 0.0 END > 5e8"), kept("small > 10"));
    let scaled = derived("delay * 1e9");
    assert_eq!(scaled.as_primitive::<Float64Type>().value(1), -49.5e9);
    assert_eq!(derived("small * 1e0").data_type(), derived("small * 1.0").data_type(), "it is a float");
    assert_eq!(kept("origin = '1e9'"), [0_usize; 0], "text stays text");

    let position = |sql: &str| (refused(sql).position, refused(sql).reason);
    let (at, reason) = position("delay < 1e999");
    assert_eq!(
        (at, reason.as_str()),
        (Some((1, 9)), "`1e999` is beyond the largest 64-bit float, about 1.8e308")
    );
    let (at, reason) = position("id = 9223372036854775808");
    assert_eq!(at, Some((1, 6)));
    assert!(reason.ends_with("write `9223372036854775808.0` to use the float that is nearest"), "{reason}");
}

#[test]
fn derived_columns_hold_values() {
    let ratio = derived("ROUND(ABS(delay) / 2, 1)");
    assert_eq!(ratio.as_primitive::<Float64Type>().value(1), 24.8);
    assert!(ratio.is_null(5));
    let text = derived("CASE WHEN delay > 0 THEN UPPER(origin) ELSE COALESCE(LOWER(origin), '?') END");
    let text = text.as_string::<i32>();
    assert_eq!(
        (text.value(7), text.value(1), text.value(2), text.value(51), text.value(53)),
        ("?", "jfk", "zürich", "ATL", "ZÜRICH")
    );
    let number = derived("CAST(text AS DOUBLE)");
    assert_eq!(
        number.as_primitive::<Float64Type>().iter().take(3).collect::<Vec<_>>(),
        [Some(1.5), None, None]
    );
    let time = derived("STRPTIME(text, '%Y-%m-%d')");
    assert_eq!(time.data_type(), &DataType::Timestamp(TimeUnit::Microsecond, None));
    assert!(time.is_null(0) && time.is_null(1) && time.is_valid(2));
    let hour = derived("EXTRACT(HOUR FROM at)");
    let hour = arrow_cast::cast(&hour, &DataType::Int64).unwrap();
    assert_eq!(hour.as_primitive::<Int64Type>().value(25), 1);
    assert_eq!(derived("LOG10(half)").data_type(), &DataType::Float32);
    assert_eq!(derived("delay > 0").data_type(), &DataType::Boolean);
    assert_eq!(derived("fare").data_type(), &DataType::Decimal128(10, 2));
}

#[test]
fn the_schema_is_known_beforehand_and_other_columns_keep_their_types() {
    let batch = flights();
    let prepare = prepare(
        Some("delay > 0 AND carrier = 'AA'"),
        &[("late", "delay / 60"), ("short", "SUBSTR(origin, 1, 1)")],
    );
    assert_eq!(prepare.input_columns(), ["carrier", "delay", "origin"]);
    let prepared = prepare.apply(&batch).unwrap();
    assert_eq!(prepared.batch.schema_ref(), prepare.output_schema());
    assert_eq!(prepared.batch.schema_ref().fields()[..batch.num_columns()], batch.schema_ref().fields()[..]);
    assert_eq!(prepared.batch.schema_ref().field(12).data_type(), &DataType::Utf8);
    let empty = prepare.apply(&batch.slice(0, 0)).unwrap();
    assert_eq!((empty.batch.schema_ref(), empty.batch.num_rows()), (prepare.output_schema(), 0));

    let few = batch.project(&[1, 3, 2]).unwrap();
    let prepared = prepare.apply(&few).unwrap();
    assert_eq!(prepared.batch.num_columns(), 5);
    let error = prepare.apply(&batch.project(&[1]).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "no column `carrier`, which an expression needs: read it along");

    let nothing = Prepare::new(None, &[], batch.schema_ref()).unwrap();
    assert_eq!(nothing.apply(&batch).unwrap().batch, batch);
}

/// A schema says text where a file's batches hold dictionaries.
#[test]
fn a_whole_batch_may_hold_text_as_a_dictionary() {
    let batch = flights();
    let fields: Vec<Field> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            DataType::Dictionary(_, values) => field.as_ref().clone().with_data_type(values.as_ref().clone()),
            _ => field.as_ref().clone(),
        })
        .collect();
    let stated = Arc::new(Schema::new(fields));
    let sql = "carrier = 'AA'";
    let prepared = Prepare::new(Some(sql), &[], &stated).unwrap().apply(&batch).unwrap();
    assert_eq!(prepared.batch.num_rows(), kept(sql).len());
    let carrier = prepared.batch.schema().field_with_name("carrier").unwrap().data_type().clone();
    assert!(matches!(carrier, DataType::Dictionary(..)), "{carrier}");
}

#[test]
fn any_split_gives_the_same_rows() {
    let batch = flights();
    let expressions = [
        ("a", "CASE WHEN delay > 0 THEN delay * 2 + small ELSE POWER(half, 2) END"),
        ("b", "CONCAT_WS('-', origin, carrier)"),
        ("c", "CAST(text AS DOUBLE)"),
        ("d", "STRPTIME(text, '%Y-%m-%d')"),
        ("e", "DATE_PART('month', day)"),
        ("f", "GREATEST(delay, half, 3)"),
        ("g", "REPLACE(origin, 'A', 'b') LIKE '%b%' AND REGEXP_LIKE(text, '^[0-9]')"),
        ("h", "COALESCE(NULLIF(small, 7), id) IN (1, 2, 9007199254740995)"),
        ("i", "fare * 2 BETWEEN 1 AND 20"),
        ("j", "day + INTERVAL '1 day'"),
        ("k", "STRFTIME(at, '%H:%M')"),
        ("l", "delay IS NOT DISTINCT FROM half"),
        ("m", "MOD(id, 7) + SIGN(delay)"),
        ("n", "LEFT(origin, 2) || RIGHT(carrier, 1)"),
        ("o", "CAST(delay AS BIGINT)"),
        ("p", "SUBSTR(origin, 2, 1)"),
    ];
    let prepare = prepare(Some("delay > -40 OR origin <> 'ATL'"), &expressions);
    let whole = prepare.apply(&batch).unwrap();
    assert!(whole.excluded > 0);
    for step in [1, 2, 7, 50, 102] {
        let parts: Vec<_> = (0..ROWS)
            .step_by(step)
            .map(|from| prepare.apply(&batch.slice(from, step.min(ROWS - from))).unwrap())
            .collect();
        let joined = concat_batches(prepare.output_schema(), parts.iter().map(|p| &p.batch)).unwrap();
        assert_eq!(joined, whole.batch, "{step}");
        assert_eq!(parts.iter().map(|p| p.excluded).sum::<u64>(), whole.excluded);
    }
}

#[test]
fn every_accepted_function_is_row_wise() {
    // A second argument where one is needed; a split batch must give what the whole gives.
    let batch = flights();
    let (mut taken, mut refused) = (0, Vec::new());
    for name in syntax::ROW_WISE {
        let shapes = [
            format!("{name}(delay)"),
            format!("{name}(delay, 2)"),
            format!("{name}(origin)"),
            format!("{name}(origin, 'A')"),
            format!("{name}(origin, 2)"),
            format!("{name}(origin, 'A', 'b')"),
            format!("{name}(origin, 8, '*')"),
            format!("{name}(origin, 'A', 1)"),
            format!("{name}(text, '%Y-%m-%d')"),
            format!("{name}(at, '%H')"),
            format!("{name}('year', at)"),
            format!("{name}(delay > 0, delay, half)"),
            format!("{name}(id, 3)"),
        ];
        let mut any = false;
        for sql in shapes {
            let Ok(prepare) = Prepare::new(None, &[("v", &sql)], batch.schema_ref()) else { continue };
            let Ok(whole) = prepare.apply(&batch) else { continue };
            any = true;
            for (from, to) in [(0, 1), (1, 2), (2, 40), (40, ROWS)] {
                let part = prepare.apply(&batch.slice(from, to - from)).unwrap();
                assert_eq!(part.batch, whole.batch.slice(from, to - from), "{sql} in rows {from} to {to}");
            }
        }
        if any {
            taken += 1;
        } else {
            refused.push(name);
        }
    }
    assert_eq!(refused, [&""; 0], "{taken} were taken");
}

#[test]
fn what_looks_at_other_rows_is_refused() {
    for sql in [
        "AVG(delay)",
        "delay > AVG(delay)",
        "COUNT(*)",
        "MAX(delay) OVER (PARTITION BY origin)",
        "ROW_NUMBER() OVER (ORDER BY delay)",
        "LAG(delay)",
        "ABS(delay) OVER ()",
        "FIRST(origin)",
        "delay > (SELECT 1)",
        "delay IN (SELECT delay FROM batch)",
        "EXISTS (SELECT 1)",
        "STRING_AGG(origin, ',')",
    ] {
        let refusal = refused(sql);
        assert!(
            refusal.reason.ends_with("looks at other rows: only expressions on one row are possible"),
            "{refusal}"
        );
    }
    for sql in [
        "DATE(text)",
        "CAST(text AS DATE)",
        "text::timestamp",
        "CAST(LOWER(text) AS TIMESTAMP)",
        "TIMESTAMP(text)",
    ] {
        assert!(refused(sql).reason.contains("guesses the format of a time"), "{sql}");
    }
    for sql in [
        "RANDOM()",
        "delay + CURRENT_TIMESTAMP()",
        "UNNEST(list)",
        "*",
        "COLUMNS('d.*')",
        "LPAD(origin, id)",
        "flights.delay",
        "true",
        "1 + 1",
    ] {
        refused(sql);
    }
}

#[test]
fn refusals_say_where_and_what() {
    let schema = flights().schema();
    let refusal = |sql: &str| Prepare::new(Some(sql), &[], &schema).err().unwrap();

    let unknown = refusal("delay > 0 AND orign = 'ATL'");
    assert_eq!(unknown.candidates, ["origin"]);
    assert_eq!(unknown.position, Some((1, 15)));
    assert_eq!(
        unknown.to_string(),
        "where: `delay > 0 AND orign = 'ATL'`, character 15: no column `orign`: did you mean `origin`?"
    );
    assert!(refusal("origin = \"ATL\"").reason.starts_with("no column `ATL` (text stands in single quotes)"));

    let broken = refusal("delay >\n> 0");
    assert_eq!(broken.position, Some((2, 1)), "{broken}");
    assert!(broken.to_string().contains(", line 2, character 1: "), "{broken}");
    assert_eq!(refusal("delay > 0 delay").position, Some((1, 11)));
    assert!(refusal("").reason.contains("expected"), "{}", refusal(""));
    assert!(refusal("delay > 0; DROP TABLE x").reason.contains("found `;`"));

    assert_eq!(
        refusal("delay + 1").to_string(),
        "where: `delay + 1`: expected a condition, found a value of type `Float64`: compare it"
    );
    assert_eq!(refusal("ABZ(delay) > 1").candidates[0], "abs");
    let list = refusal("list = 1");
    assert!(list.reason.starts_with("column `list` has type"), "{list}");
    let mixed = refusal("origin > 1");
    assert!(!mixed.reason.contains('\n') && mixed.reason.len() > 10, "{mixed}");
    let error: Error = mixed.into();
    assert_eq!(error.kind(), crate::ErrorKind::Misconfigured);

    let taken = Prepare::new(None, &[("delay", "delay / 60")], &schema).err().unwrap();
    assert!(taken.to_string().ends_with("there is a column `delay` already: choose another name"));
}

#[test]
fn type_errors_follow_their_rows() {
    let batch = flights().project(&[0, 1]).unwrap();
    let errors = BooleanBuffer::from_iter((0..ROWS).map(|i| i % 10 == 0));
    let decoded = DecodedBatch {
        batch: batch.clone(),
        type_errors: vec![None, Some(errors)],
        bad_records: BadRecords::default(),
    };
    let prepare = Prepare::new(
        Some("MOD(id, 2) = 0"),
        &[("late", "delay > 0"), ("none", "COALESCE(delay, 0)"), ("other", "id + 1")],
        batch.schema_ref(),
    )
    .unwrap();
    let (prepared, excluded) = prepare.apply_decoded(decoded).unwrap();
    assert_eq!(excluded, 51);
    assert_eq!(prepared.batch.num_rows(), 52);
    // Rows 0, 10, 20 ... are even; where the derived value is not null it is a value.
    assert_eq!(prepared.type_error_counts(), [0, 11, 11, 0, 0]);
    let marked: Vec<_> = prepared.type_errors[2].as_ref().unwrap().set_indices().collect();
    assert_eq!(marked, (0..=10).map(|i| i * 5).collect::<Vec<_>>());
}
