//! Events of Azure ML's Model Data Collector as rows: those that its SDK has sent, and payloads in files of their own.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use driftlead_connectors::dataset::{Dataset, Format, OpenOptions, ReadOptions, Remotes};
use driftlead_connectors::source::BadReason;
use object_store::ObjectStoreExt as _;
use serde_json::{Value, json};

use super::azurite::{azurite, block_on};

/// All rows with their columns by name, and the reasons of the records that are none.
fn read(input: &str, options: &OpenOptions) -> (Vec<Value>, Vec<(BadReason, u64)>) {
    let data = Dataset::open(&[input.to_owned()], options).unwrap();
    assert_eq!(data.format(), Format::Mdc);
    let columns: Vec<usize> = (0..data.schema().fields().len()).collect();
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    for part in data.parts() {
        let mut batches = data.read(part, &columns, &ReadOptions { batch_rows: 2 }).unwrap();
        while let Some(decoded) = batches.next_decoded() {
            let decoded = decoded.unwrap();
            assert!(decoded.batch.num_rows() <= 2);
            rows.extend((0..decoded.batch.num_rows()).map(|row| shown(&decoded.batch, row)));
            bad.extend(decoded.bad_records.examples().map(|own| (own.reason, own.line)));
        }
    }
    (rows, bad)
}

fn shown(batch: &RecordBatch, row: usize) -> Value {
    let schema = batch.schema();
    let mut object = serde_json::Map::new();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let value = if column.is_null(row) {
            Value::Null
        } else if let Some(texts) = column.as_string_opt::<i32>() {
            json!(texts.value(row))
        } else if let Some(integers) = column.as_primitive_opt::<Int64Type>() {
            json!(integers.value(row))
        } else {
            json!(column.as_primitive::<Float64Type>().value(row))
        };
        object.insert(field.name().clone(), value);
    }
    Value::Object(object)
}

#[test]
fn what_the_sdk_sends_is_read_row_by_row() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/mdc");
    let input = format!("mdc:{}", fixture.join("model_inputs").display());
    let (rows, bad) = read(&input, &OpenOptions::default());
    assert_eq!(bad, []);
    let expected: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string(fixture.join("expected.json")).unwrap()).unwrap();
    // Two collectors wrote by turns: the order within an hour is that of their names.
    assert_eq!(rows.len(), expected.len());
    for mut wanted in expected {
        let time = wanted["mdc_time"].as_str().unwrap().replace("+00:00", "Z");
        wanted["mdc_time"] = json!(time);
        let is_wanted =
            |row: &&Value| wanted.as_object().unwrap().iter().all(|(key, value)| row[key] == *value);
        let row = rows.iter().find(is_wanted).unwrap_or_else(|| panic!("{wanted} is not in {rows:#?}"));
        let of = |name: &str| row[name].as_str().unwrap();
        assert_eq!((of("mdc_endpoint"), of("mdc_deployment")), ("flights", "blue"));
        assert_eq!((of("mdc_collection"), of("mdc_modelversion")), ("model_inputs", "default"));
        assert!(of("mdc_row_id").starts_with(of("mdc_correlationid")));
    }
}

#[test]
fn without_being_told_so_it_is_lines_of_json() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/mdc/model_inputs");
    let data = Dataset::open(&[fixture.display().to_string()], &OpenOptions::default()).unwrap();
    assert_eq!(data.format(), Format::Ndjson);
}

#[test]
fn a_payload_of_its_own_is_read_in_its_container_and_nowhere_else() {
    let azurite = azurite();
    let container = azurite.container();
    let store = azurite.client(&container);
    let put = |key: &str, text: &str| {
        // As it is: what is made of a text otherwise is escaped.
        let path = object_store::path::Path::parse(key).unwrap();
        block_on(store.put(&path, text.to_owned().into())).unwrap();
    };
    put("raw/[day] 1.jsonl", r#" [{"x":1.5},{"x":2.5}] "#);
    put("raw/lines.jsonl", "{\"x\":3.5}\n\n{\"x\":4.5}\n");
    put("raw/text", "no records");
    let (url, account) = (azurite.url(), "devstoreaccount1");
    let at = |address: String| format!("{{\"dataref\":\"{address}\",\"correlationid\":\"c\"}}\n");
    azurite.append(
        &container,
        "in/a.jsonl",
        &at(format!("{url}/{account}/{container}/raw/%5Bday%5D%201.jsonl?sig=x")),
    );
    let blob = format!("https://{account}.blob.core.windows.net/{container}/raw/lines.jsonl");
    azurite.append(
        &container,
        "in/a.jsonl",
        &format!("{{\"data\":\"{blob}\",\"datainblob\":\"true\",\"datacontenttype\":\"text/plain\"}}\n"),
    );
    for address in [
        format!("{url}/{account}/{container}/raw/none.jsonl"),
        format!("{url}/{account}/other/raw/lines.jsonl"),
        format!("https://another.blob.core.windows.net/{container}/raw/lines.jsonl"),
        format!("abfss://{container}@another.dfs.core.windows.net/raw/lines.jsonl"),
        "azureml://datastores/d/paths/raw/lines.jsonl".to_owned(),
        format!("az://{container}/raw/text"),
    ] {
        azurite.append(&container, "in/a.jsonl", &at(address));
    }
    let abfss = format!("abfss://{container}@{account}.dfs.core.windows.net/raw/lines.jsonl");
    azurite.append(&container, "in/a.jsonl", &at(abfss));
    let options =
        OpenOptions { remotes: Arc::new(Remotes::new(azurite.environment())), ..OpenOptions::default() };
    let (rows, bad) = read(&format!("mdc:az://{container}/in"), &options);
    let x: Vec<f64> = rows.iter().map(|row| row["x"].as_f64().unwrap()).collect();
    assert_eq!(x, [1.5, 2.5, 3.5, 4.5, 3.5, 4.5]);
    assert_eq!((&rows[1]["mdc_row_id"], &rows[5]["mdc_row_id"]), (&json!("c_1"), &json!("c_1")));
    let mut bad = bad;
    bad.sort_by_key(|(_, line)| *line);
    let elsewhere = (3..=7).map(|line| (BadReason::DataElsewhere, line));
    assert_eq!(bad, elsewhere.chain([(BadReason::NoRecords, 8)]).collect::<Vec<_>>());
}
