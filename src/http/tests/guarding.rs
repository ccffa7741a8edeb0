//! Who is let in, and what everybody is told who is not.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use driftlead_connectors::store::{Acknowledgement, Silence};
use serde_json::json;

use super::world::{ADMIN, NOW, READER, WRITER, World, trouble};
use crate::exit::Result;
use crate::http::Commands;
use crate::http::auth::{Scope, Tokens};
use crate::http::desk::Desk;
use crate::http::face::Face;
use crate::http::route::{BODY, ROUTES, Takes};
use crate::serve::bells::Bells;
use crate::serve::health::SourceHealth;

/// A path that fits a route.
fn target(path: &str) -> String {
    path.replace("{model}", "flights").replace("{id}", "x").replace("{sink}", "oncall").replace("{key}", "x")
}

#[test]
fn every_route_demands_its_scope_and_no_more() {
    let world = World::guarded();
    for route in &ROUTES {
        let (method, target) = (route.method.as_str(), target(route.path));
        let body = (route.takes != Takes::Nothing).then_some("{}");
        let ask = |headers: &[(&str, &str)]| world.send(method, &target, headers, body);
        let Some(scope) = route.scope else {
            assert!(matches!(ask(&[]).status, 200 | 503), "{method} {target}");
            continue;
        };
        let refused = ask(&[]);
        assert_eq!(refused.status, 401, "{method} {target}");
        assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"driftlead\"");
        assert_eq!(ask(&[("authorization", "Bearer nobody's")]).status, 401, "{method} {target}");
        for (own, token) in [(Scope::Read, READER), (Scope::Write, WRITER), (Scope::Admin, ADMIN)] {
            let reply = ask(&[token]);
            if own < scope {
                let expected = format!("expected one with the scope `{}`", scope.word());
                assert_eq!(reply.status, 403, "{method} {target} as {own:?}");
                assert!(
                    reply.error().starts_with("forbidden: ") && reply.error().ends_with(&expected),
                    "{reply:?}"
                );
            } else {
                assert!(!matches!(reply.status, 401 | 403), "{method} {target} as {own:?}: {reply:?}");
            }
        }
    }
}

#[test]
fn what_is_not_there_is_said_to_be_so() {
    let world = World::open();
    for path in ["/", "/api/v1", "/api/v1/nothing", "/api/v1/status/", "/api/v2/status"] {
        let reply = world.get(path);
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.error().contains("/api/v1/openapi.json"), "{reply:?}");
    }
    for (method, path, allowed) in [
        ("POST", "/api/v1/status", "GET,HEAD"),
        ("GET", "/api/v1/reload", "POST"),
        ("PUT", "/api/v1/silences", "GET,HEAD,POST"),
        ("OPTIONS", "/api/v1/silences/x", "DELETE"),
    ] {
        let reply = world.send(method, path, &[], None);
        assert_eq!((reply.status, reply.header("allow")), (405, allowed), "{method} {path}");
        assert!(reply.error().starts_with("method_not_allowed: "), "{reply:?}");
    }
    assert_eq!(world.get("/api/v1/models//windows").status, 404);
    assert_eq!(world.get("/api/v1/windows/%ff").status, 400);
}

#[test]
fn every_route_refuses_a_key_that_means_nothing() {
    let world = World::open();
    for route in &ROUTES {
        let target = format!("{}?lmit=5", target(route.path));
        let body = (route.takes != Takes::Nothing).then_some("{}");
        let reply = world.send(route.method.as_str(), &target, &[], body);
        assert_eq!(reply.status, 400, "{target}: {reply:?}");
        let hint = if route.query.contains(&"limit") { "did you mean `limit`?" } else { "" };
        assert!(reply.error().contains("`lmit`") && reply.error().contains(hint), "{reply:?}");
    }
}

#[test]
fn a_body_is_json_of_a_kind_and_size() {
    let world = World::open();
    let path = "/api/v1/silences";
    let send = |headers: &[(&str, &str)], body: &str| world.send("POST", path, headers, Some(body));
    let text = send(&[("content-type", "text/plain")], "{}");
    assert_eq!((text.status, text.error().contains("`text/plain`")), (415, true), "{text:?}");
    assert_eq!(send(&[("content-type", "application/json; charset=utf-8")], "[]").status, 400);
    let large = send(&[], &format!("{{\"reason\":\"{}\"}}", "x".repeat(BODY)));
    assert_eq!((large.status, large.error().contains("65536")), (413, true), "{large:?}");
    for (body, expected) in [
        ("", "there is no body"),
        ("{", "not JSON"),
        ("[]", "no object"),
        ("{}", "missing field `matcher`"),
        (r#"{"matcher":{},"reason":"x","forever":true}"#, "unknown field `forever`"),
        (r#"{"matcher":{},"reason":7}"#, "invalid type"),
    ] {
        let reply = send(&[], body);
        assert_eq!(reply.status, 400, "{body}: {reply:?}");
        assert!(reply.error().starts_with("invalid_body: ") && reply.error().contains(expected), "{reply:?}");
    }
}

#[test]
fn without_tokens_other_names_and_other_sites_are_refused() {
    let world = World::open();
    let foreign = world.send("GET", "/api/v1/status", &[("host", "rebound.example:7070")], None);
    assert_eq!(
        (foreign.status, foreign.error().contains("`rebound.example:7070`")),
        (403, true),
        "{foreign:?}"
    );
    assert_eq!(world.send("GET", "/healthz", &[("host", "rebound.example")], None).status, 403);
    let page = world.send("POST", "/api/v1/reload", &[("origin", "https://evil.example")], None);
    assert_eq!((page.status, page.error().starts_with("foreign_origin: ")), (403, true), "{page:?}");
    // With tokens the name does not matter: no page has one.
    let guarded = World::guarded();
    assert_eq!(
        guarded.send("GET", "/api/v1/status", &[READER, ("host", "driftlead.example")], None).status,
        200
    );
}

#[test]
fn probes_say_why() {
    let world = World::guarded();
    let ready = world.send("GET", "/readyz", &[], None);
    assert_eq!((ready.status, ready.json()["status"].as_str()), (503, Some("waiting")), "{ready:?}");
    trouble(&world.health);
    let ready = world.send("GET", "/readyz", &[], None);
    assert_eq!(ready.json()["reasons"], json!(["source `other`: no broker answers"]));
    world.health.source("other", SourceHealth::Ended);
    assert_eq!(world.send("GET", "/readyz", &[], None).status, 200);
    assert_eq!(world.send("GET", "/healthz", &[], None).json()["status"], "ok");
    world.clock.set(NOW + 600_000_000);
    let stuck = world.send("GET", "/healthz", &[], None);
    assert_eq!((stuck.status, stuck.json()["status"].as_str()), (503, Some("stuck")), "{stuck:?}");
}

#[test]
fn one_connection_serves_many_requests() {
    let world = World::open();
    let mut stream = TcpStream::connect(world.address).unwrap();
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n", world.address);
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&answer));
    }
}

#[test]
fn an_address_that_is_taken_or_open_to_all_is_refused() {
    let world = World::open();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let face = || {
        let store = world.store.lock().unwrap();
        let desk = || {
            let commands: Box<dyn Commands> = Box::new(Deaf);
            Desk::new(Arc::new(Mutex::new(commands)), 1)
        };
        Face {
            reader: Desk::new(Arc::new(Mutex::new(store.reader().unwrap())), 1),
            outbox: Desk::new(Arc::new(Mutex::new(store.outbox().unwrap())), 1),
            commands: desk(),
            reloads: desk(),
            counters: Arc::default(),
            health: Arc::default(),
            board: Arc::default(),
            bells: Bells::default(),
            intake: Arc::default(),
            clock: Arc::new(world.clock.clone()),
            tokens: Tokens::default(),
            started: 0,
        }
    };
    let taken = runtime.block_on(crate::http::serve(world.address, face())).unwrap_err();
    assert!(taken.to_string().contains("give `listen` another port"), "{taken}");
    assert!(taken.to_string().contains(&world.address.to_string()), "{taken}");
    let all = SocketAddr::from(([0, 0, 0, 0], 0));
    let open = runtime.block_on(crate::http::serve(all, face())).unwrap_err();
    assert!(open.to_string().contains("write `tokens`"), "{open}");
}

/// Commands that nobody hears.
#[derive(Debug)]
struct Deaf;

impl Commands for Deaf {
    fn acknowledge(&self, _: &str, _: Acknowledgement) -> Result<bool> {
        Ok(false)
    }

    fn silence(&self, _: Silence, _: &str) -> Result<()> {
        Ok(())
    }

    fn reload(&self, _: &str) -> Result<String> {
        Ok(String::new())
    }
}
