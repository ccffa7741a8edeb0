//! What each kind of resource demands.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::check::Problems;
use super::expression::as_call;

const COLUMN_TYPES: [&str; 6] = ["datetime", "string", "long", "real", "boolean", "dynamic"];
const PERIODS: [&str; 14] = [
    "PT1M", "PT5M", "PT10M", "PT15M", "PT30M", "PT45M", "PT1H", "PT2H", "PT3H", "PT4H", "PT5H", "PT6H",
    "P1D", "P2D",
];
const METRIC_PERIODS: [&str; 8] = ["PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D"];

pub(crate) fn check(own: &Json, all: &[Json], at: &str, problems: &mut Problems) {
    let properties = &own["properties"];
    match own["type"].as_str().unwrap_or_default() {
        "Microsoft.OperationalInsights/workspaces/tables" => table(own, at, problems),
        "Microsoft.Insights/dataCollectionRules" => collection(own, all, at, problems),
        "Microsoft.Authorization/roleAssignments" => {
            problems.demand(is_guid(&own["name"][0]), at, "its name is no guid");
            problems.demand(!own["scope"].is_null(), at, "gives rights on the whole group");
            for key in ["roleDefinitionId", "principalId"] {
                problems.demand(!properties[key].is_null(), at, format!("has no `{key}`"));
            }
        }
        "Microsoft.Insights/actionGroups" => {
            let short = properties["groupShortName"].as_str().unwrap_or_default();
            problems.demand(
                (1..=12).contains(&short.chars().count()),
                at,
                format!("`{short}` is no short name"),
            );
            for key in ["emailReceivers", "webhookReceivers"] {
                let all = as_call(&properties[key]).map_or(&properties[key], |(_, with)| &with[1]);
                for one in all.as_array().into_iter().flatten() {
                    problems.demand(
                        one["useCommonAlertSchema"] == true,
                        at,
                        format!("{key}: a schema of its own"),
                    );
                }
            }
        }
        "Microsoft.Insights/scheduledQueryRules" => log_alert(own, at, problems),
        "Microsoft.Insights/metricAlerts" => metric_alert(own, at, problems),
        "Microsoft.Insights/workbooks" => {
            problems.demand(is_guid(&own["name"][0]), at, "its name is no guid");
            let text = properties["serializedData"].as_str().unwrap_or_default();
            let content: Json = serde_json::from_str(text).unwrap_or_default();
            problems.demand(content["version"] == "Notebook/1.0", at, "is no workbook");
        }
        other => problems.add(at, format!("`{other}` is no type that is known here")),
    }
}

fn is_guid(own: &Json) -> bool {
    as_call(own).is_some_and(|(name, with)| name == "guid" && !with.is_empty())
}

/// Names of alert rules.
fn name(own: &Json, at: &str, problems: &mut Problems) {
    let name = own["name"][0].as_str().unwrap_or_default();
    let is_well = (1..=260).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && !name.ends_with('.');
    problems.demand(is_well, at, format!("`{name}` is no name"));
}

fn table(own: &Json, at: &str, problems: &mut Problems) {
    let name = own["name"][1].as_str().unwrap_or_default();
    let schema = &own["properties"]["schema"];
    problems.demand(
        name.ends_with("_CL") && name.len() <= 45 + 3,
        at,
        format!("`{name}` is no custom table"),
    );
    problems.demand(schema["name"] == name, at, "the schema has another name");
    columns(&schema["columns"], at, problems);
}

fn columns(own: &Json, at: &str, problems: &mut Problems) -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for column in own.as_array().into_iter().flatten() {
        let kind = column["type"].as_str().unwrap_or_default().to_lowercase();
        let name = column["name"].as_str().unwrap_or_default().to_owned();
        problems.demand(COLUMN_TYPES.contains(&kind.as_str()), at, format!("`{name}`: type `{kind}`"));
        problems.demand(name.len() <= 45 && !name.is_empty(), at, format!("`{name}` is no column"));
        all.insert((name, kind));
    }
    let time = ("TimeGenerated".to_owned(), "datetime".to_owned());
    problems.demand(all.contains(&time), at, "there is no `TimeGenerated`");
    all
}

fn collection(own: &Json, all: &[Json], at: &str, problems: &mut Problems) {
    let properties = &own["properties"];
    let is_direct = own["kind"] == "Direct";
    let has_endpoint = !properties["dataCollectionEndpointId"].is_null();
    problems.demand(is_direct != has_endpoint, at, "needs either an endpoint or to be direct");
    let destinations: Vec<&Json> = properties["destinations"]["logAnalytics"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|own| &own["name"])
        .collect();
    let declared = properties["streamDeclarations"].as_object().cloned().unwrap_or_default();
    let mut led = BTreeSet::new();
    for flow in properties["dataFlows"].as_array().into_iter().flatten() {
        for destination in flow["destinations"].as_array().into_iter().flatten() {
            problems.demand(destinations.contains(&destination), at, format!("no destination {destination}"));
        }
        let output =
            flow["outputStream"].as_str().and_then(|own| own.strip_prefix("Custom-")).unwrap_or_default();
        let table = all.iter().find(|other| other["name"][1] == output);
        problems.demand(table.is_some(), at, format!("`{output}` is no table of the template"));
        for stream in flow["streams"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            led.insert(stream.to_owned());
            let Some(declaration) = declared.get(stream) else {
                problems.add(at, format!("stream `{stream}` is not declared"));
                continue;
            };
            let own = columns(&declaration["columns"], at, problems);
            let of_table =
                table.map(|table| columns(&table["properties"]["schema"]["columns"], at, problems));
            problems.demand(
                Some(own) == of_table,
                at,
                format!("`{stream}` has other columns than its table"),
            );
        }
    }
    for stream in declared.keys() {
        problems.demand(stream.starts_with("Custom-"), at, format!("`{stream}` is no custom stream"));
        problems.demand(led.contains(stream), at, format!("`{stream}` leads nowhere"));
    }
}

fn minutes(period: &str) -> u64 {
    let digits: u64 = period.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
    match period.chars().last() {
        Some('D') => digits * 1_440,
        Some('H') => digits * 60,
        _ => digits,
    }
}

fn log_alert(own: &Json, at: &str, problems: &mut Problems) {
    name(own, at, problems);
    let properties = &own["properties"];
    let bytes = own.to_string().len();
    problems.demand(bytes <= 64 << 10, at, format!("{bytes} bytes, and a rule takes 64 KB"));
    let period = |key: &str| properties[key].as_str().unwrap_or_default();
    let (every, window) = (period("evaluationFrequency"), period("windowSize"));
    problems.demand(PERIODS[..13].contains(&every), at, format!("`{every}` is no frequency"));
    problems.demand(PERIODS.contains(&window), at, format!("`{window}` is no window"));
    problems.demand(minutes(every) <= minutes(window), at, "runs less often than it looks back");
    let severity = properties["severity"].as_f64().unwrap_or(-1.0);
    problems.demand((0.0..=4.0).contains(&severity), at, format!("severity {severity}"));
    let mutes = !properties["muteActionsDuration"].is_null();
    problems.demand(!(properties["autoMitigate"] == true && mutes), at, "resolves and mutes");
    problems.demand(properties["scopes"].as_array().is_some_and(|all| all.len() == 1), at, "has no scope");
    let criteria = properties["criteria"]["allOf"].as_array().cloned().unwrap_or_default();
    problems.demand(criteria.len() == 1, at, "a rule has one criterion");
    for own in criteria {
        let query = own["query"].as_str().unwrap_or_default();
        let number = |key: &str| own["failingPeriods"][key].as_f64().unwrap_or(0.0);
        let (needed, last) = (number("minFailingPeriodsToAlert"), number("numberOfEvaluationPeriods"));
        problems.demand(
            1.0 <= needed && needed <= last && last <= 6.0,
            at,
            format!("{needed} of {last} periods"),
        );
        problems.demand(last as u64 * minutes(window) <= 2_880, at, "looks back more than two days");
        let dimensions = own["dimensions"].as_array().cloned().unwrap_or_default();
        problems.demand(dimensions.len() <= 6, at, "more than six dimensions");
        let last_line = query.lines().last().unwrap_or_default();
        for dimension in &dimensions {
            let name = dimension["name"].as_str().unwrap_or_default();
            problems.demand(last_line.contains(name), at, format!("the query gives no `{name}`"));
        }
        let measure = own["metricMeasureColumn"].as_str();
        problems.demand(
            (own["timeAggregation"] == "Count") == measure.is_none(),
            at,
            "what is counted has no column, all else has one",
        );
        problems.demand(
            measure.is_none_or(|name| last_line.contains(name)),
            at,
            "the query gives no measure",
        );
        let operators = ["GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual", "Equal"];
        problems.demand(operators.iter().any(|word| own["operator"] == *word), at, "has no operator");
        problems.demand(own["threshold"].is_number(), at, "has no threshold");
    }
}

fn metric_alert(own: &Json, at: &str, problems: &mut Problems) {
    name(own, at, problems);
    let properties = &own["properties"];
    problems.demand(own["location"] == "global", at, "is not global");
    let period = |key: &str| properties[key].as_str().unwrap_or_default();
    let (every, window) = (period("evaluationFrequency"), period("windowSize"));
    problems.demand(METRIC_PERIODS[..5].contains(&every), at, format!("`{every}` is no frequency"));
    problems.demand(METRIC_PERIODS.contains(&window), at, format!("`{window}` is no window"));
    problems.demand(minutes(every) <= minutes(window), at, "runs less often than it looks back");
    let criteria = &properties["criteria"];
    problems.demand(
        criteria["odata.type"] == "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
        at,
        "has no type of criteria",
    );
    let all = criteria["allOf"].as_array().cloned().unwrap_or_default();
    problems.demand(all.len() == 1, at, "has not one criterion");
    for own in all {
        problems.demand(own["skipMetricValidation"] == true, at, "waits for a first metric");
        problems.demand(own["metricNamespace"] == "driftlead", at, "another namespace");
        problems.demand(own["threshold"].is_number(), at, "has no threshold");
        let dimensions = own["dimensions"].as_array().cloned().unwrap_or_default();
        problems.demand((1..=10).contains(&dimensions.len()), at, "not one to ten dimensions");
        let empty = |own: &Json| own["values"].as_array().is_none_or(Vec::is_empty);
        problems.demand(!dimensions.iter().any(empty), at, "a dimension without values");
    }
}
