//! Remote write.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use driftlead_connectors::Tls;
use driftlead_connectors::azure::{Access, Login, RemoteWrite, RemoteWriteSettings, Sample};
use driftlead_connectors::sink::Delivery;
use prost_reflect::prost::Message;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

use crate::place::{NOW, access, clock, entra, send, tally};
use crate::stub::{Answer, Request, Stub};

const AUDIENCE: &str = "https://monitor.azure.com";
const PATH: &str =
    "/dataCollectionRules/dcr-1/streams/Microsoft-PrometheusMetrics/api/v1/write?api-version=2023-04-24";

/// The published schema, put together here and read by another decoder than the client's messages.
fn schema() -> MessageDescriptor {
    let field = |name: &str, number: i32, label: Label, kind: Type, of: Option<&str>| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(label.into()),
        r#type: Some(kind.into()),
        type_name: of.map(|of| format!(".prometheus.{of}")),
        ..Default::default()
    };
    let one = |name: &str, number: i32, kind: Type| field(name, number, Label::Optional, kind, None);
    let many =
        |name: &str, number: i32, of: &str| field(name, number, Label::Repeated, Type::Message, Some(of));
    let message = |name: &str, field: Vec<FieldDescriptorProto>| DescriptorProto {
        name: Some(name.to_owned()),
        field,
        ..Default::default()
    };
    let file = FileDescriptorProto {
        name: Some("remote.proto".to_owned()),
        package: Some("prometheus".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![
            message("WriteRequest", vec![many("timeseries", 1, "TimeSeries")]),
            message("TimeSeries", vec![many("labels", 1, "Label"), many("samples", 2, "Sample")]),
            message("Label", vec![one("name", 1, Type::String), one("value", 2, Type::String)]),
            message("Sample", vec![one("value", 1, Type::Double), one("timestamp", 2, Type::Int64)]),
        ],
        ..Default::default()
    };
    let set = FileDescriptorSet { file: vec![file] }.encode_to_vec();
    let pool = DescriptorPool::decode(&*set).expect("a schema");
    pool.get_message_by_name("prometheus.WriteRequest").expect("its message")
}

type Series = (Vec<(String, String)>, Vec<(i64, f64)>);

/// The series of a body, unpacked; what is wrong with it.
fn unpack(body: &[u8]) -> Result<Vec<Series>, String> {
    let plain = snap::raw::Decoder::new().decompress_vec(body).map_err(|error| error.to_string())?;
    let message = DynamicMessage::decode(schema(), &*plain).map_err(|error| error.to_string())?;
    if message.unknown_fields().next().is_some() {
        return Err("a field that nobody knows".to_owned());
    }
    let part = |message: &DynamicMessage, name: &str| -> Vec<DynamicMessage> {
        let field = message.get_field_by_name(name).expect("a field");
        let all = field.as_list().expect("a list");
        all.iter().map(|own| own.as_message().expect("a message").clone()).collect()
    };
    let text = |message: &DynamicMessage, name: &str| {
        message.get_field_by_name(name).and_then(|own| Some(own.as_str()?.to_owned())).expect("text")
    };
    let number = |message: &DynamicMessage| {
        let (time, value) = (message.get_field_by_name("timestamp"), message.get_field_by_name("value"));
        let time = time.and_then(|own| own.as_i64()).expect("a time");
        (time, value.and_then(|own| own.as_f64()).expect("a value"))
    };
    let series = part(&message, "timeseries").into_iter().map(|own| {
        let labels = part(&own, "labels").iter().map(|own| (text(own, "name"), text(own, "value"))).collect();
        (labels, part(&own, "samples").iter().map(number).collect())
    });
    Ok(series.collect())
}

/// What a receiver of version 1.0 holds against a request by itself.
fn check(request: &Request) -> Result<Vec<Series>, (u16, String)> {
    for (name, value) in [
        ("content-encoding", "snappy"),
        ("content-type", "application/x-protobuf"),
        ("x-prometheus-remote-write-version", "0.1.0"),
    ] {
        if request.header(name) != Some(value) {
            return Err((415, format!("`{name}` is not `{value}`")));
        }
    }
    let all = unpack(&request.body).map_err(|fault| (400, fault))?;
    let bad = |fault: &str| Err((400, fault.to_owned()));
    for (at, (labels, samples)) in all.iter().enumerate() {
        if !labels.windows(2).all(|pair| pair[0].0 < pair[1].0) {
            return bad("labels are not sorted");
        }
        if labels.iter().any(|(name, value)| name.is_empty() || value.is_empty()) {
            return bad("an empty label");
        }
        if !labels.iter().any(|(name, _)| name == "__name__") {
            return bad("no __name__");
        }
        if samples.is_empty() || !samples.windows(2).all(|pair| pair[0].0 < pair[1].0) {
            return bad("samples are not in order");
        }
        if all[..at].iter().any(|(other, _)| other == labels) {
            return bad("a series twice");
        }
    }
    Ok(all)
}

/// A receiver that keeps what it got, and takes no sample before the newest of its series: what Prometheus does.
fn receiver() -> Stub {
    let mut newest: BTreeMap<Vec<(String, String)>, (i64, f64)> = BTreeMap::new();
    Stub::start(move |request| {
        if request.method != "POST" || request.target != PATH {
            return Some(Answer::of(404));
        }
        let all = match check(request) {
            Ok(all) => all,
            Err((status, fault)) => return Some(Answer::of(status).saying(&fault)),
        };
        let mut fault = None;
        for (labels, samples) in all {
            if labels.iter().any(|(_, value)| value == "bad") {
                fault = Some("label value is not taken");
                continue;
            }
            for (time, value) in samples {
                let last = newest.entry(labels.clone()).or_insert((i64::MIN, 0.0));
                if time < last.0 {
                    fault = Some("out of order sample");
                } else if time == last.0 && value.to_bits() != last.1.to_bits() {
                    fault = Some("duplicate sample for timestamp");
                } else {
                    *last = (time, value);
                }
            }
        }
        Some(fault.map_or(Answer::of(204), |fault| Answer::of(400).saying(fault)))
    })
}

fn open(stub: &Stub) -> RemoteWriteSettings {
    let access = Access { login: Login::None, tls: Tls::default(), timeout: Duration::from_secs(10) };
    RemoteWriteSettings { url: format!("{}{PATH}", stub.url()), headers: Vec::new(), access }
}

fn client(stub: &Stub) -> RemoteWrite {
    RemoteWrite::new(&open(stub)).expect("a client")
}

fn known(stub: &Stub, entra: &Stub, clock: &Arc<AtomicI64>) -> RemoteWrite {
    let settings = RemoteWriteSettings { access: access(entra, AUDIENCE, clock), ..open(stub) };
    RemoteWrite::new(&settings).expect("a client")
}

fn sample(feature: &str, time: i64, value: f64) -> Sample {
    let labels = [("model", "orders"), ("__name__", "driftlead_metric_value"), ("feature", feature)];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Sample { labels, time, value }
}

/// Everything that arrived: series and samples.
fn arrived(stub: &Stub) -> Vec<Series> {
    stub.requests().iter().flat_map(|request| unpack(&request.body).expect("a body")).collect()
}

#[test]
fn samples_arrive_by_series_with_sorted_labels_in_the_order_of_time() {
    let stub = receiver();
    let records = [
        sample("b", NOW + 2_000_999, 3.0),
        sample("a", NOW + 1_000_000, 1.5),
        sample("b", NOW, -2.0),
        sample("", NOW, 0.0),
        // The later of two in one millisecond counts.
        sample("b", NOW + 2_000_000, 4.0),
    ];
    assert_eq!(tally(&send(&client(&stub), &records, NOW)), [5, 0, 0, 0]);
    let labels = |feature: &str| {
        let mut all = vec![("__name__", "driftlead_metric_value"), ("feature", feature), ("model", "orders")];
        all.retain(|(_, value)| !value.is_empty());
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    let ms = NOW / 1_000;
    assert_eq!(
        arrived(&stub),
        [
            (labels(""), vec![(ms, 0.0)]),
            (labels("a"), vec![(ms + 1_000, 1.5)]),
            (labels("b"), vec![(ms, -2.0), (ms + 2_000, 4.0)]),
        ]
    );
    assert_eq!(stub.requests().len(), 1);
    assert_eq!(stub.requests()[0].header("authorization"), None, "nobody in particular");
}

#[test]
fn a_bad_sample_takes_no_other_with_it_and_a_late_one_has_expired() {
    let stub = receiver();
    let client = client(&stub);
    assert_eq!(tally(&send(&client, &[sample("f7", NOW + 1_000_000, 1.0)], NOW)), [1, 0, 0, 0]);
    let name = |at: usize| if at == 40 { "bad".to_owned() } else { format!("f{at}") };
    let mut records: Vec<Sample> = (0..100).map(|at| sample(&name(at), NOW, 1.0)).collect();
    records.push(sample("f7", NOW + 1_000_000, 2.0));
    let answers = send(&client, &records, NOW);
    assert_eq!(tally(&answers), [98, 0, 1, 2]);
    assert_eq!(answers[40], Delivery::Refused { reason: "status 400: label value is not taken".to_owned() });
    assert_eq!(answers[7], Delivery::Expired { reason: "status 400: out of order sample".to_owned() });
    let reason = "another value of this millisecond was taken".to_owned();
    assert_eq!(answers[100], Delivery::Expired { reason });
    assert_eq!(tally(&send(&client, &records[..1], NOW)), [1, 0, 0, 0], "the same again is no fault");
    // After a restart only the receiver knows.
    let answers = send(&super::prometheus::client(&stub), &records[100..], NOW);
    let reason = "status 400: duplicate sample for timestamp".to_owned();
    assert_eq!(answers, [Delivery::Expired { reason }]);
}

#[test]
fn what_an_outage_held_back_is_taken_out_together_if_order_matters() {
    let stub = receiver();
    let client = client(&stub);
    let round = |from: i64, value: f64| -> Vec<Sample> {
        (0..300).map(|at| sample(&format!("f{at}"), NOW + from * 1_000_000, value)).collect()
    };
    assert_eq!(tally(&send(&client, &round(60, 1.0), NOW)), [300, 0, 0, 0]);
    let late: Vec<Sample> = [round(10, 2.0), round(20, 3.0), round(70, 4.0)].concat();
    assert_eq!(tally(&send(&client, &late, NOW)), [300, 0, 0, 600]);
    assert_eq!(stub.requests().len(), 3, "one is refused, and the rest of it sent again");
    // Another value of the same millisecond is not even tried, the same value is.
    let again: Vec<Sample> = [round(70, 5.0), round(70, 4.0)].concat();
    assert_eq!(tally(&send(&client, &again, NOW)), [300, 0, 0, 300]);
    assert_eq!(stub.requests().len(), 4);
}

#[test]
fn many_samples_are_many_requests_the_oldest_first() {
    let stub = receiver();
    let records: Vec<Sample> =
        (0..5_000).rev().map(|at: i64| sample(&format!("f{}", at % 3), NOW + at * 1_000, 1.0)).collect();
    assert_eq!(tally(&send(&client(&stub), &records, NOW)), [5_000, 0, 0, 0]);
    let sizes: Vec<usize> = stub
        .requests()
        .iter()
        .map(|request| unpack(&request.body).expect("a body").iter().map(|(_, own)| own.len()).sum())
        .collect();
    assert_eq!(sizes, [2_000, 2_000, 1_000]);
}

#[test]
fn what_asks_for_patience_gets_it() {
    for (answer, reason, after) in [
        (Answer::of(429).with("retry-after", "9"), "status 429", Some(9)),
        (Answer::of(500).saying("oops"), "status 500: oops", None),
        (Answer::of(503).with("retry-after", "30"), "status 503", Some(30)),
        (Answer::of(401), "status 401", None),
        (Answer::of(403), "status 403", None),
        (Answer::of(404), "status 404", None),
        (Answer::of(307).with("location", "http://127.0.0.1:9/"), "status 307", None),
    ] {
        let stub = Stub::answering(vec![answer]);
        let answers = send(&client(&stub), &[sample("a", NOW, 1.0), sample("b", NOW, 1.0)], NOW);
        let after = after.map(Duration::from_secs);
        assert_eq!(answers, vec![Delivery::Retry { after, reason: reason.to_owned() }; 2]);
        assert_eq!(stub.requests().len(), 1, "no attempt of its own: the outbox decides when");
    }
    for status in [200, 202, 204] {
        let stub = Stub::answering(vec![Answer::of(status)]);
        assert_eq!(tally(&send(&client(&stub), &[sample("a", NOW, 1.0)], NOW)), [1, 0, 0, 0]);
    }
}

#[test]
fn an_hour_without_the_receiver_costs_no_sample() {
    let mut asked = 0;
    let stub = Stub::start(move |request| {
        asked += 1;
        Some(if asked <= 4 {
            Answer::of(503)
        } else {
            check(request).map_or(Answer::of(400), |_| Answer::of(204))
        })
    });
    let client = client(&stub);
    let one = [sample("a", NOW, 1.0)];
    for minute in [0, 5, 20, 40] {
        assert_eq!(tally(&send(&client, &one, NOW + minute * 60_000_000)), [0, 1, 0, 0]);
    }
    assert_eq!(tally(&send(&client, &one, NOW + 60 * 60_000_000)), [1, 0, 0, 0]);
    assert_eq!(arrived(&stub).pop().map(|(_, samples)| samples), Some(vec![(NOW / 1_000, 1.0)]));
}

#[test]
fn a_token_is_sent_if_there_is_an_identity_and_asked_for_anew() {
    let entra = entra(AUDIENCE);
    let stub = Stub::start(|request| {
        let token = request.header("authorization").expect("a token");
        Some(Answer::of(if token == "Bearer token-1" { 401 } else { 204 }))
    });
    let clock = clock();
    let client = known(&stub, &entra, &clock);
    let one = [sample("a", NOW, 1.0)];
    assert_eq!(tally(&send(&client, &one, NOW)), [1, 0, 0, 0]);
    assert_eq!((stub.requests().len(), entra.requests().len()), (2, 2));
    clock.store(NOW + 1_900 * 1_000_000, Ordering::SeqCst);
    assert_eq!(tally(&send(&client, &one, NOW)), [1, 0, 0, 0]);
    assert_eq!(entra.requests().len(), 3, "in the second half of its hour");
}

#[test]
fn no_secret_is_shown_and_no_token_goes_over_an_open_line() {
    let (stub, clock, entra) = (receiver(), clock(), entra("https://monitoring.azure.com"));
    let mut own = open(&stub);
    own.headers = vec![("Authorization".to_owned(), "Basic c2VjcmV0".to_owned())];
    let client = RemoteWrite::new(&own).expect("a client");
    let answers = send(&client, &[sample("a", NOW, 1.0)], NOW);
    assert_eq!(stub.requests()[0].header("authorization"), Some("Basic c2VjcmV0"));
    // Another audience than this Entra knows.
    let refused = send(&known(&stub, &entra, &clock), &[sample("a", NOW, 1.0)], NOW);
    assert_eq!(tally(&refused), [0, 1, 0, 0]);
    let shown = format!("{client:?} {answers:?} {refused:?}");
    assert!(!shown.contains("c2VjcmV0") && !shown.contains("hush-hush"), "{shown}");

    let refuse = |change: &dyn Fn(&mut RemoteWriteSettings)| {
        let mut own = open(&stub);
        change(&mut own);
        RemoteWrite::new(&own).expect_err("refused").to_string()
    };
    let with_entra = |own: &mut RemoteWriteSettings| own.access = access(&entra, AUDIENCE, &clock);
    let header = |own: &mut RemoteWriteSettings, name: &str, value: &str| {
        own.headers.push((name.to_owned(), value.to_owned()));
    };
    let error = refuse(&|own| {
        with_entra(own);
        own.url = "http://user:secret@prometheus.example.org/write".to_owned();
    });
    assert_eq!(error, "the `url` of Prometheus is not `https`: a token must not be read");
    let error = refuse(&|own| own.url = "secret".to_owned());
    assert!(error.contains("is not an address") && !error.contains("secret"), "{error}");
    assert!(refuse(&|own| own.url = "ftp://x/".to_owned()).contains("begins with `ftp:`"));
    assert!(refuse(&|own| header(own, "Content-Type", "x")).contains("`Content-Type` is set by driftlead"));
    assert!(refuse(&|own| header(own, "X-Own", "a\nsecret")).contains("visible ASCII"));
    let error = refuse(&|own| {
        with_entra(own);
        header(own, "Authorization", "Basic x");
    });
    assert!(error.contains("`Authorization` is set by driftlead"), "{error}");
    // Without a token, a Prometheus of one's own network needs no TLS.
    let mut own = open(&stub);
    own.url = "http://prometheus.internal:9090/api/v1/write".to_owned();
    RemoteWrite::new(&own).expect("a client");
}

#[test]
fn the_server_of_these_tests_refuses_what_breaks_the_contract() {
    // Made by hand, byte by byte, so that both client and server are held to it.
    let label = |name: &str, value: &str| {
        let mut own = vec![0x0a, name.len() as u8];
        own.extend(name.as_bytes());
        own.extend([0x12, value.len() as u8]);
        own.extend(value.as_bytes());
        [vec![0x0a, own.len() as u8], own].concat()
    };
    // A sample of 1.0 at so many milliseconds, below 128.
    let sample =
        |time: u8| [vec![0x12, 0x0b, 0x09], 1.0_f64.to_le_bytes().to_vec(), vec![0x10, time]].concat();
    let series = |parts: &[Vec<u8>]| {
        let own = parts.concat();
        [vec![0x0a, own.len() as u8], own].concat()
    };
    let request = |plain: &[u8]| Request {
        method: "POST".to_owned(),
        target: PATH.to_owned(),
        headers: [
            ("content-encoding", "snappy"),
            ("content-type", "application/x-protobuf"),
            ("x-prometheus-remote-write-version", "0.1.0"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        body: snap::raw::Encoder::new().compress_vec(plain).expect("small"),
    };
    let name = || label("__name__", "up");
    let well = series(&[name(), label("a", "b"), sample(5), sample(7)]);
    let label_of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        check(&request(&well)),
        Ok(vec![(vec![label_of("__name__", "up"), label_of("a", "b")], vec![(5, 1.0), (7, 1.0)])])
    );
    let refused = |plain: &[u8], expected: &str| {
        let (status, fault) = check(&request(plain)).expect_err(expected);
        assert_eq!(status, 400);
        assert!(fault.contains(expected), "{fault}");
    };
    refused(&series(&[label("a", "b"), name(), sample(5)]), "labels are not sorted");
    refused(&series(&[name(), name(), sample(5)]), "labels are not sorted");
    refused(&series(&[label("a", "b"), sample(5)]), "no __name__");
    refused(&series(&[name(), label("a", ""), sample(5)]), "an empty label");
    refused(&series(&[name(), sample(7), sample(5)]), "samples are not in order");
    refused(&series(&[name(), sample(5), sample(5)]), "samples are not in order");
    refused(&series(&[name()]), "samples are not in order");
    refused(&[well.clone(), well.clone()].concat(), "a series twice");
    refused(&[0x1a, 0x01, 0x00], "a field that nobody knows");
    refused(&well[..well.len() - 1], "");
    // Snappy's other format, in frames.
    let mut framed = request(&well);
    framed.body = [b"\xff\x06\x00\x00sNaPpY".to_vec(), well].concat();
    assert_eq!(check(&framed).expect_err("framed").0, 400);
    for at in 0..3 {
        let mut other = request(&[]);
        other.headers[at].1 = "other".to_owned();
        assert_eq!(check(&other).expect_err("a header").0, 415);
    }
}
