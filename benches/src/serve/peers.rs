//! The service beside what people use today: a consumer in Python that feeds river, Evidently or whylogs from the same
//! topic, on the same machine, in the same run.
//!
//! Each tool gets what it is made for (`benches/peers/consume.py`): river's ADWIN the values of each numeric column one by
//! one, Evidently a report on as many rows as an hour of the traffic has, whylogs a profile. The service reads the whole
//! topic and counts, judges and commits; a tool is ended after some seconds, because the slow ones would need an hour, and
//! its rate is that of the rows which it was fed until then.

use std::path::Path;
use std::process::Command;

use crate::say::say;
use crate::{Cost, Failure, Kind, cost, median, serve, settle, write};

/// Between two rows, in milliseconds.
pub(crate) const SPACING: u64 = 50;
/// Rows of an hour, which is a window of the model.
const WINDOW: u64 = 3_600_000 / SPACING;

/// What is measured: the name that people read, the tool of the script, its environment, and the ratio of rows per second
/// that the design asks for.
const PEERS: [(&str, &str, &str, Option<f64>); 6] = [
    ("orjson, decoding only", "decode", "river", None),
    ("river ADWIN", "river", "river", Some(4.0)),
    ("Evidently, preset", "evidently", "evidently", Some(15.0)),
    ("Evidently, PSI only", "evidently-psi", "evidently", Some(15.0)),
    ("whylogs by row", "whylogs", "whylogs", Some(150.0)),
    ("whylogs by table", "whylogs-frames", "whylogs", None),
];

/// Measures `rounds` times all rows by the service, and beside it each peer for at most `seconds`. `folder` has the script
/// in it; `environments` has one of Python's for each of the tools.
pub(crate) fn run(
    brokers: &str,
    folder: &Path,
    environments: &Path,
    rows: usize,
    rounds: usize,
    seconds: f64,
) -> Result<(), Failure> {
    let topic = format!("peers-{}", std::process::id());
    let bytes = write(brokers, &topic, Kind::Json, rows)?;
    let baseline = tempfile::tempdir()?;
    settle(baseline.path(), brokers, &topic, Kind::Json)?;
    let mut served = Vec::new();
    let mut peers: Vec<Vec<Fed>> = PEERS.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        served.push(serve(brokers, &topic, Kind::Json, rows)?.0);
        for ((_, tool, environment, _), own) in PEERS.iter().zip(&mut peers) {
            let mut command = Command::new(environments.join(environment).join("bin/python"));
            command.arg(folder.join("consume.py")).args([tool, brokers, &topic]);
            command.arg(baseline.path().join("baseline.ndjson"));
            command.args([WINDOW.to_string(), rows.to_string(), seconds.to_string()]);
            own.push(Fed::by(&mut command)?);
        }
    }
    say(&format!(
        "\nserve and peers, {rows} JSON records of {} B, medians of {rounds}; peers for {seconds} s at most, by windows of \
         {WINDOW} rows",
        bytes / rows
    ));
    say(
        "by                      rows/s   wall s/M    CPU s/M  rows of a round; what it was, and what it found",
    );
    let rate = |costs: &[Cost]| median(costs.iter().map(|cost| cost.rows_per_second).collect());
    let cpu = |costs: &[Cost]| median(costs.iter().map(|cost| cost.cpu_per_million).collect());
    let line = |name: &str, costs: &[Cost], rest: &str| {
        let rate = rate(costs);
        say(&format!("{name:21} {rate:8.0} {:10.2} {:10.2}  {rest}", 1e6 / rate, cpu(costs)));
    };
    line("driftlead serve", &served, &format!("{rows}"));
    for ((name, ..), own) in PEERS.iter().zip(&peers) {
        let last = own.last().ok_or("no round")?;
        let costs: Vec<Cost> = own.iter().map(|fed| fed.cost).collect();
        line(name, &costs, &format!("{}; {}", last.rows, last.what));
    }
    for ((name, _, _, target), own) in PEERS.iter().zip(&peers) {
        // Of a round, both had the same neighbours.
        let ratio = |of: fn(&Cost, &Cost) -> f64| {
            median(served.iter().zip(own).map(|(service, peer)| of(service, &peer.cost)).collect())
        };
        let wall = ratio(|service, peer| service.rows_per_second / peer.rows_per_second);
        let cpu = ratio(|service, peer| peer.cpu_per_million / service.cpu_per_million);
        let target = target.map_or_else(|| "none set".to_owned(), |least| format!(">= {least}x"));
        say(&format!(
            "target: serve JSON against {name} | {wall:.1}x rows/s, {cpu:.1}x less CPU | {target} | "
        ));
    }
    Ok(())
}

/// What a peer was fed in a round.
struct Fed {
    rows: u64,
    cost: Cost,
    /// The tool's version, and what it found.
    what: String,
}

impl Fed {
    /// Runs the script to its end and reads its line.
    fn by(command: &mut Command) -> Result<Self, Failure> {
        let output =
            command.output().map_err(|error| format!("`{}`: {error}", command.get_program().display()))?;
        if !output.status.success() {
            return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let text = String::from_utf8(output.stdout)?;
        let mut parts = text.trim().splitn(4, ' ');
        let mut next =
            || parts.next().ok_or_else(|| format!("expected rows, seconds and a version, found `{text}`"));
        let (rows, wall, cpu) = (next()?.parse()?, next()?.parse()?, next()?.parse()?);
        Ok(Self { rows, cost: cost(rows, wall, cpu), what: next()?.to_owned() })
    }
}
