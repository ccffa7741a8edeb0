//! How long a closing takes: ten models of fifty segments each, whose windows all close by one record.
//!
//! The service runs in this process, on a file of lines. A round appends rows of the next window, waits until they are
//! counted, and then appends the one record that closes the window before. The clock runs from that record's being in
//! the file until a model's last verdict on the window, of its whole and of all its segments, is committed. So a time
//! holds all that a person waits for: finding the record, decoding, judging some five hundred windows, the commit.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use driftlead::clock::{Clock, SystemClock};
use driftlead::config::fleet::Fleet;
use driftlead::serve::plan::Plan;
use driftlead::serve::wire::Body;
use driftlead::serve::{End, Service};
use driftlead_connectors::dataset::Remotes;

use crate::Failure;
use crate::say::say;
use crate::timed::timed;
use crate::traffic::Random;

const MODELS: usize = 10;
const SEGMENTS: u64 = 50;
/// Rows of a window.
const ROWS: u64 = 10_000;
/// Longer than any closing.
const PATIENCE: Duration = Duration::from_secs(60);
/// 2001-09-09T02:00:00Z, in seconds.
const BEGIN: u64 = 1_000_000_800;

/// Measures `rounds` closings of each model.
pub(crate) fn run(rounds: usize) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    settle(folder.path())?;
    let file = folder.path().join("service.yaml");
    let fleet = Fleet::load(&file)?;
    let mut plan = Plan::of(&file, &fleet, &|_| None)?;
    let (listener, heard) = unbounded();
    plan.listener = Some(listener);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let service = Service::start(plan, &Arc::new(Remotes::default()), &clock, runtime.handle())?;

    let mut lines =
        std::fs::OpenOptions::new().append(true).create(true).open(folder.path().join("rows.ndjson"))?;
    let mut random = Random::new(3);
    let mut times = Vec::new();
    for round in 0..=rounds as u64 {
        let mut text = String::new();
        for at in 0..ROWS {
            row(&mut text, BEGIN + round * 3600 + at * 3000 / ROWS, &mut random)?;
        }
        lines.write_all(text.as_bytes())?;
        counted(&service, (round * (ROWS + 1) + ROWS) * MODELS as u64)?;
        text.clear();
        // The watermark is this less the disorder that is allowed, which is none.
        row(&mut text, BEGIN + (round + 1) * 3600, &mut random)?;
        lines.write_all(text.as_bytes())?;
        let began = Instant::now();
        let closed = closings(&heard, began)?;
        // The first round warms up.
        if round > 0 {
            times.extend(closed);
        }
    }
    service.commands().stop();
    if service.wait()? != End::Stopped {
        return Err("the service ended by itself".into());
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize] * 1e3;
    let (p50, p99, most) = (at(0.5), at(0.99), at(1.0));
    say(&format!(
        "\nfrom the record that closes a window to the committed verdict, {MODELS} models of {SEGMENTS} segments, {} closings",
        times.len()
    ));
    say(&format!("p50 {p50:.0} ms, p99 {p99:.0} ms, most {most:.0} ms"));
    say(&format!(
        "target: window close to verdict, p50 and p99 | {p50:.0} ms, {p99:.0} ms | none set | judging"
    ));
    Ok(())
}

/// For each model the seconds until the last verdict on the window was heard.
fn closings(heard: &Receiver<Body>, began: Instant) -> Result<Vec<f64>, Failure> {
    let mut left: BTreeMap<String, u64> = BTreeMap::new();
    let mut times = Vec::new();
    while times.len() < MODELS {
        let Body::Verdict(verdict) = heard.recv_timeout(PATIENCE)? else { continue };
        let left = left.entry(verdict.model.name).or_insert(SEGMENTS + 1);
        *left -= 1;
        if *left == 0 {
            times.push(began.elapsed().as_secs_f64());
        }
    }
    Ok(times)
}

/// Waits until the models have counted `rows` together.
fn counted(service: &Service, rows: u64) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = service.counters.text();
        let own = text.lines().filter(|line| line.starts_with("driftlead_rows_total{"));
        let sum: f64 = own.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
        if sum as u64 >= rows {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{sum} of {rows} rows were counted").into());
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn row(text: &mut String, time: u64, random: &mut Random) -> Result<(), Failure> {
    let numbers =
        [1e6, 1e4, 1e5].map(|scale| (random.below(1_000_000) + random.below(1_000_000)) as f64 / scale);
    let [a, b, c] = numbers;
    let (kind, shop) = (random.below(9), random.below(SEGMENTS));
    Ok(writeln!(text, r#"{{"ts":{time},"a":{a},"b":{b},"c":{c},"kind":"k{kind}","shop":"s{shop:02}"}}"#)?)
}

fn settle(folder: &Path) -> Result<(), Failure> {
    let mut random = Random::new(4);
    let (mut text, mut line) = (String::new(), String::new());
    for at in 0..100_000 {
        line.clear();
        row(&mut line, BEGIN - 86_400 + at / 2, &mut random)?;
        text.push_str(&timed(&line, 1_000_000)?);
    }
    std::fs::write(folder.join("baseline.ndjson"), text)?;
    std::fs::write(folder.join("rows.ndjson"), "")?;
    for number in 0..MODELS {
        let text = format!(
            "model: m{number}\nversion: \"1\"\nbaseline: baseline.ndjson\nsource: rows\ntime: ts\nwindow: {{length: 1h, \
             out_of_orderness: 0s, lateness: 1000h}}\nsegments: [shop]\nfeatures: {{a: numeric, b: numeric, c: numeric, \
             kind: categorical}}\n"
        );
        std::fs::write(folder.join(format!("m{number}.yaml")), text)?;
    }
    let text = "listen: 127.0.0.1:0\nstore: ./state\nmodels: [m*.yaml]\nsources:\n  rows:\n    lines: {path: rows.ndjson}\n    \
                format: json\n    time: {field: /ts, unit: s}\n";
    Ok(std::fs::write(folder.join("service.yaml"), text)?)
}
