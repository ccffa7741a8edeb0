//! The workbook: charts of what the tables hold.

use serde_json::{Value as Json, json};

use super::resource::{Kind, Resource};
use super::value::Value;
use super::{WORKSPACE, parameter};
use crate::azure::table::{ALERTS, METRICS, VERDICTS};

/// What narrows a chart to the models that are chosen; the star stands for all.
const CHOSEN: &str = "| where '*' in ({Model}) or Model in ({Model})";

pub(super) fn resource() -> Resource {
    let name = Value::Guid(vec![Value::Group, "driftlead".into()]);
    let mut resource = Resource::new("workbook", Kind::Workbook, name)
        .location(Value::Parameter(parameter::LOCATION))
        .kind("shared")
        .properties([
            ("displayName", "driftlead".into()),
            ("category", "workbook".into()),
            ("sourceId", Value::Id(WORKSPACE.to_owned())),
            ("version", "Notebook/1.0".into()),
            ("serializedData", format!("{:#}", content()).into()),
        ]);
    resource.after = super::tables();
    resource
}

/// A chart or table.
struct Chart {
    name: &'static str,
    title: &'static str,
    query: String,
    /// How it is drawn.
    as_: &'static str,
}

fn content() -> Json {
    let mut items = vec![
        json!({"type": 1, "name": "head", "content": {"json":
            "## driftlead\nDrift of models, as driftlead has judged it. Times are those of the decision; a window's own \
             time stands in its row."}}),
        parameters(),
    ];
    items.extend(charts().into_iter().map(|own| {
        json!({"type": 3, "name": own.name, "content": {
            "version": "KqlItem/1.0", "query": own.query, "size": 0, "title": own.title,
            "timeContextFromParameter": "TimeRange", "queryType": 0,
            "resourceType": "microsoft.operationalinsights/workspaces", "visualization": own.as_,
        }})
    }));
    json!({
        "version": "Notebook/1.0",
        "items": items,
        "$schema": "https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json",
    })
}

fn parameters() -> Json {
    let spans = [3_600_000_u64, 86_400_000, 604_800_000, 2_592_000_000, 7_776_000_000];
    let spans: Vec<Json> = spans.iter().map(|span| json!({"durationMs": span})).collect();
    let models = format!("{}\n| distinct Model\n| order by Model asc", VERDICTS.name());
    json!({"type": 9, "name": "parameters", "content": {
        "version": "KqlParameterItem/1.0", "style": "pills", "queryType": 0,
        "resourceType": "microsoft.operationalinsights/workspaces",
        "parameters": [
            {"id": "5d0b7a52-52b1-4d0c-8d2d-0d3d5f6a7c01", "version": "KqlParameterItem/1.0", "name": "TimeRange",
             "label": "Time", "type": 4, "isRequired": true, "value": {"durationMs": 604_800_000_u64},
             "typeSettings": {"selectableValues": spans, "allowCustom": true}},
            {"id": "5d0b7a52-52b1-4d0c-8d2d-0d3d5f6a7c02", "version": "KqlParameterItem/1.0", "name": "Model",
             "type": 2, "isRequired": true, "multiSelect": true, "quote": "'", "delimiter": ",", "query": models,
             "value": ["value::all"],
             "typeSettings": {"additionalResourceOptions": ["value::all"], "selectAllValue": "*"},
             "timeContextFromParameter": "TimeRange", "queryType": 0,
             "resourceType": "microsoft.operationalinsights/workspaces"},
        ],
    }})
}

fn charts() -> Vec<Chart> {
    let (verdicts, metrics, alerts) = (VERDICTS.name(), METRICS.name(), ALERTS.name());
    let newest = "| summarize arg_max(Revision, *) by";
    vec![
        Chart {
            name: "now",
            title: "Where each model stands",
            query: format!(
                "{verdicts}\n{CHOSEN}\n| where not(IsPartial)\n{newest} VerdictId\n\
                 | summarize arg_max(WindowEnd, *) by Model, WindowName, Segment\n\
                 | project Model, ModelVersion, WindowName, Segment, WindowEnd, Verdict, Rows, LateRows, IsFinal, Features\n\
                 | order by Model asc, WindowName asc, Segment asc"
            ),
            as_: "table",
        },
        Chart {
            name: "verdicts",
            title: "Verdicts over time",
            query: format!(
                "{verdicts}\n{CHOSEN}\n| where Segment == \"\"\n{newest} VerdictId\n\
                 | summarize Windows = count() by Verdict, bin(TimeGenerated, {{TimeRange:grain}})"
            ),
            as_: "barchart",
        },
        Chart {
            name: "metrics",
            title: "PSI by feature",
            query: format!(
                "{metrics}\n{CHOSEN}\n| where Segment == \"\" and Metric == \"psi\"\n{newest} VerdictId, Feature\n\
                 | summarize Corrected = max(Corrected) by Series = strcat(Model, \" / \", Feature), bin(TimeGenerated, \
                 {{TimeRange:grain}})"
            ),
            as_: "timechart",
        },
        Chart {
            name: "features",
            title: "How often each feature drifts",
            query: format!(
                "{verdicts}\n{CHOSEN}\n| where Segment == \"\"\n{newest} VerdictId\n\
                 | mv-expand Moved = Features\n\
                 | summarize Drifting = countif(tostring(Moved.verdict) == \"drift\"), Warning = countif(tostring(Moved.verdict) \
                 == \"warn\"), MeanShare = avg(toreal(Moved.share)) by Model, Feature = tostring(Moved.name)\n\
                 | where isnotempty(Feature)\n\
                 | order by Drifting desc, Warning desc"
            ),
            as_: "table",
        },
        Chart {
            name: "alerts",
            title: "Alerts",
            query: format!(
                "{alerts}\n{CHOSEN}\n{newest} AlertId\n\
                 | project TimeGenerated, Model, ModelVersion, WindowName, Segment, Status, Severity, Reason, FirstWindowStart, \
                 LastWindowEnd, AlertId\n\
                 | order by TimeGenerated desc"
            ),
            as_: "table",
        },
        Chart {
            name: "causes",
            title: "Top causes of alerts",
            query: format!(
                "{alerts}\n{CHOSEN}\n{newest} AlertId\n\
                 | mv-expand Cause = Causes\n\
                 | summarize Alerts = dcount(AlertId), MeanShare = avg(toreal(Cause.share)) by Model, Feature = \
                 tostring(Cause.feature), Metric = tostring(Cause.metric)\n\
                 | where isnotempty(Feature)\n\
                 | top 20 by Alerts desc"
            ),
            as_: "table",
        },
        Chart {
            name: "rows",
            title: "Rows by window, and rows that came too late",
            query: format!(
                "{verdicts}\n{CHOSEN}\n| where Segment == \"\"\n{newest} VerdictId\n\
                 | summarize Rows = sum(Rows), LateRows = sum(LateRows) by bin(TimeGenerated, {{TimeRange:grain}})"
            ),
            as_: "timechart",
        },
    ]
}
