//! The program in the shell: pipes that close, Ctrl-C, and standard streams that stay apart.

use std::process::Stdio;

use crate::support::folder::{Folder, floats};
use crate::support::program::{Ended, driftlead, program};
use crate::support::random::Random;

const JANUARY: &str = "fixtures/flights/newark-2001-01.parquet";
const FEBRUARY: &str = "fixtures/flights/newark-2001-02.parquet";

#[test]
fn drift_exits_1_and_every_format_says_so_on_standard_output_alone() {
    for format in ["table", "json", "markdown"] {
        let ended = driftlead(&["check", "--baseline", JANUARY, FEBRUARY, "--format", format]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.out.contains("delay") && ended.out.contains("drift"), "{ended:?}");
        assert!(ended.out.ends_with('\n'), "{ended:?}");
        assert!(ended.err.is_empty(), "{ended:?}");
    }
    let itself = driftlead(&["check", "--baseline", JANUARY, JANUARY]);
    assert_eq!((itself.code, itself.err.as_str()), (Some(0), ""));
}

#[test]
fn fail_on_moves_the_level_of_exit_1() {
    // March is on its way back: `warn`, no drift.
    let march = "fixtures/flights/newark-2001-03.parquet";
    let code = |level: &str, window: &str| {
        driftlead(&["check", "--fail-on", level, "--baseline", JANUARY, window]).code
    };
    assert_eq!(
        (code("drift", march), code("warn", march), code("never", march)),
        (Some(0), Some(1), Some(0))
    );
    assert_eq!((code("drift", FEBRUARY), code("never", FEBRUARY)), (Some(1), Some(0)));
    let unknown = driftlead(&["check", "--fail-on", "drfit", "--baseline", JANUARY, march]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("drift, never") || unknown.err.contains("'drift'"), "{unknown:?}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    for format in ["table", "json", "markdown"] {
        // Closed before the program begins, so that its first write fails.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = program(&["check", "--baseline", JANUARY, FEBRUARY, "--format", format])
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .expect("the program runs");
        let ended = Ended::from(output);
        assert_eq!((ended.code, ended.err.as_str()), (Some(1), ""), "{format}");
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = program(&["--help"]).stdout(writer).stderr(Stdio::piped()).output().expect("runs");
    let ended = Ended::from(output);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
}

/// The signal is sent as soon as the program listens for it, which the kernel tells: no clock is involved.
#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_leaves_no_half_written_baseline() {
    use std::process::Command;

    let folder = Folder::new();
    let mut random = Random::new(1);
    let columns: Vec<(String, _)> =
        (0..20).map(|number| (format!("x{number}"), floats(random.normals(200_000, 0.0)))).collect();
    folder.parquet("rows.parquet", columns.iter().map(|(name, x)| (name.as_str(), x.clone())).collect());
    // The same rows many times over: reading them all takes far longer than delivering a signal.
    let paths = ["rows.parquet"; 20].join(", ");
    let model = folder.write("model.yaml", format!("model: m\nbaseline: {{path: [{paths}]}}\n"));
    let before = folder.names();

    let frozen = folder.path("frozen.parquet");
    let mut child = program(&["baseline", &model, "-o", &frozen, "--threads", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let status = format!("/proc/{}/status", child.id());
    let listens = || {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        // SIGINT is signal 2, bit 1.
        mask & 0b10 != 0
    };
    while !listens() {
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it listened");
        std::thread::yield_now();
    }
    let kill = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
    assert!(kill.expect("sh runs").success());
    let ended = Ended::from(child.wait_with_output().expect("it ends"));
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.out.is_empty(), "{ended:?}");
    assert!(ended.err.contains("interrupted"), "{ended:?}");
    assert_eq!(folder.names(), before, "something was left behind");
}

#[test]
fn a_baseline_is_written_whole_beside_its_model() {
    let folder = Folder::new();
    folder.parquet("rows.parquet", vec![("x", floats(Random::new(1).normals(2_000, 0.0)))]);
    let model = folder.write("model.yaml", "model: m\nbaseline: rows.parquet\n");
    let ended = driftlead(&["baseline", &model]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    assert_eq!(folder.names(), ["model.baseline.parquet", "model.yaml", "rows.parquet"]);
    assert!(ended.out.contains("1 features of 2000 rows") || ended.out.contains("1 feature of 2,000 rows"));
}
