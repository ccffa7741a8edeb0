//! The parameters of a template.

use super::resource::{Parameter, ParameterKind};
use super::value::Value;

/// The workspace.
pub const WORKSPACE: &str = "workspaceName";
/// The place of all resources that have one.
pub const LOCATION: &str = "location";
/// Who runs driftlead.
pub const PRINCIPAL: &str = "principalId";
/// What that is.
pub const PRINCIPAL_KIND: &str = "principalType";
/// Who is notified.
pub const EMAIL: &str = "emailAddress";
/// What is notified.
pub const WEBHOOK: &str = "webhookUri";
/// On what custom metrics are kept.
pub const METRICS: &str = "metricsResourceId";
/// Whether rules on single metrics notify.
pub const DETAILS: &str = "notifyOfDetails";
/// The data collection endpoint.
pub const ENDPOINT: &str = "dataCollectionEndpointId";

/// All of them; the endpoint only where records go through one.
pub(super) fn all(has_endpoint: bool) -> Vec<Parameter> {
    let text = |name, default, about| Parameter { name, kind: ParameterKind::Text, default, about };
    let nothing = || Some(Value::from(""));
    let mut all = vec![text(
        WORKSPACE,
        None,
        "The name of the Log Analytics workspace; it is in the resource group to which this is deployed",
    )];
    if has_endpoint {
        all.push(text(ENDPOINT, None, "The id of the data collection endpoint that takes the records"));
    }
    all.extend([
        text(LOCATION, Some(Value::Location), "The region of the workspace"),
        text(
            PRINCIPAL,
            nothing(),
            "The object id of the identity that runs driftlead, which may then send; empty to give that right by hand",
        ),
        text(
            PRINCIPAL_KIND,
            Some("ServicePrincipal".into()),
            "What that identity is: ServicePrincipal (managed identities too), User or Group",
        ),
        text(EMAIL, nothing(), "The address that alerts are mailed to; empty for none"),
        Parameter {
            name: WEBHOOK,
            kind: ParameterKind::Secret,
            default: nothing(),
            about: "The address that alerts are posted to, in the common alert schema; empty for none",
        },
        text(
            METRICS,
            nothing(),
            "The id of the resource on which the sink azure_metrics keeps its metrics; empty for no alerts on metrics",
        ),
        Parameter {
            name: DETAILS,
            kind: ParameterKind::Bool,
            default: Some(false.into()),
            about: "Whether the rules on single metrics notify too; else they only show in the portal",
        },
    ]);
    all
}
