//! Events with several records. Whatever a line is, the events before and after it are read as without it, and every record of
//! it is a row or is told.

use arrow_array::Float64Array;
use arrow_array::cast::AsArray as _;
use arrow_array::types::Float64Type;
use driftlead_connectors::dataset::{Dataset, OpenOptions, ReadOptions};

const FIRST: &str = r#"{"data":[{"x":1.5},{"x":2.5}],"time":"2001-01-01T00:00:00Z","correlationid":"a"}"#;
const LAST: &str = r#"{"correlationid":"b","data":[{"x":3.5}]}"#;

pub(crate) fn mdc(data: &[u8]) {
    let mut text = format!("{FIRST}\n").into_bytes();
    text.extend(data.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }));
    text.extend(format!("\n{LAST}\n").into_bytes());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, text).expect("written");
    let types = [("x".to_owned(), arrow_schema::DataType::Float64)].into();
    let options = OpenOptions { types, ..OpenOptions::default() };
    let set = Dataset::open(&[format!("mdc:{}", path.display())], &options).expect("two events are good");
    let columns = [set.column("x").expect("x")];
    let mut values: Vec<Option<f64>> = Vec::new();
    for part in set.parts() {
        let mut batches = set.read(part, &columns, &ReadOptions { batch_rows: 2 }).expect("a part");
        while let Some(decoded) = batches.next_decoded() {
            let decoded = decoded.expect("lines are never an error");
            let x: &Float64Array = decoded.batch.column(0).as_primitive::<Float64Type>();
            assert!(x.len() <= 2, "{}", x.len());
            values.extend(x);
            for bad in decoded.bad_records.examples() {
                assert!(bad.line == 2 && !bad.detail.is_empty(), "{bad:?}");
            }
        }
    }
    assert!(values.starts_with(&[Some(1.5), Some(2.5)]) && values.ends_with(&[Some(3.5)]), "{values:?}");
}

pub(crate) fn mdc_seeds() -> Vec<Vec<u8>> {
    let seeds: [&str; 8] = [
        FIRST,
        LAST,
        r#"{"data":[{"x":1,"s":"]},{\"\\"},7,{"x":},null,[{"x":2}],{"x":{"y":[1,2]}}],"contentrange":"bytes 0-1/*"}"#,
        r#"{"data":{"x":-1e-300},"id":7,"type":"azureml.inference.model_inputs","unknown":{"deep":[[]]}}"#,
        r#"{"source":"/subscriptions/s/onlineEndpoints/e/deployments/d","dataref":"a.jsonl"}"#,
        r#"{"data":"file:///nowhere/a%20b","datainblob":"true","datacontenttype":"text/plain"}"#,
        r#"{"\u0064ata":[{"x":NaN},{"x":Infinity}],"modelversion":"\ud83d\ude00"}"#,
        r#"{"data":[]}"#,
    ];
    seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}
