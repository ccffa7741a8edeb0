//! `driftlead azure template`: both languages say the same, Azure's rules are kept as far as a file shows it, and the
//! queries are read by the language's own parser. Nothing is sent to Azure.

mod arm;
mod bicep;
mod check;
mod detail;
mod expression;
mod kusto;

use serde_json::{Value as Json, json};

use self::check::{check, walk};
use crate::support::folder::Folder;
use crate::support::program::{Ended, driftlead};

const SMALL: &str = "\
model: flights
source: flights
baseline: train.parquet
time: date
window: {length: 1h}
thresholds:
  - {metric: psi, features: delay, drift: 0.25}
";

/// Whatever a model file can say of alerts, with names that want to break out.
const LARGE: &str = "\
model: \"Ben's \\\"$odd\\\" model [1]\"
source: flights
baseline: train.parquet
time: date
windows:
  hourly: {length: 1h}
  sliding: {length: 6h, every: 1h}
  weekly: {length: 7d}
segments: [origin]
thresholds:
  - {metric: psi, warn: 0.1, drift: 0.25}
  - {metric: psi, features: [delay, \"it's \\\\ \\\"x\\\"\"], drift: 0.4}
  - {metric: ks, on: p_value, below: {warn: 0.01, drift: 0.001}}
  - {metric: mean_shift, features: delay, drift: 0.5}
  - {metric: js, segments: {origin: ATL}, drift: 0.1}
  - {metric: row_count, below: {drift: 100}}
  - {metric: freshness, drift: 3600}
alert: {windows: 3 of 4, cooldown: 1h}
";

fn written(folder: &Folder, models: &[&str], more: &[&str]) -> Ended {
    let files: Vec<String> =
        models.iter().enumerate().map(|(at, text)| folder.write(&format!("{at}.yaml"), text)).collect();
    let mut words = vec!["azure", "template"];
    words.extend(files.iter().map(String::as_str));
    words.extend(more);
    let ended = driftlead(&words);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

fn json_of(models: &[&str], more: &[&str]) -> Json {
    let folder = Folder::new();
    let text = written(&folder, models, &[&["--format", "arm"], more].concat()).out;
    serde_json::from_str(&text).expect("JSON")
}

fn bicep_of(models: &[&str], more: &[&str]) -> String {
    written(&Folder::new(), models, more).out
}

/// Every query of a template: those of rules, and those of the workbook with its parameters filled in.
fn queries(template: &Json) -> Vec<String> {
    let mut all = Vec::new();
    let mut take = |own: &Json| all.extend(own["query"].as_str().map(str::to_owned));
    for own in template["resources"].as_array().expect("a list") {
        walk(&own["properties"], &mut take);
        if let Some(text) = own["properties"]["serializedData"].as_str() {
            walk(&serde_json::from_str(text).expect("a workbook"), &mut take);
        }
    }
    all.into_iter()
        .map(|query| query.replace("{Model}", "'flights'").replace("{TimeRange:grain}", "1h"))
        .collect()
}

#[test]
fn a_template_of_a_small_model() {
    insta::assert_snapshot!(bicep_of(&[SMALL], &[]));
}

#[test]
fn both_languages_say_the_same() {
    for (models, more) in [(&[SMALL][..], &[][..]), (&[SMALL, LARGE], &[]), (&[LARGE], &["--endpoint"])] {
        let (text, json) = (bicep_of(models, more), json_of(models, more));
        let (one, other) = (bicep::read(&text), arm::read(&json).expect("expressions"));
        for key in ["about", "parameters", "outputs"] {
            assert_eq!(one[key], other[key], "{key}");
        }
        let (one, other) = (one["resources"].as_array().unwrap(), other["resources"].as_array().unwrap());
        assert_eq!(one.len(), other.len());
        for (one, other) in one.iter().zip(other) {
            assert_eq!(one, other);
        }
    }
    let one = bicep::read(&bicep_of(&[SMALL], &[]).replace("json('0.25')", "json('0.26')"));
    assert_ne!(
        one["resources"],
        arm::read(&json_of(&[SMALL], &[])).unwrap()["resources"],
        "the reader sees it"
    );
}

#[test]
fn templates_keep_the_rules_of_azure() {
    for (models, more) in [(&[SMALL][..], &[][..]), (&[SMALL, LARGE], &[]), (&[LARGE], &["--endpoint"])] {
        let problems = check(&json_of(models, more));
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }
}

#[test]
fn a_broken_template_is_found_out() {
    let well = json_of(&[SMALL], &[]);
    let place = |kind: &str, nth: usize| {
        let all = well["resources"].as_array().unwrap().iter().enumerate();
        let mut of_kind = all.filter(|(_, own)| own["type"].as_str().unwrap().ends_with(kind));
        of_kind
            .nth(nth)
            .map(|(at, _)| format!("/resources/{at}"))
            .unwrap_or_else(|| panic!("no {kind} {nth}"))
    };
    let (alert, rule) = (place("scheduledQueryRules", 0), place("dataCollectionRules", 0));
    let criterion = format!("{alert}/properties/criteria/allOf/0");
    let cases: Vec<(String, Json, &str)> = vec![
        (format!("{alert}/apiVersion"), json!("newest"), "is no date"),
        (format!("{alert}/type"), json!(""), "has no `type`"),
        (format!("{alert}/name"), json!("a/b"), "is no name"),
        (
            format!("{alert}/dependsOn/0"),
            json!("[resourceId('Microsoft.Insights/x', 'y')]"),
            "which is not made",
        ),
        (format!("{alert}/dependsOn"), json!([]), "does not wait for"),
        (
            format!("{alert}/properties/scopes/0"),
            json!("[resourceId('Microsoft.Insights/actionGroups', 'x')]"),
            "not made",
        ),
        (
            format!("{alert}/properties/scopes/0"),
            json!("[resourceId('Microsoft.Insights/actionGroups')]"),
            "with 0 names",
        ),
        (format!("{alert}/properties/description"), json!("[parameters('nobody')]"), "is no parameter"),
        (format!("{alert}/properties/description"), json!("[variables('x')]"), "is no function"),
        (format!("{alert}/properties/description"), json!("[concat('a' 'b')]"), "comma is missing"),
        (format!("{alert}/properties/description"), json!("x".repeat(70_000)), "takes 64 KB"),
        (format!("{alert}/properties/windowSize"), json!("PT7M"), "is no window"),
        (format!("{alert}/properties/evaluationFrequency"), json!("P1D"), "less often"),
        (format!("{alert}/properties/severity"), json!(5), "severity 5"),
        (format!("{criterion}/failingPeriods/minFailingPeriodsToAlert"), json!(4), "4 of 3 periods"),
        (format!("{criterion}/timeAggregation"), json!("Maximum"), "has no column"),
        (format!("{criterion}/dimensions"), json!([{"name": "Nobody"}]), "gives no `Nobody`"),
        (format!("{rule}/kind"), json!(null), "needs either"),
        (
            format!("{rule}/properties/dataFlows/0/outputStream"),
            json!("Custom-Other_CL"),
            "no table of the template",
        ),
        (format!("{rule}/properties/dataFlows/0/destinations/0"), json!("other"), "no destination"),
        (
            format!("{rule}/properties/streamDeclarations/Custom-DriftleadAlerts/columns/3/type"),
            json!("string"),
            "other columns than its table",
        ),
        (format!("{}/name", place("tables", 0)), json!("DriftleadVerdicts_CL"), "a name of 1 parts for 2"),
        (
            format!("{}/properties/schema/columns/0/name", place("tables", 0)),
            json!("Time"),
            "no `TimeGenerated`",
        ),
        (format!("{}/scope", place("roleAssignments", 0)), json!(null), "rights on the whole group"),
        (format!("{}/name", place("roleAssignments", 0)), json!("random"), "no guid"),
        (
            format!("{}/properties/groupShortName", place("actionGroups", 0)),
            json!("driftlead-long"),
            "no short name",
        ),
        (
            format!("{}/properties/criteria/allOf/0/skipMetricValidation", place("metricAlerts", 0)),
            json!(false),
            "waits for a first metric",
        ),
        (format!("{}/properties/serializedData", place("workbooks", 0)), json!("{"), "is no workbook"),
        ("/parameters/webhookUri/defaultValue".to_owned(), json!("https://x"), "a secret with a default"),
        ("/outputs/rule/value".to_owned(), json!("[reference('x', '1').id]"), "refers to nothing"),
    ];
    for (pointer, value, expected) in cases {
        let mut broken = well.clone();
        *broken.pointer_mut(&pointer).unwrap_or_else(|| panic!("nothing at {pointer}")) = value;
        let problems = check(&broken);
        assert!(problems.iter().any(|own| own.contains(expected)), "{pointer}: {expected}: {problems:?}");
    }
    let mut twice = well.clone();
    let copy = twice["resources"][0].clone();
    twice["resources"].as_array_mut().unwrap().push(copy);
    assert!(check(&twice).iter().any(|own| own.contains("stands twice")));
    let mut circle = well.clone();
    circle["resources"][0]["dependsOn"] = circle["resources"][4]["dependsOn"].clone();
    assert!(check(&circle).iter().any(|own| own.contains("waits for itself")), "{:?}", check(&circle));
}

#[test]
fn queries_are_read_by_the_parser_of_the_language() {
    let template = json_of(&[SMALL, LARGE], &[]);
    let mut all = queries(&template);
    assert!(all.len() > 15, "{all:?}");
    let count = all.len();
    // And what is wrong is found: a column that no table has, a table, a word.
    all.push("DriftleadVerdicts_CL | where Verdikt == \"drift\"".to_owned());
    all.push("DriftleadMetrics_CL | summarize arg_max(Revision, *) by AlertId".to_owned());
    all.push("Driftlead_CL | take 1".to_owned());
    all.push("DriftleadAlerts_CL | were Status == \"open\"".to_owned());
    let messages = kusto::parse(&template, &all);
    for (query, found) in all.iter().zip(&messages).take(count) {
        assert!(found.is_empty(), "{query}\n{found:?}");
    }
    for (found, expected) in
        messages[count..].iter().zip(["'Verdikt'", "'AlertId'", "'Driftlead_CL'", "operator"])
    {
        assert!(found.iter().any(|own| own.contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn n_of_m_becomes_failing_periods_where_they_can_say_it() {
    let rule = |alert: &str, window: &str| {
        let model = SMALL.replace("{length: 1h}", window);
        let template = json_of(&[&format!("{model}alert: {{windows: {alert}}}\n")], &[]);
        let all = template["resources"].as_array().unwrap().clone();
        let kind = "Microsoft.Insights/scheduledQueryRules";
        let paging = |own: &&Json| own["type"] == kind && own["properties"]["severity"] == 1;
        let rule = all.iter().find(paging).expect("a rule that notifies")["properties"].clone();
        let criterion = &rule["criteria"]["allOf"][0];
        let periods = &criterion["failingPeriods"];
        let table = criterion["query"].as_str().unwrap().split('\n').next().unwrap().to_owned();
        (
            table,
            periods["minFailingPeriodsToAlert"].as_u64().unwrap(),
            periods["numberOfEvaluationPeriods"].as_u64().unwrap(),
            rule["windowSize"].as_str().unwrap().to_owned(),
        )
    };
    let counts =
        |needed, last, size: &str| ("DriftleadVerdicts_CL".to_owned(), needed, last, size.to_owned());
    let follows = ("DriftleadAlerts_CL".to_owned(), 1, 1, "P2D".to_owned());
    assert_eq!(rule("2 of 3", "{length: 1h}"), counts(2, 3, "PT1H"));
    assert_eq!(rule("1 of 1", "{length: 1d}"), counts(1, 1, "P1D"));
    assert_eq!(rule("6 of 6", "{length: 6h}"), counts(6, 6, "PT6H"));
    // Too many periods, too long, no such period, too short, overlapping.
    assert_eq!(rule("2 of 7", "{length: 1h}"), follows);
    assert_eq!(rule("2 of 3", "{length: 1d}"), follows);
    assert_eq!(rule("2 of 3", "{length: 7h}"), follows);
    assert_eq!(rule("2 of 3", "{length: 1m}"), follows);
    assert_eq!(rule("2 of 3", "{length: 2h, every: 1h}"), follows);
}

#[test]
fn files_and_models_are_checked() {
    let folder = Folder::new();
    let file = folder.path("out/driftlead.json");
    folder.write("out/keep", "");
    let ended = written(&folder, &[SMALL], &["--format", "arm", "--out", &file]);
    assert!(ended.out.contains("az deployment group create") && ended.err.is_empty(), "{ended:?}");
    let text = std::fs::read_to_string(&file).expect("written");
    assert_eq!(text, written(&folder, &[SMALL], &["--format", "arm"]).out, "the same again");

    let [one, two] = ["a.yaml", "b.yaml"].map(|name| folder.write(name, SMALL));
    let ended = driftlead(&["azure", "template", &one, &two]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("there are two models `flights`"), "{ended:?}");
    let ended = driftlead(&["azure", "template", &folder.path("none.yaml")]);
    assert_eq!(ended.code, Some(2));
    let noted = written(&folder, &[LARGE], &[]).err;
    assert!(noted.contains("follows driftlead's own alerts"), "{noted}");
}
