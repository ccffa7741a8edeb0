//! What changes something: who did it, that it is committed, and what is refused.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::world::{ADMIN, HOUR, NOW, WRITER, World, ask, id};
use crate::exit::Error;

#[test]
fn an_acknowledgement_bears_the_token_s_name_and_stays() {
    let world = World::guarded();
    let path = format!("/api/v1/alerts/{}/acknowledge", id(101));
    let reply = world.send("POST", &path, &[WRITER], Some(r#"{"comment":"on it"}"#));
    assert_eq!(reply.status, 200, "{reply:?}");
    let expected = json!({"by": "writer", "at": "2001-02-01T00:00:00.000000Z", "comment": "on it"});
    assert_eq!(reply.json()["acknowledged"], expected);
    assert_eq!(world.get(&format!("/api/v1/alerts/{}", id(101))).json()["acknowledged"], expected);
    // Without a body there is no comment, and the last to say so has it.
    let again = world.send("POST", &path, &[ADMIN], None).json();
    assert_eq!(again["acknowledged"]["by"], "admin");
    assert!(again["acknowledged"]["comment"].is_null(), "{again}");
}

#[test]
fn an_alert_that_is_over_or_never_was_cannot_be_acknowledged() {
    let world = World::open();
    let acknowledge =
        |alert: u64, body: &Value| world.post(&format!("/api/v1/alerts/{}/acknowledge", id(alert)), body);
    let over = acknowledge(102, &json!({}));
    assert_eq!((over.status, over.error().starts_with("conflict: ")), (409, true), "{over:?}");
    assert_eq!(acknowledge(99, &json!({})).status, 404);
    assert_eq!(acknowledge(101, &json!({"comment": 5})).status, 400);
    assert_eq!(acknowledge(101, &json!({"comment": null})).status, 400);
    let long = acknowledge(101, &json!({"comment": "x".repeat(2001)}));
    assert_eq!((long.status, long.error().contains("2001 characters")), (400, true), "{long:?}");
    assert_eq!(acknowledge(101, &json!({})).json()["acknowledged"]["by"], "anonymous");
}

#[test]
fn a_silence_begins_lasts_and_is_lifted() {
    let world = World::guarded();
    let body = json!({"matcher": {"model": "flights", "segment": {"origin": "ATL"}}, "reason": " upgrade ", "duration": "2h"});
    let created = world.send("POST", "/api/v1/silences", &[WRITER], Some(&body.to_string()));
    assert_eq!(created.status, 201, "{created:?}");
    let silence = created.json();
    assert_eq!((&silence["author"], &silence["reason"]), (&json!("writer"), &json!("upgrade")));
    assert_eq!(silence["matcher"], body["matcher"]);
    assert_eq!(
        (&silence["state"], &silence["expires"]),
        (&json!("active"), &json!("2001-02-01T02:00:00.000000Z"))
    );
    let list = || world.get("/api/v1/silences").json()["items"].clone();
    assert_eq!(list(), json!([silence]));

    let path = format!("/api/v1/silences/{}", silence["id"].as_str().unwrap());
    world.clock.set(NOW + HOUR);
    let lifted = world.send("DELETE", &path, &[WRITER], None);
    assert_eq!((lifted.status, &lifted.json()["state"]), (200, &json!("ended")), "{lifted:?}");
    assert_eq!(list(), json!([]));
    assert_eq!(world.get("/api/v1/silences?since=2001-02-01").json()["items"], json!([lifted.json()]));
    // Lifting it again moves nothing.
    world.clock.set(NOW + HOUR + 5);
    assert_eq!(world.send("DELETE", &path, &[WRITER], None).json(), lifted.json());
    assert_eq!(world.send("DELETE", "/api/v1/silences/none", &[WRITER], None).status, 404);
}

#[test]
fn a_silence_of_later_waits_and_can_be_lifted_before_it_begins() {
    let world = World::open();
    let body = json!({"matcher": {}, "reason": "x", "starts": "2001-02-02T00:00:00Z", "expires": "2001-02-03T00:00:00+01:00"});
    let silence = world.post("/api/v1/silences", &body).json();
    assert_eq!(
        (&silence["state"], &silence["expires"]),
        (&json!("pending"), &json!("2001-02-02T23:00:00.000000Z"))
    );
    let path = format!("/api/v1/silences/{}", silence["id"].as_str().unwrap());
    let lifted = world.send("DELETE", &path, &[], None).json();
    assert_eq!(
        (&lifted["starts"], &lifted["expires"]),
        (&lifted["expires"], &json!("2001-02-01T00:00:00.000000Z"))
    );
}

#[test]
fn a_silence_that_would_do_nothing_is_refused() {
    let world = World::open();
    let with = |key: &str, value: Value| {
        let mut body = json!({"matcher": {}, "reason": "x", "duration": "1h"});
        body[key] = value;
        body
    };
    for (body, status, expected) in [
        (with("matcher", json!({"model": "fligths"})), 422, "did you mean `flights`?"),
        (with("matcher", json!({"window": "weekly"})), 422, "window `weekly`"),
        (with("matcher", json!({"segment": {"carrier": "AA"}})), 422, "expected one of `origin`"),
        (with("matcher", json!({"alert": id(99)})), 422, "does not exist"),
        (with("matcher", json!({"modle": "flights"})), 400, "unknown field `modle`"),
        (with("matcher", json!([])), 400, "no object"),
        (with("reason", json!(" \n")), 400, "`reason` is empty"),
        (with("reason", json!("x".repeat(2001))), 400, "2001 characters"),
        (with("duration", json!("5 parsecs")), 422, "the units are"),
        (with("duration", json!("0s")), 422, "ends before it starts"),
        (with("duration", json!("400d")), 422, "at most 366 days"),
        (with("expires", json!("2001-02-02T00:00:00Z")), 400, "either `expires` or `duration`"),
        (with("starts", json!("soon")), 400, "`starts`: `soon` is not a time"),
        (with("starts", Value::Null), 400, "invalid type: null"),
        (with("starts", json!("2001-01-01T00:00:00Z")), 422, "which is over"),
        (with("starts", json!("2009-01-01T00:00:00Z")), 422, "within the next two years"),
        (json!({"matcher": {}, "reason": "x"}), 400, "either `expires` or `duration`"),
    ] {
        let reply = world.post("/api/v1/silences", &body);
        assert_eq!(reply.status, status, "{body}: {reply:?}");
        assert!(reply.error().contains(expected), "{body}: {reply:?}");
    }
    assert_eq!(world.get("/api/v1/silences").json()["items"], json!([]));
}

#[test]
fn what_was_given_up_is_tried_again() {
    let mut world = World::guarded();
    let key = |number: u64, sink: &str| format!("{}:0:{sink}", id(number));
    for number in [101, 102] {
        world.outbox.dead(&key(number, "oncall"), "status 410: gone", NOW + 5).unwrap();
    }
    world.outbox.delivered(&[&key(103, "retired")], NOW + 6).unwrap();
    let sinks = world.get("/api/v1/sinks").json();
    let about: Vec<_> = sinks["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| {
            (
                own["name"].as_str().unwrap(),
                own["configured"].as_bool().unwrap(),
                own["dead"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(about, [("oncall", true, 2), ("quiet", true, 0), ("retired", false, 0)]);
    let dead = world.get("/api/v1/messages?sink=oncall&state=dead").json();
    assert_eq!(dead["items"].as_array().unwrap().len(), 2);
    assert_eq!(dead["items"][0]["error"], "status 410: gone");
    assert_eq!(world.get("/api/v1/status").json()["messages"]["dead"], 2);

    let retry = |path: String| world.send("POST", &path, &[ADMIN], None);
    assert_eq!(retry(format!("/api/v1/messages/{}/retry", key(101, "oncall"))).json(), json!({"retried": 1}));
    assert!(is_rung(&world), "the worker is woken, which slept until something it knew of");
    let again = retry(format!("/api/v1/messages/{}/retry", key(101, "oncall")));
    assert_eq!((again.status, again.error().contains("state `dead`")), (409, true), "{again:?}");
    assert_eq!(retry(format!("/api/v1/messages/{}/retry", key(103, "retired"))).status, 409);
    assert!(!is_rung(&world), "nothing is due that was not before");
    let missing = retry("/api/v1/messages/none/retry".to_owned());
    assert_eq!((missing.status, missing.error().contains("`none`")), (404, true), "{missing:?}");
    assert_eq!(retry("/api/v1/sinks/oncall/retry".to_owned()).json(), json!({"retried": 1}));
    assert!(is_rung(&world));
    assert_eq!(retry("/api/v1/sinks/quiet/retry".to_owned()).json(), json!({"retried": 0}));
    assert_eq!(retry("/api/v1/sinks/retired/retry".to_owned()).json(), json!({"retried": 0}));
    let unknown = retry("/api/v1/sinks/oncal/retry".to_owned());
    assert_eq!(
        (unknown.status, unknown.error().contains("did you mean `oncall`?")),
        (404, true),
        "{unknown:?}"
    );
    assert_eq!(world.get("/api/v1/messages?state=dead").json()["items"], json!([]));
    let pending = world.get("/api/v1/messages?state=pending").json();
    assert!(
        pending["items"].as_array().unwrap().iter().all(|own| own["next_attempt"].is_string()),
        "{pending}"
    );
}

/// Whether the workers' bell was rung since it was last asked.
fn is_rung(world: &World) -> bool {
    let mut heard = std::pin::pin!(world.bell.notified());
    heard.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
}

#[test]
fn a_reload_says_what_changed_or_what_is_wrong() {
    let world = World::open();
    let reload = |answer| {
        *world.reload.lock().unwrap() = Some(answer);
        world.send("POST", "/api/v1/reload", &[], None)
    };
    assert_eq!(
        reload(Ok("model `flights`: thresholds".to_owned())).json()["changed"],
        "model `flights`: thresholds"
    );
    let wrong = reload(Err(Error::input("flights.yaml:3:1: unknown key `treshold`")));
    assert_eq!(
        (wrong.status, wrong.error().as_str()),
        (422, "refused: flights.yaml:3:1: unknown key `treshold`")
    );
    let ended = reload(Err(Error::run("the service has ended")));
    assert_eq!((ended.status, ended.header("retry-after")), (503, "1"), "{ended:?}");
}

#[test]
fn a_reload_that_takes_long_holds_up_nobody() {
    let world = World::open();
    let slow = world.reload.lock().unwrap();
    std::thread::scope(|scope| {
        let address = world.address;
        let reload = scope.spawn(move || ask(address, "POST", "/api/v1/reload", &[], None));
        while !world.reloading.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let noted = world.post(&format!("/api/v1/alerts/{}/acknowledge", id(101)), &json!({}));
        assert_eq!(noted.status, 200, "{noted:?}");
        assert!(!reload.is_finished());
        drop(slow);
        assert_eq!(reload.join().unwrap().status, 503);
    });
}
