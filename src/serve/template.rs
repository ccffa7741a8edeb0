//! What a webhook is sent: the event as it is, one of the presets, Azure's common alert schema, or a template of the user's.
//!
//! A template is minijinja (Jinja2's syntax) over the event's JSON, and must give JSON: what it gives is parsed before it
//! is sent, and sent compact. It is rendered at each attempt, so that a mended template mends what waits.

use std::collections::BTreeMap;

use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Deserialize as _;

use super::wire::Event;
use crate::azure::common_schema::CommonSchema;
use crate::exit::{Error, Result};

/// The presets and their text.
const PRESETS: [(&str, &str); 3] = [
    ("pagerduty", include_str!("templates/pagerduty.json")),
    ("slack", include_str!("templates/slack.json")),
    ("teams", include_str!("templates/teams.json")),
];

/// The names of the presets.
#[must_use]
pub fn presets() -> Vec<&'static str> {
    PRESETS.iter().map(|(name, _)| *name).collect()
}

/// How an event becomes a body.
#[derive(Debug)]
pub struct Template(Form);

#[derive(Debug)]
enum Form {
    Plain,
    Text { environment: Box<Environment<'static>>, settings: Value },
    CommonAlertSchema(CommonSchema),
}

const NAME: &str = "template";

impl Template {
    /// The event as it is.
    #[must_use]
    pub fn plain() -> Self {
        Self(Form::Plain)
    }

    /// The common alert schema of Azure Monitor; alerts speak of this resource.
    ///
    /// # Errors
    ///
    /// It is no resource's id.
    pub fn common_alert_schema(resource: &str) -> Result<Self> {
        CommonSchema::of(resource).map(|own| Self(Form::CommonAlertSchema(own))).map_err(Error::input)
    }

    /// A preset; `settings` is what it calls `settings`, such as PagerDuty's `routing_key`.
    ///
    /// # Errors
    ///
    /// There is no preset of that name.
    pub fn preset(name: &str, settings: BTreeMap<String, String>) -> Result<Self> {
        let Some((_, text)) = PRESETS.iter().find(|(own, _)| *own == name) else {
            let names = presets().join("`, `");
            return Err(Error::input(format!("there is no template `{name}`: expected `{names}` or a file")));
        };
        Self::parse(text, settings)
    }

    /// A template as text.
    ///
    /// # Errors
    ///
    /// It is not minijinja; says the line.
    pub fn parse(text: &str, settings: BTreeMap<String, String>) -> Result<Self> {
        let mut environment = Environment::new();
        environment.add_template_owned(NAME, text.to_owned()).map_err(|error| {
            let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
            Error::input(format!("the template cannot be read: {line}{error}"))
        })?;
        Ok(Self(Form::Text { environment: Box::new(environment), settings: Value::from(Serde(settings)) }))
    }

    /// The body for an event.
    ///
    /// # Errors
    ///
    /// The template cannot be rendered for this event, or what it gives is no JSON.
    pub fn render(&self, event: &serde_json::Value) -> Result<Vec<u8>> {
        let (environment, settings) = match &self.0 {
            Form::Plain => return Ok(event.to_string().into_bytes()),
            Form::CommonAlertSchema(own) => {
                let event = Event::deserialize(event)
                    .map_err(|error| Error::run("the event cannot be read").because(error))?;
                return own.body(&event).map_err(Error::input);
            }
            Form::Text { environment, settings } => (environment, settings),
        };
        let settings = context! { settings => settings.clone() };
        let context = minijinja::value::merge_maps([Value::from(Serde(event)), settings]);
        let rendered = environment
            .get_template(NAME)
            .and_then(|template| template.render(context))
            .map_err(|error| Error::input(format!("the template fails: {error}")))?;
        let json: serde_json::Value = serde_json::from_str(&rendered)
            .map_err(|error| Error::input(format!("the template does not give JSON: {error}")))?;
        Ok(json.to_string().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn alert(status: &str) -> serde_json::Value {
        json!({
            "schema": "driftlead.event/1", "type": "alert", "id": "a1", "revision": 0,
            "time": "2001-01-01T00:00:00.000000Z", "model": {"name": "fl\"ights", "version": "2001-01"},
            "status": status, "severity": "critical", "window": "default", "segment": {"origin": "ATL"},
            "first_window": {"id": "v1", "start": "2001-01-01T00:00:00.000000Z", "end": "2001-01-01T06:00:00.000000Z"},
            "last_window": {"id": "v2", "start": "2001-01-01T06:00:00.000000Z", "end": "2001-01-01T12:00:00.000000Z"},
            "causes": [{"feature": "delay", "metric": "psi", "value": 0.31, "threshold": 0.2, "share": 0.9,
                "top": [{"label": "(10, 20]", "baseline": 0.1, "window": 0.3, "contribution": 0.5}]},
                {"feature": "x", "metric": "ks", "value": null, "threshold": null, "share": null, "top": []}],
            "reason": null
        })
    }

    fn verdict() -> serde_json::Value {
        json!({
            "schema": "driftlead.event/1", "type": "verdict", "id": "v1", "revision": 0,
            "time": "2001-01-01T00:00:00.000000Z", "model": {"name": "flights", "version": "2001-01"},
            "window": {"id": "v1", "name": "default", "start": null, "end": null, "segment": null, "rows": 10,
                "verdict": "drift", "features": []}
        })
    }

    fn gap() -> serde_json::Value {
        json!({
            "schema": "driftlead.event/1", "type": "gap", "id": "g1", "revision": 0,
            "time": "2001-02-01T00:00:00.000000Z", "model": {"name": "flights", "version": "2001-01"},
            "gap": {"name": "default", "start": "2001-01-01T00:00:00.000000Z", "end": "2001-01-31T00:00:00.000000Z",
                "windows": 4320}
        })
    }

    fn diagnostic() -> serde_json::Value {
        json!({
            "schema": "driftlead.event/1", "type": "diagnostic", "id": "d1", "revision": 0,
            "time": "2001-01-01T00:00:00.000000Z", "category": "audit", "operation": "reloaded", "level": "info",
            "instance": "fl\"ights-0", "message": "settings were read again", "properties": {"by": "SIGHUP"}
        })
    }

    #[test]
    fn every_preset_gives_json_for_every_event() {
        for name in presets() {
            let settings = BTreeMap::from([("routing_key".to_owned(), "k\"ey".to_owned())]);
            let preset = Template::preset(name, settings).expect(name);
            let mut bare = diagnostic();
            bare.as_object_mut().expect("an object").remove("properties");
            for event in [alert("open"), alert("resolved"), verdict(), gap(), diagnostic(), bare] {
                let body = preset.render(&event).expect(name);
                let body: serde_json::Value = serde_json::from_slice(&body).expect(name);
                assert!(body.to_string().contains("ights"), "{name}: {body}");
                assert!(
                    event["type"] != "gap" || body.to_string().contains("4320 windows"),
                    "{name}: {body}"
                );
            }
        }
    }

    #[test]
    fn pagerduty_resolves_what_it_triggered() {
        let preset = Template::preset("pagerduty", BTreeMap::new()).expect("preset");
        let render = |event| -> serde_json::Value {
            serde_json::from_slice(&preset.render(&event).expect("rendered")).expect("JSON")
        };
        let (open, resolved) = (render(alert("open")), render(alert("resolved")));
        assert_eq!(
            (&open["event_action"], &resolved["event_action"]),
            (&json!("trigger"), &json!("resolve"))
        );
        assert_eq!(open["dedup_key"], resolved["dedup_key"]);
        assert_eq!(open["payload"]["custom_details"]["causes"][0]["top"][0]["label"], "(10, 20]");
    }

    #[test]
    fn teams_and_slack_name_the_cause() {
        for name in ["teams", "slack"] {
            let body =
                Template::preset(name, BTreeMap::new()).expect(name).render(&alert("open")).expect(name);
            let text = String::from_utf8(body).expect("UTF-8");
            assert!(text.contains("delay") && text.contains("psi 0.31, limit 0.2"), "{name}: {text}");
        }
    }

    #[test]
    fn teams_and_slack_say_what_happened_to_the_service_and_who_did_it() {
        for name in ["teams", "slack"] {
            let body =
                Template::preset(name, BTreeMap::new()).expect(name).render(&diagnostic()).expect(name);
            let text = String::from_utf8(body).expect("UTF-8");
            for part in ["reloaded: fl", "settings were read again", "SIGHUP"] {
                assert!(text.contains(part), "{name}: {text}");
            }
        }
    }

    #[test]
    fn what_is_wrong_with_a_template_is_said() {
        let fails = |text: &str| match Template::parse(text, BTreeMap::new()) {
            Err(error) => error.to_string(),
            Ok(template) => template.render(&alert("open")).expect_err(text).to_string(),
        };
        assert!(fails("{\n{{ 1 + }}").contains("line 2"), "{}", fails("{\n{{ 1 + }}"));
        assert!(fails("{\"a\": {{ model.name }}}").contains("does not give JSON"));
        assert!(fails("{{ model.name.x.y }}").contains("template fails"));
        let error = Template::preset("team", BTreeMap::new()).expect_err("unknown").to_string();
        assert!(error.contains("`teams`"), "{error}");
    }
}
