//! What all models share: the tables, the rule that leads records into them, who may send, and who is notified.

use super::parameter;
use super::resource::{Kind, Output, Resource};
use super::value::{Condition, Value, list, map, when};
use super::{ACTIONS, COLLECTION, WORKSPACE};
use crate::azure::table::{ALL, Column, Table, Type, table_of};

/// What records need to be sent, and nothing else: `Monitoring Metrics Publisher`.
const PUBLISHER: &str = "3913510d-42f4-4e42-8a64-418c390bd531";
/// The name of the workspace within the rule.
const DESTINATION: &str = "workspace";
/// The version of the API of data collection endpoints.
const ENDPOINTS: &str = "2023-03-11";

/// The symbol of a table.
pub(super) fn symbol(table: &Table) -> String {
    format!("table_{}", table.key)
}

pub(super) fn resources(has_endpoint: bool) -> Vec<Resource> {
    let mut workspace = Resource::new(WORKSPACE, Kind::Workspace, Value::Parameter(parameter::WORKSPACE));
    workspace.exists = true;
    let mut all = vec![workspace];
    all.extend(ALL.into_iter().map(table));
    all.extend([collection(has_endpoint), role(), actions()]);
    all
}

fn table(own: &Table) -> Resource {
    let column = |own: &Column| {
        // Tables spell this one differently from rules.
        let kind = if own.kind == Type::DateTime { "dateTime" } else { own.kind.name() };
        map([("name", own.name.into()), ("type", kind.into()), ("description", own.about.into())])
    };
    let columns = Value::List(own.columns.iter().map(column).collect());
    let mut resource = Resource::new(symbol(own), Kind::Table, own.name())
        .properties([("schema", map([("name", own.name().into()), ("columns", columns)]))]);
    resource.parent = Some(WORKSPACE.to_owned());
    resource
}

/// The data collection rule: with an address of its own, or behind an endpoint.
fn collection(has_endpoint: bool) -> Resource {
    let declaration = |own: &&Table| {
        let column = |own: &Column| map([("name", own.name.into()), ("type", own.kind.name().into())]);
        (own.stream, map([("columns", Value::List(own.columns.iter().map(column).collect()))]))
    };
    let flow = |own: &&Table| {
        map([
            ("streams", list([own.stream])),
            ("destinations", list([DESTINATION])),
            ("transformKql", "source".into()),
            ("outputStream", format!("Custom-{}", table_of(own.stream)).into()),
        ])
    };
    let destination =
        map([("workspaceResourceId", Value::Id(WORKSPACE.to_owned())), ("name", DESTINATION.into())]);
    let mut properties = Vec::new();
    if has_endpoint {
        properties.push(("dataCollectionEndpointId", Value::Parameter(parameter::ENDPOINT)));
    }
    properties.extend([
        ("streamDeclarations", Value::Map(ALL.iter().map(declaration).collect())),
        ("destinations", map([("logAnalytics", list([destination]))])),
        ("dataFlows", Value::List(ALL.iter().map(flow).collect())),
    ]);
    let mut resource = Resource::new(COLLECTION, Kind::CollectionRule, "driftlead")
        .location(Value::Parameter(parameter::LOCATION));
    if !has_endpoint {
        resource = resource.kind("Direct");
    }
    resource.properties = properties;
    resource.after = super::tables();
    resource
}

/// May send records by this rule, and nothing else.
fn role() -> Resource {
    let identity = || Value::Parameter(parameter::PRINCIPAL);
    let name = Value::Guid(vec![Value::Id(COLLECTION.to_owned()), identity(), PUBLISHER.into()]);
    let mut resource = Resource::new("sender", Kind::RoleAssignment, name).properties([
        ("roleDefinitionId", Value::Role(PUBLISHER)),
        ("principalId", identity()),
        ("principalType", Value::Parameter(parameter::PRINCIPAL_KIND)),
    ]);
    resource.scope = Some(COLLECTION.to_owned());
    resource.condition = Some(Condition::Given(parameter::PRINCIPAL));
    resource
}

fn actions() -> Resource {
    let email = map([
        ("name", "mail".into()),
        ("emailAddress", Value::Parameter(parameter::EMAIL)),
        ("useCommonAlertSchema", true.into()),
    ]);
    let webhook = map([
        ("name", "webhook".into()),
        ("serviceUri", Value::Parameter(parameter::WEBHOOK)),
        ("useCommonAlertSchema", true.into()),
    ]);
    Resource::new(ACTIONS, Kind::ActionGroup, "driftlead").location("Global".into()).properties([
        ("groupShortName", "driftlead".into()),
        ("enabled", true.into()),
        ("emailReceivers", when(Condition::Given(parameter::EMAIL), list([email]))),
        ("webhookReceivers", when(Condition::Given(parameter::WEBHOOK), list([webhook]))),
    ])
}

/// What the service file needs.
pub(super) fn outputs(has_endpoint: bool) -> Vec<Output> {
    let endpoint = if has_endpoint {
        Value::StateOf(parameter::ENDPOINT, ENDPOINTS, &["logsIngestion", "endpoint"])
    } else {
        Value::State(COLLECTION.to_owned(), &["endpoints", "logsIngestion"])
    };
    vec![
        Output { name: "endpoint", value: endpoint },
        Output { name: "rule", value: Value::State(COLLECTION.to_owned(), &["immutableId"]) },
        Output { name: "ruleId", value: Value::Id(COLLECTION.to_owned()) },
    ]
}
