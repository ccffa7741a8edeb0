//! The document says what the router does, route for route, and key for key.

use std::collections::BTreeSet;

use serde_json::Value;

use super::schema::{document, resolve};
use super::world::World;
use crate::http::auth::Scope;
use crate::http::external::LARGEST;
use crate::http::ingest::{LONGEST, TYPES};
use crate::http::query::{LIMIT, MOST};
use crate::http::route::{BODY, ROUTES, Takes};

#[test]
fn every_route_is_described_and_every_description_is_a_route() {
    let document = document();
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| (path.clone(), method.clone()))
        })
        .collect();
    let routes: BTreeSet<(String, String)> = ROUTES
        .iter()
        .map(|route| (route.path.to_owned(), route.method.as_str().to_ascii_lowercase()))
        .collect();
    assert_eq!(described, routes);
    assert_eq!(routes.len(), ROUTES.len(), "a route is there twice");
}

#[test]
fn a_route_takes_what_its_description_says() {
    let document = document();
    let mut names = BTreeSet::new();
    for route in &ROUTES {
        let method = route.method.as_str().to_ascii_lowercase();
        let operation = &document["paths"][route.path][&method];
        let at = format!("{method} {}", route.path);
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name), "{at}: there are two operations `{name}`");
        assert_eq!(operation["x-scope"].as_str(), route.scope.map(Scope::word), "{at}");
        assert_eq!(operation.get("security").is_some(), route.scope.is_none(), "{at}");
        let parameters: Vec<&Value> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| resolve(&document, parameter))
            .collect();
        let of = |place: &str| -> Vec<&str> {
            let own = parameters.iter().filter(|own| own["in"] == place);
            own.map(|own| own["name"].as_str().unwrap()).collect()
        };
        let query: BTreeSet<&str> = of("query").into_iter().collect();
        assert_eq!(query, route.query.iter().copied().collect(), "{at}");
        let in_path: Vec<&str> =
            route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(of("path"), in_path, "{at}");
        let body = &operation["requestBody"];
        let takes = match (body.is_null(), body["required"] == true) {
            (true, _) => Takes::Nothing,
            (false, false) => Takes::Perhaps,
            (false, true) if body["content"].as_object().is_some_and(|own| own.len() > 1) => Takes::Rows,
            (false, true) if body["x-max-bytes"] == LARGEST => Takes::Alert,
            (false, true) => Takes::Body,
        };
        assert_eq!(takes, route.takes, "{at}");
        let statuses: Vec<&String> = operation["responses"].as_object().unwrap().keys().collect();
        assert_eq!(
            statuses.iter().any(|status| *status == "401"),
            route.scope.is_some(),
            "{at}: {statuses:?}"
        );
    }
}

#[test]
fn the_bounds_are_those_that_are_kept() {
    let document = document();
    let limit = &document["components"]["parameters"]["limit"]["schema"];
    assert_eq!(
        (limit["maximum"].as_u64(), limit["default"].as_u64()),
        (Some(MOST as u64), Some(LIMIT as u64))
    );
    let too_large = document["components"]["responses"]["TooLarge"]["description"].as_str().unwrap();
    assert!(too_large.contains(&BODY.to_string()), "{too_large}");
    let key = &document["components"]["parameters"]["idempotency_key"]["schema"];
    assert_eq!(key["maxLength"].as_u64(), Some(LONGEST as u64));
    let ingest = &document["paths"]["/api/v1/ingest/{model}"]["post"]["requestBody"];
    let types: Vec<&String> = ingest["content"].as_object().unwrap().keys().collect();
    assert_eq!(types, TYPES.map(|(name, _)| name));
    for longest in ["/Comment/properties/comment", "/SilenceRequest/properties/reason"] {
        let schema = document.pointer(&format!("/components/schemas{longest}")).unwrap();
        assert_eq!(schema["maxLength"].as_u64(), Some(crate::http::alerts::TEXT as u64), "{longest}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = document();
    let mut used = BTreeSet::new();
    collect(&document, &mut used);
    for pointer in &used {
        assert!(document.pointer(pointer.trim_start_matches('#')).is_some(), "{pointer} leads nowhere");
    }
    for group in ["parameters", "responses", "schemas"] {
        for name in document["components"][group].as_object().unwrap().keys() {
            let pointer = format!("#/components/{group}/{name}");
            assert!(used.contains(pointer.as_str()), "{pointer} is not used");
        }
    }
}

#[test]
fn the_service_serves_its_description() {
    let reply = World::open().get("/api/v1/openapi.json");
    assert_eq!((reply.status, reply.json()), (200, document()));
}

fn collect<'a>(value: &'a Value, into: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(object) => {
            into.extend(object.get("$ref").and_then(Value::as_str));
            object.values().for_each(|own| collect(own, into));
        }
        Value::Array(items) => items.iter().for_each(|own| collect(own, into)),
        _ => {}
    }
}
