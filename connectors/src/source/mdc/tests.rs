use std::io::Write as _;

use super::*;
use crate::location::expand;
use crate::remote::Remotes;

/// The records of a file of these lines, or why there are none: line, place, and text or reason.
fn records(text: &str) -> Vec<(u64, Option<u64>, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    let input = format!("mdc:{}", path.display());
    let file = expand(&[input], &Remotes::new([]), |_| true).unwrap().remove(0);
    let mut records = Records::new(text.as_bytes(), &file);
    let mut all = Vec::new();
    loop {
        match records.next().unwrap() {
            Next::Record { line, index, text } => all.push((line, Some(index), text.to_owned())),
            Next::Bad { line, reason, .. } => all.push((line, None, reason.as_str().to_owned())),
            Next::End => return all,
        }
    }
}

fn texts(text: &str) -> Vec<String> {
    records(text).into_iter().map(|(_, _, text)| text).collect()
}

#[test]
fn each_record_has_what_its_event_says_behind_its_own_keys() {
    let line = r#"{"data":[{"a":1,"mdc_time":"own"},{ }],"unknown":{"deep":[1]},"time":"T","id":7,"correlationid":"c\"d","type":"azureml.inference.x","source":"/s/onlineEndpoints/e/deployments/d"}"#;
    let event = r#""mdc_time":"T","mdc_correlationid":"c\"d","mdc_collection":"x","mdc_endpoint":"e","mdc_deployment":"d","mdc_type":"azureml.inference.x","mdc_source":"/s/onlineEndpoints/e/deployments/d","mdc_id":"7""#;
    let wanted = [
        format!(r#"{{"a":1,"mdc_time":"own",{event},"mdc_row_id":"c\"d_0"}}"#),
        format!(r#"{{ {event},"mdc_row_id":"c\"d_1"}}"#),
    ];
    assert_eq!(texts(line), wanted);
    assert_eq!(texts(r#"{"data":[{"a":1},{}]}"#), [r#"{"a":1}"#, "{}"]);
    // The payload of a request that is one object is one record.
    assert_eq!(texts(r#"{"data":{"a":[1,2]},"modelversion":null}"#), [r#"{"a":[1,2]}"#]);
    assert_eq!(texts(r#"{"data":[]}"#), Vec::<String>::new());
}

#[test]
fn a_bad_record_takes_none_of_its_neighbours_with_it() {
    let line = r#"{"data":[{"a":"]},{\""} , 7, {"a":}, null,{"a":[1,}]},{"b":2}]}"#;
    let wanted = [r#"{"a":"]},{\""}"#, "7", r#"{"a":}"#, "null", r#"{"a":[1,}]}"#, r#"{"b":2}"#];
    // Of brackets that do not match no end can be told.
    assert_eq!(records(line), [(1, None, "not_json".to_owned())]);
    let line = line.replace(r#"[1,}]"#, "[1,]");
    let wanted: Vec<(u64, Option<u64>, String)> =
        (0..).zip(wanted).map(|(at, text)| (1, Some(at), text.replace("[1,}]", "[1,]"))).collect();
    assert_eq!(records(&line), wanted);
}

#[test]
fn an_event_without_records_is_told_with_its_line() {
    let text = "{\"data\":[{\"a\":1},\n\n{\"time\":\"T\"}\n{\"data\":7}\n{\"data\":\"text\"}\n[]\n{\"data\":[{}]} x\n{\"data\":[{\"a\":1}]}\n";
    let wanted = [
        (1, None, "truncated"),
        (3, None, "no_records"),
        (4, None, "no_records"),
        (5, None, "no_records"),
        (6, None, "not_an_object"),
        (7, None, "trailing_data"),
        (8, Some(0), r#"{"a":1}"#),
    ];
    let wanted = wanted.map(|(line, record, text)| (line, record, text.to_owned()));
    assert_eq!(records(text), wanted);
}
