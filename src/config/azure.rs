//! Which alerts of Azure Monitor are about a model: those on resources that serve it, and those of rules of these names.
//!
//! Names and ids of Azure tell case not apart. An alert on what lies beneath a resource, such as the deployment of an endpoint,
//! is one on the resource.

use super::labels;
use super::node::Node;
use super::problem::{Place, Problem};

/// What in Azure belongs to a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AzureAlerts {
    /// Ids of resources.
    pub resources: Vec<String>,
    /// Names or ids of alert rules.
    pub rules: Vec<String>,
}

impl AzureAlerts {
    /// Whether an alert on these targets, of a rule of this name and id, is about the model.
    #[must_use]
    pub fn covers<'a>(
        &self,
        targets: impl IntoIterator<Item = &'a str>,
        rule: &str,
        rule_id: Option<&str>,
    ) -> bool {
        let is_rule = |own: &String| {
            let id = rule_id.unwrap_or_default();
            own.eq_ignore_ascii_case(rule) || (!id.is_empty() && own.eq_ignore_ascii_case(id))
        };
        self.rules.iter().any(is_rule)
            || targets.into_iter().any(|target| self.resources.iter().any(|own| is_beneath(target, own)))
    }

    /// Whether nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.rules.is_empty()
    }
}

fn is_beneath(target: &str, own: &str) -> bool {
    let (target, own) = (target.trim_end_matches('/'), own.trim_end_matches('/'));
    let Some((head, rest)) = target.split_at_checked(own.len()) else { return false };
    head.eq_ignore_ascii_case(own) && (rest.is_empty() || rest.starts_with('/'))
}

pub(super) fn read(root: &Node, problems: &mut Vec<Problem>) -> AzureAlerts {
    let Some(node) = root.child("azure") else { return AzureAlerts::default() };
    let own = AzureAlerts { resources: labels(node, "resources"), rules: labels(node, "rules") };
    let place = |key: &str| node.child(key).map_or(node.place, |own| own.place);
    for id in &own.resources {
        // A subscription or a group would take in all that is in it.
        if !id.starts_with("/subscriptions/") || !id.to_ascii_lowercase().contains("/providers/") {
            let message = format!(
                "`{id}` is not the id of a resource: expected `/subscriptions/…/resourceGroups/…/providers/…`, as \
                 `az resource show` has it"
            );
            problems.push(Problem::new(place("resources"), message));
        }
    }
    let empty: Option<Place> = own.is_empty().then_some(node.place);
    if let Some(place) = empty {
        let message = "`azure` names nothing: expected `resources`, `rules` or both";
        problems.push(Problem::new(place, message));
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: &str = "/subscriptions/S/resourceGroups/G/providers/Microsoft.MachineLearningServices/workspaces/W/onlineEndpoints/credit";

    #[test]
    fn an_alert_belongs_to_the_model_by_its_target_or_its_rule() {
        let own = AzureAlerts {
            resources: vec![format!("{ENDPOINT}/")],
            rules: vec!["Credit is slow".to_owned(), "/subscriptions/S/rules/r-1".to_owned()],
        };
        let by_target = |target: &str| own.covers([target], "other", None);
        assert!(by_target(ENDPOINT) && by_target(&ENDPOINT.to_ascii_lowercase()));
        assert!(by_target(&format!("{ENDPOINT}/deployments/blue")));
        assert!(!by_target(&format!("{ENDPOINT}-2")), "another endpoint, whose name begins alike");
        assert!(!by_target("/subscriptions/S") && !by_target("") && !by_target("ü"));
        assert!(own.covers([], "credit IS slow", None));
        assert!(own.covers(["/x"], "r-1", Some("/subscriptions/s/RULES/r-1")));
        assert!(!own.covers([], "slow", Some("")));
        assert!(!AzureAlerts::default().covers([ENDPOINT], "", None));
    }
}
