//! I-ONCE by force: random SIGKILLs under load, and each named fault point, until enough of them made rows be read again.
//!
//! CI kills ten times. `make chaos` sets the variable below to a hundred and prints what it counted.

use std::io::Write as _;
use std::time::{Duration, Instant};

use driftlead::serve::fault;
use driftlead_connectors::store::Store;

use super::rows;
use super::same::{assert_complete, horizon};
use super::topic::{PARTITIONS, append, source};
use super::truth::assert_true;
use super::{MODEL, service_file};
use crate::support::broker::broker;
use crate::support::folder::Folder;
use crate::support::random::Random;
use crate::support::service::{Service, metric};

/// How many kills have to make rows be read again; ten without it.
const KILLS: &str = "DRIFTLEAD_CHAOS_KILLS";
/// Rows that are new at each kill.
const NEW: usize = 200;
/// So often that kills come before, amid and after commits; what was read and not committed is lost with the process.
const COMMIT_EVERY: &str = "25ms";

/// The broker has kept every record until it was read: what is gone is no fault of the service, and the rows would differ.
fn assert_no_gap(address: &str) {
    let gaps = metric(address, "driftlead_source_gaps_total");
    assert_eq!(gaps, 0, "the broker deleted records before they were read");
}

/// How many records the store has passed, over all partitions.
fn stored(folder: &Folder) -> i64 {
    let store = Store::open(folder.path("state").as_ref(), rows::BEGIN).expect("nobody else has it");
    store.load().expect("sound").partitions.iter().map(|(_, own)| own.position.next).sum()
}

#[test]
fn killed_under_load_it_reads_again_what_it_had_not_kept_and_counts_it_once() {
    let wanted: usize = std::env::var(KILLS).map_or(10, |text| text.parse().expect("a number of kills"));
    let began = Instant::now();
    // A kill that came right after a commit lost nothing and does not count.
    let most = 3 * wanted;
    let n = (most + fault::ALL.len()) * NEW + 4_000;
    // 300 rows a window of ten minutes.
    let rows = rows::rows(n, i64::try_from(n.div_ceil(1_800)).expect("small"), 30, 91);
    let folder = Folder::new();
    let topic = broker().topic("rows", PARTITIONS);
    rows::baseline(&folder);
    folder.write("model.yaml", MODEL);
    service_file(&folder, &source(&topic), COMMIT_EVERY, "");
    let mut random = Random::new(92);
    let mut parts = rows.chunks(NEW);
    let mut used = 0;
    let mut append_part = |seed: usize| {
        let part = parts.next().expect("rows enough");
        append(&topic, part, seed as u64);
        used += part.len();
        used
    };

    for (seed, point) in fault::ALL.into_iter().enumerate() {
        append_part(seed);
        let fault = format!("{point}:1");
        let mut running = Service::start(&folder, &[(fault::VARIABLE, &fault)]);
        let (status, log) = if point == "before_shutdown_commit" {
            running.wait_for("started");
            running.stop()
        } else {
            running.wait()
        };
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(9), "{fault} was not reached: {status}: {log:#?}");
    }

    let (mut kills, mut counted, mut again, mut largest) = (0, 0, 0, 0);
    while counted < wanted {
        assert!(kills < most, "of {kills} kills only {counted} made rows be read again");
        let before = stored(&folder);
        append_part(100 + kills);
        let mut running = Service::start(&folder, &[]);
        let address = running.address();
        // Under way: something was read since the start.
        let nap = Duration::from_micros(200 << random.below(9));
        let read = loop {
            match metric(&address, "driftlead_source_records_total") {
                0 => std::thread::park_timeout(Duration::from_millis(2)),
                _ => {
                    std::thread::park_timeout(nap);
                    break metric(&address, "driftlead_source_records_total");
                }
            }
        };
        assert_no_gap(&address);
        running.kill();
        kills += 1;
        // At least so many records had been read that the next start reads again.
        let lost = before + i64::try_from(read).expect("small") - stored(&folder);
        if lost > 0 {
            counted += 1;
            again += lost;
            largest = largest.max(lost);
        }
    }
    let last = append_part(99);
    let rows = &rows[..last];
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    running.wait_for("caught up");
    assert_no_gap(&address);
    assert_complete(&folder, rows);
    running.stop_well();
    assert_true(&folder, &topic, horizon(rows));
    if std::env::var_os(KILLS).is_none() {
        return;
    }
    // For the record; past the harness, which keeps what a test prints to itself.
    let said = writeln!(
        std::io::stderr(),
        "{kills} random kills, {counted} of them with rows to read again: {again} rows in all, at most {largest} at once; \
         {} fault points; {last} rows in {PARTITIONS} partitions; {:.0} s",
        fault::ALL.len(),
        began.elapsed().as_secs_f64()
    );
    said.expect("somebody reads");
}
