//! `scripts/azure-check` with an `az` that is played by a script: the commands that it would run, what it makes of the answers,
//! and that it takes nothing away that was there before. What is sent goes to one server on the loopback address, which plays
//! all services of Azure, and the played `az` answers its queries with what arrived there.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value as Json, json};

use crate::support::checkout::workspace;
use crate::support::folder::Folder;
use crate::support::program::Ended;
use crate::support::stub::{Answer, Request, Stub};

const GROUP: &str = "/subscriptions/s-1/resourceGroups/G/providers";
const METRICS: &str = "/subscriptions/s-1/resourceGroups/G/providers/Microsoft.EventHub/namespaces/orders";
const INSIGHTS: &str = "/subscriptions/s-1/resourceGroups/G/providers/Microsoft.Insights/components/app";
const PROMETHEUS: &str = "/subscriptions/s-1/resourceGroups/G/providers/Microsoft.Monitor/accounts/charts";

/// Plays `az`: keeps its words, and answers from the files that the server leaves.
const AZ: &str = r#"#!/usr/bin/env python3
import json, os, re, sys
words = sys.argv[1:]
folder = os.environ["PLAY"]
place = os.environ["PLAY_SERVER"]
group = "/subscriptions/s-1/resourceGroups/G/providers"
def arrived(name):
    try:
        with open(os.path.join(folder, name)) as file:
            return [json.loads(line) for line in file]
    except FileNotFoundError:
        return []
def option(name):
    return words[words.index(name) + 1] if name in words else None
with open(os.path.join(folder, "words.ndjson"), "a") as file:
    file.write(json.dumps(words) + "\n")
model = os.environ["PLAY_MODEL"]
text, out = " ".join(words), None
if words[:2] == ["account", "show"]:
    out = {"id": "s-1", "user": {"name": "me@example.org", "type": "user"}}
elif words[:2] == ["ad", "signed-in-user"]:
    out = "object-7"
elif words[:2] == ["account", "get-access-token"]:
    token = "e.y." + option("--resource")
    out = token if "--query" in words else {"accessToken": token, "expires_on": 4102444800}
elif words[:2] == ["resource", "list"]:
    out = json.loads(os.environ.get("PLAY_THERE", "[]"))
elif "table" in words and "list" in words:
    out = []
elif words[:3] == ["deployment", "group", "create"]:
    ids = [group + "/Microsoft.OperationalInsights/workspaces/W", group + "/Microsoft.Insights/dataCollectionRules/driftlead",
           group + "/Microsoft.Authorization/roleAssignments/r-0"]
    out = {"properties": {"provisioningState": "Succeeded", "outputResources": [{"id": one} for one in ids], "outputs": {
        "endpoint": {"value": place}, "rule": {"value": "dcr-1"}, "ruleId": {"value": ids[1]}}}}
elif words[:3] == ["deployment", "group", "what-if"]:
    out = {"changes": [{"resourceId": "a", "changeType": "NoChange"}]}
elif words[:3] == ["role", "assignment", "list"]:
    # The right on this one was there before.
    out = ["there"] if "components/app" in text else []
elif words[:3] == ["role", "assignment", "create"]:
    out = option("--scope") + "/providers/Microsoft.Authorization/roleAssignments/r-1"
elif words[:2] == ["resource", "show"]:
    out = {
        "location": "westeurope",
        "properties.ConnectionString": "InstrumentationKey=5ec2e700-0000-4000-8000-00000000beef;IngestionEndpoint=" + place,
        "properties.defaultIngestionSettings.dataCollectionRuleResourceId": group + "/rule",
        "properties.defaultIngestionSettings.dataCollectionEndpointResourceId": group + "/endpoint",
        "properties.immutableId": "dcr-2",
        "properties.metricsIngestion.endpoint": place,
        "properties.metrics.prometheusQueryEndpoint": place,
    }[option("--query")]
elif words[:3] == ["monitor", "log-analytics", "workspace"]:
    out = "customer-1"
elif words[:3] == ["monitor", "log-analytics", "query"]:
    table, columns = re.match(r"(\w+)_CL .* project (.*)", option("--analytics-query")).groups()
    newest = {}
    for one in arrived("logs.ndjson"):
        if one["stream"] == "Custom-" + table and one["record"]["Model"] == model:
            newest[one["record"]["EventId"]] = one["record"]
    # As the command gives them: text.
    out = [{name: None if own[name] is None else str(own[name]) for name in columns.split(", ")} for own in newest.values()]
    if table == os.environ.get("PLAY_LOSES"):
        out = out[1:]
elif words[:3] == ["monitor", "metrics", "list"]:
    points = [{"maximum": own["max"], "count": own["count"]} for body in arrived("metrics.ndjson")
              if body["data"]["baseData"]["metric"] == "verdict" for own in body["data"]["baseData"]["series"]
              if own["dimValues"][0] == model]
    out = {"value": [{"timeseries": [{"data": points}]}]}
elif words[:3] == ["monitor", "app-insights", "query"]:
    rows = [[data["properties"]["EventId"], data["properties"]["Verdict"], int(data["measurements"]["Rows"])]
            for one in arrived("items.ndjson") for data in [one["data"]["baseData"]]
            if data.get("name") == "driftlead.verdict" and data["properties"]["Model"] == model]
    out = {"tables": [{"columns": [{"name": own} for own in ("EventId", "Verdict", "Rows")], "rows": rows}]}
elif words[0] == "rest" and "AlertsManagement" in text:
    rule = group + "/Microsoft.Insights/scheduledQueryRules/DRIFTLEAD." + model + ".drift.default"
    out = {"value": [{"properties": {"essentials": {"alertRule": rule, "monitorCondition": "Fired"}}}]}
elif words[0] == "rest":
    out = {"data": {"result": [{"value": [0, "3"]}] if os.path.exists(os.path.join(folder, "samples")) else []}}
elif "delete" not in words:
    sys.exit("az: what is `" + text + "`?")
if out is not None:
    print(json.dumps(out))
"#;

/// All services of Azure; what they take is left in files of the folder.
fn azure(folder: &Folder) -> Stub {
    let path = |name: &str| folder.path(name);
    let (logs, metrics, items, samples) =
        (path("logs.ndjson"), path("metrics.ndjson"), path("items.ndjson"), path("samples"));
    let keep = |file: &str, json: &Json| {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(file).expect("a file");
        writeln!(file, "{json}").expect("written");
    };
    Stub::start(move |request: &Request| {
        if request.header("authorization").is_none_or(|own| !own.starts_with("Bearer e.y.https://monitor")) {
            return Some(Answer::of(401));
        }
        let target = request.target.as_str();
        if target.contains("Microsoft-PrometheusMetrics") {
            fs::write(&samples, "").expect("written");
            return Some(Answer::of(204));
        }
        if target.starts_with("/v2.1/track") {
            let all: Vec<Json> = serde_json::from_slice(&request.body).expect("an array");
            all.iter().for_each(|own| keep(&items, own));
            let said = json!({"itemsReceived": all.len(), "itemsAccepted": all.len(), "errors": []});
            return Some(Answer::of(200).saying(&said.to_string()));
        }
        if target.ends_with("/metrics") {
            keep(&metrics, &serde_json::from_slice(&request.body).expect("JSON"));
            return Some(Answer::of(200));
        }
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*request.body).read_to_string(&mut text).expect("gzip");
        if text.len() > 1_048_576 {
            return Some(Answer::of(413).saying("too large"));
        }
        let stream = target.split(['/', '?']).nth(4).expect("a stream");
        let all: Vec<Json> = serde_json::from_str(&text).expect("an array");
        all.iter().for_each(|record| keep(&logs, &json!({"stream": stream, "record": record})));
        Some(Answer::of(204))
    })
}

/// Runs the script; `more` are further words, and `play` variables of the played `az`.
fn check(folder: &Folder, server: &str, more: &[&str], play: &[(&str, &str)]) -> Ended {
    let programs = folder.path("programs");
    fs::create_dir_all(&programs).expect("a folder");
    let az = format!("{programs}/az");
    fs::write(&az, AZ).expect("written");
    fs::set_permissions(&az, fs::Permissions::from_mode(0o755)).expect("set");
    let path = format!("{programs}:{}", std::env::var("PATH").expect("a path"));
    let work = folder.path("work");
    let common = [
        "G",
        "W",
        "--driftlead",
        env!("CARGO_BIN_EXE_driftlead"),
        "--folder",
        &work,
        "--model",
        "azure-check-1",
    ];
    let metrics = ["--metrics", METRICS, "--metrics-endpoint", server];
    let others = ["--insights", INSIGHTS, "--prometheus", PROMETHEUS, "--minutes", "2", "--pause", "0.3"];
    Command::new(workspace().join("scripts/azure-check"))
        .args(common)
        .args(metrics)
        .args(others)
        .args(more)
        .env("PATH", path)
        .env("PLAY", folder.path(""))
        .env("PLAY_SERVER", server)
        .env("PLAY_MODEL", "azure-check-1")
        .envs(play.iter().copied())
        .output()
        .expect("Python runs")
        .into()
}

/// What the played `az` was asked, in order.
fn asked(folder: &Folder) -> Vec<String> {
    let text = fs::read_to_string(folder.path("words.ndjson")).unwrap_or_default();
    let words = |line: &str| -> Vec<String> { serde_json::from_str(line).expect("words") };
    text.lines()
        .map(|line| words(line).join(" "))
        .filter(|own| !own.starts_with("account get-access"))
        .collect()
}

#[test]
fn everything_is_deployed_sent_found_again_and_taken_away() {
    let folder = Folder::new();
    let stub = azure(&folder);
    let ended = check(&folder, &stub.url(), &["--yes"], &[]);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
    for what in [
        "the Bicep template deploys: 3 resources",
        "the same as JSON changes nothing: 1 resources looked at",
        "`azure doctor` finds nothing wrong",
        "a record of each kind is taken: by each sink",
        "the service delivers everything",
        "verdicts are in the workspace",
        "each metric is in the workspace",
        "alerts are in the workspace",
        "custom metrics are on the resource",
        "events are in Application Insights",
        "samples are in the workspace of Prometheus: the highest verdict is 3",
        "the alert rule fires: `driftlead.azure-check-1.drift.default` is Fired",
        "`az role` cleans up",
        "`az resource` cleans up",
    ] {
        assert!(ended.out.contains(&format!("verified  {what}")), "{what}\n{}", ended.out);
    }
    for told in [
        "told      logs ingestion, asked with a list without records: status 204",
        "told      logs ingestion, asked with 1.2 MB that compress well: status 413: too large",
        "0 of 12 failed",
    ] {
        assert!(ended.out.contains(told), "{told}\n{}", ended.out);
    }
    let asked = asked(&folder);
    let has = |text: &str| asked.iter().any(|own| own.contains(text));
    let work = folder.path("work");
    assert!(
        has(&format!(
            "deployment group create --resource-group G --name azure-check-1 --template-file {work}/driftlead.bicep \
             --parameters workspaceName=W principalId=object-7 principalType=User metricsResourceId={METRICS}"
        )),
        "{asked:#?}"
    );
    let made: Vec<&String> = asked.iter().filter(|own| own.starts_with("role assignment create")).collect();
    assert_eq!(made.len(), 2, "one right was there before: {made:#?}");
    assert!(made[0].contains(&format!("--role Monitoring Metrics Publisher --scope {METRICS}")), "{made:#?}");
    let [roles, rest] = &asked[asked.len() - 2..] else { panic!("{asked:#?}") };
    assert!(
        roles.starts_with("role assignment delete --ids") && roles.matches("/roleAssignments/").count() == 3,
        "{roles}"
    );
    assert!(!roles.contains("there"), "what was there before stays: {roles}");
    let rule = format!("{GROUP}/Microsoft.Insights/dataCollectionRules/driftlead");
    assert_eq!(*rest, format!("resource delete --ids {rule} --output json"), "the workspace stays");
    let all = format!("{}{}", ended.out, ended.err);
    assert!(!all.contains("e.y.https") && !all.contains("5ec2e700"), "a token or a key: {all}");
}

#[test]
fn what_did_not_arrive_is_told_and_nothing_is_taken_away_unasked() {
    let folder = Folder::new();
    let stub = azure(&folder);
    let ended = check(&folder, &stub.url(), &["--minutes", "0.02"], &[("PLAY_LOSES", "DriftleadAlerts")]);
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.out, ended.err);
    assert!(ended.out.contains("FAILED    alerts are in the workspace: 1 of"), "{}", ended.out);
    assert!(
        ended.out.contains("such as {\"EventId\":") && ended.out.contains("kept. To delete them"),
        "{}",
        ended.out
    );
    assert!(asked(&folder).iter().all(|own| !own.contains("delete")), "nobody has said so");
}

#[test]
fn a_group_that_has_driftlead_s_resources_is_left_alone() {
    let folder = Folder::new();
    let stub = azure(&folder);
    let there = format!(r#"["{GROUP}/Microsoft.Insights/dataCollectionRules/driftlead"]"#);
    let ended = check(&folder, &stub.url(), &["--yes"], &[("PLAY_THERE", &there)]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("`G` has resources of driftlead already"), "{ended:?}");
    let asked = asked(&folder);
    assert!(asked.iter().all(|own| !own.contains("create") && !own.contains("delete")), "{asked:#?}");
    assert!(stub.requests().is_empty());
}

#[test]
fn a_dry_run_prints_the_commands_and_runs_none() {
    let folder = Folder::new();
    let stub = azure(&folder);
    let ended = check(&folder, &stub.url(), &["--dry-run"], &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(asked(&folder).is_empty() && stub.requests().is_empty(), "{:#?}", asked(&folder));
    let mut rest = ended.out.as_str();
    for command in [
        "az account show",
        "az resource list --resource-group G",
        " azure template ",
        "az deployment group create --resource-group G",
        "az deployment group what-if",
        "az role assignment create",
        " azure doctor ",
        " --send",
        " serve ",
        "az monitor log-analytics query",
        "az monitor metrics list --resource",
        "az monitor app-insights query",
        "az rest --method get",
        "az role assignment delete --ids",
    ] {
        let at = rest.find(command);
        rest = &rest
            [at.unwrap_or_else(|| panic!("{command} is not there, or not in its place:\n{}", ended.out))..];
    }
}
