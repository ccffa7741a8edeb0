//! What a running service takes of new settings, beside those of models: sinks, tokens, retention; and what it refuses.

use std::io::{Read as _, Write as _};

use super::rows;
use super::service;
use crate::support::folder::Folder;
use crate::support::service::{Service, eventually};
use crate::support::stub::{Answer, Stub};

const SOURCE: &str = "{lines: {path: rows.ndjson}, format: json}";

/// The first line of the answer to a request with this token, if any.
fn status(address: &str, path: &str, token: Option<&str>) -> String {
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\n{token}connection: close\r\n\r\n")
        .expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer.lines().next().unwrap_or_default().to_owned()
}

/// Writes the service file anew and has it read; what the service says to it.
fn reload(folder: &Folder, running: &mut Service, model_sinks: &str, sinks: &str, rest: &str) -> String {
    service(folder, SOURCE, sinks);
    folder.write("model.yaml", super::MODEL.replace("sinks: [record]", &format!("sinks: [{model_sinks}]")));
    let text = std::fs::read_to_string(folder.path("service.yaml")).expect("written");
    folder.write("service.yaml", text + rest);
    running.hang_up();
    running.wait_for("SIGHUP")
}

#[test]
fn sinks_begin_change_and_end_and_no_message_is_lost() {
    let folder = Folder::new();
    let (down, up) = (Stub::answering(vec![Answer::of(503)]), Stub::answering(vec![Answer::of(204)]));
    let hook = |stub: &Stub| format!("  hook: {{webhook: {{url: \"{}/hook\"}}}}\n", stub.url());
    service(&folder, SOURCE, &hook(&down));
    folder.write("model.yaml", super::MODEL.replace("sinks: [record]", "sinks: [record, hook]"));
    let rows = rows::rows(6_000, 3, 30, 71);
    let (first, second) = rows.split_at(5_000);
    rows::file(&folder, "rows.ndjson", first);
    let mut running = Service::start(&folder, &[]);
    eventually("the alert was tried", || !down.requests().is_empty());

    // Gone: what it had to deliver waits.
    let line = reload(&folder, &mut running, "record", "", "");
    assert!(line.contains("the sink `hook` has ended, and ") && line.contains("wait in the store"), "{line}");
    // Back, at another address, and a further one.
    let more = "  more: {file: {path: ./more.ndjson, send: [verdicts, alerts]}}\n";
    let both = format!("{}{more}", hook(&up));
    let line = reload(&folder, &mut running, "record, hook, more", &both, "");
    assert!(
        line.contains("the sink `hook` has begun") && line.contains("the sink `more` has begun"),
        "{line}"
    );
    eventually("what waited has arrived", || !up.requests().is_empty());
    let key = |stub: &Stub| stub.requests()[0].header("webhook-id").map(str::to_owned);
    assert_eq!(key(&up), key(&down), "the same message, under its key");

    // What comes from now on goes to the new sink as well.
    let mut file =
        std::fs::OpenOptions::new().append(true).open(folder.path("rows.ndjson")).expect("the file");
    for row in second {
        writeln!(file, "{}", row.json).expect("written");
    }
    let read = |name: &str| std::fs::read_to_string(folder.path(name)).unwrap_or_default();
    eventually("the new sink has verdicts", || read("more.ndjson").contains(r#""type":"verdict""#));

    // Other settings of one that stays: the next message goes elsewhere.
    let moved = "  more: {file: {path: ./moved.ndjson, send: [verdicts, alerts]}}\n";
    let both = format!("{}{moved}", hook(&up));
    let line = reload(&folder, &mut running, "record, hook, more", &both, "");
    assert!(line.contains("the sink `more` has new settings") && !line.contains("`hook`"), "{line}");
    let late: Vec<rows::Row> = rows::rows(6_000, 6, 0, 72).split_off(4_000);
    for row in &late {
        writeln!(file, "{}", row.json).expect("written");
    }
    eventually("the new place has verdicts", || read("moved.ndjson").contains(r#""type":"verdict""#));
    running.stop_well();
}

#[test]
fn tokens_and_retention_are_taken_and_what_needs_a_restart_changes_nothing() {
    let folder = Folder::new();
    service(&folder, SOURCE, "");
    rows::file(&folder, "rows.ndjson", &rows::rows(2_000, 1, 30, 73));
    let mut running = Service::start(&folder, &[("FIRST", "first-token"), ("SECOND", "second-token")]);
    let address = running.address();
    let ask = |token: Option<&str>| status(&address, "/api/v1/models", token);
    assert!(ask(None).contains(" 200 "), "{}", ask(None));

    let token =
        |variable: &str| format!("tokens: [{{name: own, scope: read, secret: \"${{{variable}}}\"}}]\n");
    let line = reload(&folder, &mut running, "record", "", &token("FIRST"));
    assert!(line.contains("the tokens are `own`") && !line.contains("first-token"), "{line}");
    assert!(ask(None).contains(" 401 ") && ask(Some("first-token")).contains(" 200 "));

    let rest = format!("{}retention: {{verdicts: 30d}}\n", token("SECOND"));
    let line = reload(&folder, &mut running, "record", "", &rest);
    assert!(line.contains("the tokens are `own`") && line.contains("a new `retention`"), "{line}");
    assert!(ask(Some("first-token")).contains(" 401 ") && ask(Some("second-token")).contains(" 200 "));

    // A file with a problem, a secret that is missing, a sink that nobody has: nothing changes.
    for (sinks, model_sinks, rest, words) in [
        ("", "record", "retenion: {}\n".to_owned(), "did you mean `retention`"),
        ("", "record", token("MISSING"), "`MISSING` is not set"),
        ("", "record, nobody", token("FIRST"), "`nobody`"),
        (
            "  late: {webhook: {url: \"http://127.0.0.1:1\", secret: \"${NONE}\"}}\n",
            "record",
            token("FIRST"),
            "`NONE`",
        ),
    ] {
        let line = reload(&folder, &mut running, model_sinks, sinks, &rest);
        assert!(line.contains("not reloaded") && line.contains(words), "{line}");
        assert!(ask(Some("first-token")).contains(" 401 ") && ask(Some("second-token")).contains(" 200 "));
    }
    // What is the process's is named.
    service(&folder, SOURCE, "");
    let text = std::fs::read_to_string(folder.path("service.yaml")).expect("written");
    folder
        .write("service.yaml", text.replace("listen: 127.0.0.1:0", "listen: 127.0.0.1:1") + &token("FIRST"));
    running.hang_up();
    let line = running.wait_for("SIGHUP");
    assert!(line.contains("`listen` changed: restart the service"), "{line}");
    assert!(ask(Some("second-token")).contains(" 200 "));
    running.stop_well();
}
