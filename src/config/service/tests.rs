use std::path::Path;

use super::*;

fn read(text: &str) -> Service {
    match Service::parse(Path::new("conf/service.yaml"), text) {
        Ok(service) => service,
        Err(problems) => panic!("{problems}"),
    }
}

fn refuse(text: &str) -> String {
    match Service::parse(Path::new("s.yaml"), text) {
        Ok(service) => panic!("accepted: {service:?}"),
        Err(problems) => problems.to_string(),
    }
}

/// The file of SEMANTICS, to the letter.
const SHORT: &str = r#"
listen: 127.0.0.1:7070
store: ./state
models: [models/*.yaml]
sources:
  flights:
    kafka: {brokers: "127.0.0.1:9092", topics: [flights], properties: {fetch.min.bytes: 65536}}
    format: json                       # json | avro | protobuf | arrow | csv
    time: {field: /meta/ts}            # JSON pointer; or {record: timestamp}; RFC 3339 or `unit: s|ms|us|ns`
    fields: {delay: /payload/delay}    # default: column name = key at the top level
    dead_letter: {file: ./dead/flights.ndjson}   # or {topic: flights.dead}
sinks:
  oncall: {webhook: {url: "https://example.org/hook", secret: "${HOOK_SECRET}"}}
  record: {file: {path: ./events.ndjson, send: [verdicts, alerts]}}
"#;

const FULL: &str = r#"
listen: 0.0.0.0:8080
store: /var/lib/driftlead
models: [a.yaml, /etc/driftlead/*.yaml]
tokens:
  - {name: grafana, scope: read, sha256: 9F86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}
  - {name: ci, scope: admin, secret: {file: keys/ci}}
  - {name: 7, scope: write, secret: "${TOKEN}"}
commit_every: 500ms
sources:
  orders:
    kafka:
      preset: event_hubs
      connection_string: "${EVENT_HUBS}"
      pattern: "orders-.*"
      start: 2026-01-01T00:00:00Z
      properties: {client.id: driftlead, ssl.key.password: "${KEY}"}
    format: {avro: {registry: {url: "http://127.0.0.1:8081", username: u, password: "${P}", headers: {X-A: b}, tls: {ca: ca.pem}}}}
    time: {record: timestamp}
    fields: {region: {header: region}, customer: {key: true}, price: order.price, "a.b": "/a.b"}
    dead_letter: {topic: orders.dead, payload: full}
  plain: {kafka: {brokers: ["a:1", "${B}"], topics: [x, y], start: latest}, format: {avro: {schema: s.avsc}}}
  proto:
    kafka: {brokers: "a:1", topics: z}
    format: {protobuf: {descriptors: d.binpb, message: acme.Flight, framing: confluent}}
    time: {field: {header: ts}, unit: us}
  arrow: {kafka: {brokers: "a:1", topics: z}, format: arrow, dead_letter: {topic: d, payload: none}}
  lake: {files: {path: az://ml/live, every: 1m}, time: at}
  mdc: {files: {path: az://ml/mdc}, format: mdc}
  tail: {lines: {path: ./live.csv}, format: {csv: {header: [at, x], delimiter: "\t"}}, time: {field: at, unit: s}}
  pipe: {stdin: {}}
  push: {ingest: {}, time: {field: at, unit: ms}}
sinks:
  pager: {webhook: {template: pagerduty, routing_key: "${PD}", max_age: 1d}}
  own:
    webhook:
      url: "${URL}"
      headers: {Authorization: "Bearer ${T}", X-Team: ml}
      template: own.json.j2
      tls: {certificate: c.pem, key: k.pem, insecure: true}
      allow_private: true
      timeout: 3s
      send: [verdicts]
  chat: {webhook: {url: "https://example.org/x", template: slack}}
  eh: {kafka: {preset: event_hubs, connection_string: {file: eh}, topic: drift, properties: {linger.ms: 5}}}
  out: {stdout: {send: verdicts}}
  insights:
    application_insights: {connection_string: "${AI}", role: drift, entra: {client: c-1}, send: [alerts, diagnostics]}
retention: {verdicts: 30d, size: 500MB}
"#;

const NUMBERS: &str = r#"
store: s
models: m
sources: {a: {stdin: {}}}
sinks:
  short: {azure_metrics: {endpoint: "https://westeurope.monitoring.azure.com", resource: /subscriptions/S/providers/P/t/n}}
  long:
    azure_metrics:
      endpoint: https://a.monitoring.azure.us
      resource: "${RESOURCE}"
      second: {endpoint: "https://b.monitoring.azure.us", resource: /subscriptions/S/providers/P/t/o}
      namespace: drift
      segments: true
      max_series: 100
      entra: {tenant: t, client: c, secret: "${ENTRA_SECRET}"}
      cloud: government
  open: {prometheus: {url: "http://prometheus:9090/api/v1/write"}}
  known:
    prometheus:
      url: "${URL}"
      entra: {}
      audience: https://prometheus.example.org
      headers: {X-Scope-OrgID: "${LOGIN}"}
      labels: {job: driftlead, cluster: 7}
      segments: true
"#;

#[test]
fn the_file_of_the_rules_means_what_they_say() {
    let service = read(SHORT);
    assert_eq!(
        (service.store.as_str(), service.models.as_slice()),
        ("conf/state", &["conf/models/*.yaml".to_owned()][..])
    );
    assert_eq!(
        (service.listen.to_string().as_str(), service.commit_every.to_string().as_str()),
        ("127.0.0.1:7070", "2s")
    );
    let source = service.source("flights").expect("named");
    let Input::Kafka { cluster, topics, start } = &source.input else { panic!("{source:?}") };
    assert_eq!((topics, start), (&Topics::Named(vec!["flights".to_owned()]), &Start::Earliest));
    assert_eq!(
        (cluster.properties[0].0.as_str(), cluster.properties[0].1.plain().as_deref()),
        ("fetch.min.bytes", Some("65536"))
    );
    assert_eq!(source.format, Some(Format::Json));
    assert_eq!(source.time, Some(Time::Field { at: Where::Payload("/meta/ts".to_owned()), unit: None }));
    assert_eq!(source.fields, [("delay".to_owned(), Where::Payload("/payload/delay".to_owned()))]);
    let dead = source.dead_letter.as_ref().expect("named");
    assert_eq!(
        (&dead.to, dead.payload),
        (&Aside::File("conf/dead/flights.ndjson".to_owned()), Payload::Hash)
    );
    let Target::Webhook(webhook) = &service.sink("oncall").expect("named").target else {
        panic!("a webhook")
    };
    assert_eq!(
        (&webhook.template, webhook.timeout, webhook.allow_private),
        (&Template::Event, Duration::from_secs(10), false)
    );
    assert_eq!(webhook.secret.as_ref().map(Setting::describe).as_deref(), Some("*** from HOOK_SECRET"));
    let record = service.sink("record").expect("named");
    let send = Send { alerts: true, verdicts: true, diagnostics: false };
    assert_eq!((record.send, record.max_age), (send, Duration::WEEK));
    assert_eq!(service.retention, Retention::default());
}

#[test]
fn a_full_file_is_read_to_the_last_key() {
    let service = read(FULL);
    let scopes: Vec<_> = service.tokens.iter().map(|token| (token.name.as_str(), token.scope)).collect();
    assert_eq!(scopes, [("grafana", Scope::Read), ("ci", Scope::Admin), ("7", Scope::Write)]);
    let Proof::Sha256(hash) = service.tokens[0].proof else { panic!("a hash") };
    assert_eq!((hash[0], hash[1], hash[31]), (0x9f, 0x86, 0x08));
    let input = |name: &str| &service.source(name).expect(name).input;
    let Input::Kafka { cluster, topics, start } = input("orders") else { panic!("kafka") };
    assert!(matches!(cluster.access, Access::EventHubs { .. }));
    assert_eq!(
        (topics, *start),
        (&Topics::Pattern("orders-.*".to_owned()), Start::At(1_767_225_600_000_000))
    );
    let orders = service.source("orders").expect("orders");
    let fields: Vec<_> = orders.fields.iter().map(|(_, at)| at.clone()).collect();
    let payload = |pointer: &str| Where::Payload(pointer.to_owned());
    assert_eq!(
        fields,
        [Where::Header("region".to_owned()), Where::Key, payload("/order/price"), payload("/a.b")]
    );
    assert_eq!(orders.time, Some(Time::Record));
    let Some(Format::AvroRegistry(registry)) = &orders.format else { panic!("a registry") };
    assert!(matches!(registry.login, Some(Login::Basic { .. })));
    assert_eq!(registry.tls.ca.as_deref(), Some("conf/ca.pem"));
    let format = |name: &str| service.source(name).expect(name).format.clone();
    assert_eq!(format("plain"), Some(Format::AvroSchema("conf/s.avsc".to_owned())));
    assert!(matches!(format("proto"), Some(Format::Protobuf { is_confluent: true, .. })));
    assert_eq!((format("arrow"), format("lake"), format("push")), (Some(Format::Arrow), None, None));
    assert!(matches!(format("tail"), Some(Format::Csv(Csv { delimiter: b'\t', .. }))));
    assert_eq!((format("pipe"), format("mdc")), (Some(Format::Json), Some(Format::Mdc)));
    assert_eq!(
        *input("lake"),
        Input::Files { path: "az://ml/live".to_owned(), every: Duration::from_secs(60) }
    );
    assert_eq!(*input("tail"), Input::Lines { path: "conf/live.csv".to_owned() });
    let Target::Webhook(own) = &service.sink("own").expect("own").target else { panic!("a webhook") };
    assert_eq!(own.template, Template::File("conf/own.json.j2".to_owned()));
    assert_eq!(own.tls.client, Some(("conf/c.pem".to_owned(), "conf/k.pem".to_owned())));
    let Target::Webhook(pager) = &service.sink("pager").expect("pager").target else { panic!("a webhook") };
    assert_eq!(pager.url.plain().as_deref(), Some("https://events.pagerduty.com/v2/enqueue"));
    assert_eq!(
        service.sink("out").expect("out").send,
        Send { alerts: false, verdicts: true, diagnostics: false }
    );
    assert_eq!(service.retention.delivered, Duration::WEEK);
    let mut secrets: Vec<_> = service.secrets().into_iter().map(Setting::describe).collect();
    secrets.sort();
    assert_eq!(
        secrets.iter().map(|secret| secret.trim_start_matches("*** from ")).collect::<Vec<_>>(),
        [
            "AI",
            "B",
            "EVENT_HUBS",
            "KEY",
            "P",
            "PD",
            "T",
            "TOKEN",
            "URL",
            "the file conf/eh",
            "the file conf/keys/ci"
        ]
    );
}

#[test]
fn what_a_file_means_is_told_with_its_defaults_marked_and_its_secrets_not() {
    insta::assert_snapshot!("view_of_the_short_file", view::text(&read(SHORT)));
    insta::assert_snapshot!("view_of_the_full_file", view::text(&read(FULL)));
}

#[test]
fn sinks_of_numbers_mean_what_they_say() {
    let service = read(NUMBERS);
    let Target::AzureMetrics(first) = &service.sink("short").expect("named").target else {
        panic!("metrics")
    };
    assert_eq!((first.namespace.as_str(), first.numbers), ("driftlead", Numbers::DEFAULT));
    let Target::Prometheus(own) = &service.sink("open").expect("named").target else { panic!("prometheus") };
    assert_eq!((own.entra.as_ref(), own.numbers, own.headers.len()), (None, Numbers::DEFAULT, 0));
    for name in ["short", "long", "open", "known"] {
        let sink = service.sink(name).expect(name);
        assert_eq!(sink.send, Send { alerts: true, verdicts: true, diagnostics: false }, "a chart takes all");
    }
    let secrets: Vec<String> = service.secrets().iter().map(|own| own.describe()).collect();
    for name in ["RESOURCE", "ENTRA_SECRET", "URL", "LOGIN"] {
        assert!(secrets.iter().any(|own| own.contains(name)), "{secrets:?}");
    }
    insta::assert_snapshot!("view_of_sinks_of_numbers", view::text(&service));
}

#[test]
fn every_problem_of_a_file_is_reported_at_once() {
    insta::assert_snapshot!(refuse(
        r#"
listen: 0.0.0.0:7070
stor: ./state
models: []
tokens:
  - {name: a, scope: root, sha256: abc}
commit_every: 2
sources:
  flights:
    kafka: {brokers: "127.0.0.1:9092", topics: [flights], pattern: "f.*", properties: {enable.auto.commit: true}}
    format: xml
    time: {field: /meta~ts, unit: h}
    fields: {delay: payload..delay, x: {key: false}}
    dead_letter: {file: a, topic: b}
  "my source": {lines: {path: s3://b/x}, format: arrow}
  none: {format: json}
  two: {stdin: {}, ingest: {}}
  files: {files: {path: live, every: 0s}, format: json, fields: {a: b}}
  pipe: {stdin: {}, time: {record: timestamp}, dead_letter: {topic: x}, fields: {a: {header: b}}}
  empty: {stdin: }
sinks:
  oncall: {webhook: {secret: hunter2}}
  pager: {webhook: {template: pagerduty}}
  chat: {webhook: {url: example.org, template: slak, timeout: 0s}}
  file: {file: {path: a, send: [alarms]}}
retention: {size: 5G}
"#
    ));
}

#[test]
fn what_cannot_be_is_refused_with_a_way_out() {
    let with = |source: &str| format!("store: s\nmodels: m\nsources: {{a: {{{source}}}}}\n");
    let kafka = |rest: &str| with(&format!("kafka: {{topics: t, {rest}}}"));
    let sink = |sink: &str| format!("{}sinks: {{a: {{{sink}}}}}\n", with("stdin: {}"));
    let top = |line: &str| format!("{}{line}\n", with("stdin: {}"));
    let cases = [
        (top("listen: localhost"), "is not an address to listen on"),
        (top("listen: \"[::]:7070\""), "can be reached from other machines: write `tokens`"),
        (top("commit_every: 0s"), "without end"),
        (top("tokens: [{name: a, scope: read}]"), "a token needs one of `sha256`, `secret`"),
        (
            top(
                "tokens: [{name: a, scope: read, secret: \"${A}\"}, {name: a, scope: read, secret: \"${B}\"}]",
            ),
            "there are two tokens `a`",
        ),
        (with("stdin: {}, format: mdc"), "`format: mdc` is for `files`"),
        (with("files: {path: a}, format: csv"), "files are known by their names"),
        ("store: s\nmodels: m\nsources: {}\n".to_owned(), "`sources` names none"),
        (
            kafka("brokers: \"a:1\", preset: event_hubs, connection_string: \"${A}\""),
            "leave out either it or `brokers`",
        ),
        (kafka("preset: event_hubs"), "needs a connection string"),
        (kafka("preset: event_hubs, namespace: ns.example.net"), "needs `entra: {}` beside it"),
        (
            kafka("preset: event_hubs, connection_string: \"${A}\", entra: {}"),
            "needs the host of a `namespace`",
        ),
        (
            kafka("preset: event_hubs, namespace: orders, entra: {}"),
            "such as `orders.servicebus.windows.net`",
        ),
        (kafka("namespace: ns.example.net, entra: {}"), "write `preset: event_hubs` beside it"),
        (
            kafka("preset: event_hubs, namespace: a.b, entra: {}, connection_string: \"${A}\""),
            "leave out either it or `namespace`",
        ),
        (
            kafka("preset: event_hubs, namespace: a.b, entra: {secret: plain}"),
            "a secret never stands in a file",
        ),
        (
            kafka("preset: event_hubs, namespace: a.b, entra: {secret: \"${A}\", token_file: t}"),
            "by its `secret` or by a `token_file`",
        ),
        (kafka("brokers: \"a:1\", connection_string: \"${A}\""), "write `preset: event_hubs` beside it"),
        (kafka("start: latest"), "`brokers` are missing"),
        (kafka("brokers: \"a:1\", start: yesterday"), "or `earliest` or `latest`"),
        (kafka("brokers: \"a:1\", properties: {bootstrap.servers: x}"), "write `brokers`"),
        (kafka("brokers: \"${A\""), "has no `}`"),
        (with("kafka: {brokers: \"a:1\", topics: [t, t]}"), "the topic `t` stands twice"),
        (with("stdin: {}, format: avro"), "`avro` needs to know more of its records"),
        (with("stdin: {}, format: {csv: {header: [a, a]}}"), "the column `a` stands twice"),
        (
            with("stdin: {}, format: {csv: {header: [a], delimiter: \"||\"}}"),
            "`delimiter` expects one character",
        ),
        (with("stdin: {}, format: {protobuf: {descriptors: d, message: m}}"), "protobuf is no line"),
        (with("ingest: {}, format: json"), "a request says it in its Content-Type"),
        (
            with("kafka: {brokers: \"a:1\", topics: t}, time: {record: timestamp, unit: ms}"),
            "leave `unit` out",
        ),
        (
            with(
                "kafka: {brokers: \"a:1\", topics: t}, format: {avro: {registry: {url: \"http://r\", username: u}}}",
            ),
            "a `username` needs a `password`",
        ),
        (
            with("kafka: {brokers: \"a:1\", topics: t}, format: {avro: {registry: {url: r}}}"),
            "write such as `url: \"http://127.0.0.1:8081\"`",
        ),
        (sink("webhook: {send: alerts}"), "`url` is missing in a webhook"),
        (
            sink("webhook: {url: \"https://x\", routing_key: \"${A}\"}"),
            "write `template: pagerduty` beside it",
        ),
        (
            sink("webhook: {url: \"https://x\", template: common_alert_schema}"),
            "needs the resource that alerts are about",
        ),
        (
            sink("webhook: {url: \"https://x\", resource: /subscriptions/s}"),
            "write `template: common_alert_schema` beside it",
        ),
        (
            sink("webhook: {url: \"https://x\", template: common_alert_schema, resource: workspace}"),
            "`workspace` is no id of a resource of Azure",
        ),
        (
            sink(
                "webhook: {url: \"https://x\", template: common_alert_schema, send: [alerts, verdicts], resource: \"${R}\"}",
            ),
            "has no place but for alerts",
        ),
        (sink("webhook: {url: \"https://x\", tls: {certificate: c}}"), "needs its `key`"),
        (sink("webhook: {url: \"https://x\", headers: {\"a b\": c}}"), "cannot name a header"),
        (sink("file: {path: s3://b/x}"), "is no file of this machine"),
        (sink("kafka: {topic: t}"), "`brokers` are missing"),
        (
            sink("azure_metrics: {endpoint: \"https://x\", resource: /subscriptions/S/resourceGroups/G}"),
            "is not the id of a resource",
        ),
        (
            sink("azure_metrics: {endpoint: x, resource: /subscriptions/S/providers/P}"),
            "`x` is not an address of a web server",
        ),
        (
            sink(
                "azure_metrics: {endpoint: \"https://x\", resource: \"${R}\", second: {endpoint: \"https://y\"}}",
            ),
            "`resource` is missing in a second resource of metrics",
        ),
        (sink("prometheus: {url: \"https://x\", max_series: 50001}"), "is more than 50000"),
        (sink("prometheus: {url: \"https://x\", max_series: 0}"), "`max_series`"),
        (sink("prometheus: {url: \"https://x\", audience: y}"), "write `entra` beside it"),
        (sink("prometheus: {url: \"https://x\", labels: {model: y}}"), "`model` cannot name a label"),
        (sink("prometheus: {url: \"https://x\", labels: {__a: y}}"), "`__a` cannot name a label"),
        (
            sink("prometheus: {url: \"https://x\", entra: {}, headers: {authorization: \"${A}\"}}"),
            "a request has one login",
        ),
        (
            sink("webhook: {template: pagerduty, routing_key: \"${K}\", send: [alerts, diagnostics]}"),
            "nothing resolves one of `diagnostics`",
        ),
        (sink("application_insights: {role: a}"), "`connection_string` is missing"),
        (sink("file: {path: x}, stdout: {}"), "a sink has `file` already: leave out either it or `stdout`"),
    ];
    for (text, expected) in cases {
        let shown = refuse(&text);
        assert!(shown.contains(expected), "{text}: {shown}");
    }
}

/// What is of another shape is complained of as that, and not for what it lacks as well.
#[test]
fn a_value_of_another_shape_is_one_problem() {
    for source in ["listen: 7070\nsources: {a: {stdin: {}}}", "sources: {a: {kafka: 5}}"] {
        let shown = refuse(&format!("store: s\nmodels: m\n{source}\n"));
        assert_eq!(shown.matches("s.yaml:").count(), 1, "{shown}");
    }
}

#[test]
fn a_secret_in_the_file_is_refused_and_never_shown() {
    for line in [
        "sinks: {a: {webhook: {url: \"https://x\", secret: hunter2}}}",
        "sinks: {a: {webhook: {url: \"https://x\", secret: {text: hunter2}}}}",
        "sinks: {a: {webhook: {url: \"https://x\", secret: \"hunter2${A\"}}}",
        "sinks: {a: {webhook: {url: \"https://user:hunter2@x\"}}}",
        "sinks: {a: {webhook: {url: \"https://x\", headers: {Authorization: Bearer hunter2}}}}",
        "sinks: {a: {webhook: {url: \"https://x\", headers: {X-Api-Key: hunter2}, tmplate: slack}}}",
        "sinks: {a: {prometheus: {url: \"https://x\", headers: {Authorization: Basic hunter2}}}}",
        "sinks: {a: {prometheus: {url: \"https://user:hunter2@x\"}}}",
        "sinks: {a: {azure_metrics: {endpoint: \"https://x\", resource: /a, entra: {secret: hunter2}}}}",
        "sinks: {a: {kafka: {topic: t, brokers: \"a:1\", properties: {sasl.password: hunter2}}}}",
        "sinks: {a: {kafka: {topic: t, brokers: \"a:1\", properties: {ssl.key.pem: hunter2}}}}",
        "sinks: {a: {application_insights: {connection_string: \"InstrumentationKey=hunter2\"}}}",
        "tokens: [{name: a, scope: read, secret: hunter2}]",
        "tokens: [{name: a, scope: read, sha256: hunter2}]",
    ] {
        let shown = refuse(&format!("store: s\nmodels: m\nsources: {{a: {{stdin: {{}}}}}}\n{line}\n"));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("s.yaml:4:"), "{shown}");
    }
    // Where a key is, is no secret.
    read(
        "store: s\nmodels: m\nsources: {a: {kafka: {topics: t, brokers: \"a:1\", properties: {ssl.key.location: k.pem}}}}\n",
    );
}

#[test]
fn models_and_services_are_told_apart_by_their_keys() {
    for (text, expected) in [
        (SHORT, true),
        (FULL, true),
        ("listen: 127.0.0.1:1\n", true),
        ("soruces: {}\nstore: s\nsinks: {}\n", true),
        ("model: m\nsinks: [a]\n", false),
        ("model: m\nmodels: x\nbaseline: y\n", false),
        ("sinks: [a]\n", false),
        ("", false),
        ("- a\n", false),
        ("model: [\n", false),
    ] {
        assert_eq!(is_service(text), expected, "{text}");
    }
}
