//! The program against Azure's Blob Storage, played by Azurite on the loopback address: the same answer as from disk, few
//! requests, and messages that say what to do. No identity service is asked: credentials stand in the environment.

use std::net::TcpListener;

use arrow_array::ArrayRef;
use driftlead::report::wire::Report;

use crate::support::azurite::{Azurite, azurite, mark, upload};
use crate::support::checkout::workspace;
use crate::support::folder::{Folder, floats, texts};
use crate::support::program::{Ended, driftlead, parsed, program};
use crate::support::random::Random;

const MONTHS: [&str; 3] = ["newark-2001-01.parquet", "newark-2001-02.parquet", "newark-2001-03.parquet"];

/// Runs the program with nothing in its environment but what leads to the emulator, and `more`.
fn run(azurite: &Azurite, args: &[&str], more: &[(&str, &str)]) -> Ended {
    let output = program(args).env_clear().envs(azurite.environment()).envs(more.iter().copied()).output();
    output.expect("the program runs").into()
}

/// The same check from disk and from the emulator: the same bytes and exit code. Returns the report.
fn same_from_both(azurite: &Azurite, local: &[&str], remote: &[&str]) -> Report {
    let check = ["check", "--reproducible", "--format", "json"];
    let here = driftlead(&[&check, local].concat());
    let there = run(azurite, &[&check, remote].concat(), &[]);
    assert!(here.err.is_empty() && there.err.is_empty(), "{} {}", here.err, there.err);
    assert_eq!(there.code, here.code);
    assert!(there.out == here.out, "{remote:?}:\n{}\nnot\n{}", there.out, here.out);
    parsed(&there.out)
}

#[test]
fn flights_in_azure_give_the_same_bytes_as_on_disk() {
    let azurite = azurite();
    let container = azurite.container();
    let store = azurite.client(&container);
    let local = |name: &str| workspace().join("fixtures/flights").join(name).display().to_string();
    for month in MONTHS {
        upload(&store, &format!("flights/{month}"), &local(month));
    }
    let remote = |name: &str| format!("az://{container}/flights/{name}");

    let look = same_from_both(
        azurite,
        &["--baseline", &local(MONTHS[0]), &local(MONTHS[1])],
        &["--baseline", &remote(MONTHS[0]), &remote(MONTHS[1])],
    );
    assert!(look.windows.len() == 1 && look.windows[0].rows == 9_351, "{:?}", look.input);

    let folder = Folder::new();
    let weekly = "version: 1\ntime: date\nwindow: {length: 7d}\nsegments: [destination]\n";
    let model = |name: &str, baseline: &str| {
        folder.write(name, format!("model: flights\nbaseline: {baseline}\n{weekly}"))
    };
    let (model_here, model_there) =
        (model("here.yaml", &local(MONTHS[0])), model("there.yaml", &remote(MONTHS[0])));
    let later = "newark-2001-0[23].parquet";
    let windowed = same_from_both(
        azurite,
        &[&model_here, &local(later), "--compat", "nannyml"],
        &[&model_there, &remote(later), "--compat", "nannyml"],
    );
    let whole: Vec<u64> =
        windowed.windows.iter().filter(|w| w.segment.is_none()).map(|window| window.rows).collect();
    assert!(whole.len() >= 8 && whole.iter().all(|rows| *rows > 100), "{whole:?}");
    assert_eq!(whole.iter().sum::<u64>(), windowed.input.rows);

    // Frozen there, read from there.
    let (here, there) = (folder.path("frozen.parquet"), format!("az://{container}/frozen.parquet"));
    let frozen = driftlead(&["baseline", &model_here, "-o", &here]);
    assert_eq!(frozen.code, Some(0), "{frozen:?}");
    let frozen = run(azurite, &["baseline", &model_there, "-o", &there], &[]);
    assert_eq!(frozen.code, Some(0), "{frozen:?}");
    let again = same_from_both(
        azurite,
        &[&model_here, &local(later), "--baseline", &here],
        &[&model_there, &remote(later), "--baseline", &there],
    );
    assert_eq!(again.baseline, windowed.baseline);
}

/// A first look reads the baseline's rows twice (a sample, then all) and the data's once.
#[test]
fn requests_are_few_for_each_row_group() {
    const ROWS: usize = 40_000;
    const ROW_GROUPS: usize = 4;
    let azurite = azurite();
    let container = azurite.container();
    let store = azurite.client(&container);
    let folder = Folder::new();
    for (seed, name) in [(1, "baseline.parquet"), (2, "current.parquet")] {
        let mut random = Random::new(seed);
        let mut columns: Vec<(String, ArrayRef)> =
            (0..5).map(|at| (format!("x{at}"), floats(random.normals(ROWS, 0.0)))).collect();
        columns.push(("c".to_owned(), texts(random.zipf(ROWS, &["ATL", "BOS", "EWR", "ORD"]))));
        let columns = columns.iter().map(|(name, array)| (name.as_str(), array.clone())).collect();
        upload(&store, name, &folder.parquet(name, columns));
    }
    let remote = |name: &str| format!("az://{container}/{name}");
    let report = same_from_both(
        azurite,
        &["--baseline", &folder.path("baseline.parquet"), &folder.path("current.parquet")],
        &["--baseline", &remote("baseline.parquet"), &remote("current.parquet")],
    );
    assert_eq!((report.baseline.rows, report.windows[0].rows), (ROWS as u64, ROWS as u64));
    mark(&store, "end-of-run");
    let requests = |verb: &str, name: &str| azurite.requests(verb, &container, name, "end-of-run").len();
    let (heads, gets) = (|name| requests("HEAD", name), |name| requests("GET", name));
    let told = format!(
        "HEAD {} and {}, GET {} and {}",
        heads("baseline"),
        heads("current"),
        gets("baseline"),
        gets("current")
    );
    // A row group of six columns is half a megabyte and comes in one request, each time that it is read. The baseline is
    // opened once more, to see whether it is a frozen one.
    assert!((ROW_GROUPS..=OPENING + ROW_GROUPS).contains(&gets("current")), "{told}");
    assert!((2 * ROW_GROUPS..=2 * OPENING + 2 * ROW_GROUPS).contains(&gets("baseline")), "{told}");
    assert!(heads("current") <= 1 && heads("baseline") <= 2, "{told}");
}

/// Requests to open a file: its last bytes, with its magic number and footer, and its first four.
const OPENING: usize = 2;

#[test]
fn wrong_credentials_are_explained_and_exit_2() {
    let azurite = azurite();
    let container = azurite.container();
    let url = format!("az://{container}/a.parquet");
    let check = ["check", "--baseline", &url, &url];
    let ended = run(azurite, &check, &[("AZURE_STORAGE_ACCOUNT_KEY", "d3Jvbmcga2V5")]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:?}");
    assert!(ended.err.starts_with(&format!("driftlead: `{url}`: access was refused (403): ")), "{ended:?}");
    assert!(
        ended.err.contains("AZURE_STORAGE_ACCOUNT_KEY") && !ended.err.contains("d3Jvbmcga2V5"),
        "{ended:?}"
    );

    let ended = run(azurite, &check, &[]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:?}");
    assert!(ended.err.starts_with(&format!("driftlead: `{url}` does not exist: ")), "{ended:?}");

    let nowhere = "az://no-such-container/a.parquet";
    let ended = run(azurite, &["check", "--baseline", nowhere, nowhere], &[]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:?}");
    assert!(ended.err.contains("has no such container; check the name"), "{ended:?}");
}

#[test]
fn an_endpoint_that_does_not_answer_exits_3() {
    // A port that was free a moment ago: nobody listens.
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let url = "az://container/a.parquet";
    let ended = program(&["check", "--baseline", url, url])
        .env_clear()
        .env("AZURE_STORAGE_USE_EMULATOR", "true")
        .env("AZURITE_BLOB_STORAGE_URL", format!("http://{nobody}"))
        .output()
        .expect("the program runs");
    let ended = Ended::from(ended);
    assert_eq!((ended.code, ended.out.as_str()), (Some(3), ""), "{ended:?}");
    assert!(ended.err.contains("storage account `devstoreaccount1` cannot be reached; check"), "{ended:?}");
}
