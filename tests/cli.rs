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
fn ended_by(signal: &str) -> Ended {
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
        // SIGINT is signal 2, bit 1; it is the last that the program begins to catch.
        mask & 0b10 != 0
    };
    while !listens() {
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it listened");
        std::thread::yield_now();
    }
    let kill = Command::new("sh").args(["-c", &format!("kill -{signal} {}", child.id())]).status();
    assert!(kill.expect("sh runs").success());
    let ended = Ended::from(child.wait_with_output().expect("it ends"));
    assert_eq!(folder.names(), before, "something was left behind");
    assert!(ended.out.is_empty(), "{ended:?}");
    ended
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_leaves_no_half_written_baseline() {
    let ended = ended_by("INT");
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.err.contains("driftlead: interrupted: nothing was written"), "{ended:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn sigterm_leaves_no_half_written_baseline() {
    let ended = ended_by("TERM");
    assert_eq!(ended.code, Some(143), "{ended:?}");
    assert!(ended.err.contains("driftlead: terminated: nothing was written"), "{ended:?}");
}

#[test]
fn a_baseline_is_written_whole_beside_its_model() {
    let folder = Folder::new();
    folder.parquet("rows.parquet", vec![("x", floats(Random::new(1).normals(2_000, 0.0)))]);
    let model = folder.write("model.yaml", "model: m\nbaseline: rows.parquet\n");
    let ended = driftlead(&["baseline", &model]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    assert_eq!(folder.names(), ["model.baseline.parquet", "model.yaml", "rows.parquet"]);
    assert!(ended.out.contains("model.baseline.parquet: 1 feature of 2,000 rows, baseline "), "{ended:?}");
    let shown = driftlead(&["inspect", &folder.path("model.baseline.parquet")]);
    assert!(shown.out.contains(" of 2,000 rows, model m unversioned"), "{shown:?}");
}

#[test]
fn a_model_file_is_begun_beside_its_schema_and_never_written_over() {
    let folder = Folder::new();
    let mut random = Random::new(1);
    folder.parquet("rows.parquet", vec![("x", floats(random.normals(2_000, 0.0)))]);
    let run = |args: &[&str]| {
        Ended::from(program(args).current_dir(folder.path("")).output().expect("the program runs"))
    };
    let printed = run(&["init", "rows.parquet"]);
    assert_eq!((printed.code, printed.err.as_str()), (Some(0), ""), "{printed:?}");
    assert!(!printed.out.contains("$schema"), "a schema that is not there: {}", printed.out);

    std::fs::create_dir(folder.path("models")).expect("a folder");
    let ended = run(&["init", "rows.parquet", "-o", "models/x.yaml"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    let model = std::fs::read_to_string(folder.path("models/x.yaml")).expect("the model file");
    assert!(model.starts_with("# yaml-language-server: $schema=model.schema.json\n"), "{model}");
    let schema = std::fs::read_to_string(folder.path("models/model.schema.json")).expect("the schema");
    assert_eq!(run(&["validate", "--schema"]).out, schema);
    // The data are named as the model file sees them.
    let ended = run(&["check", "models/x.yaml", "rows.parquet"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");

    let again = run(&["init", "rows.parquet", "-o", "models/x.yaml"]);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("`models/x.yaml` exists: it is not written over"), "{again:?}");
    let nowhere = run(&["init", "rows.parquet", "-o", "none/x.yaml"]);
    assert!(nowhere.err.contains("there is no folder `none`"), "{nowhere:?}");
    folder.write("own/model.schema.json", "{}");
    let foreign = run(&["init", "rows.parquet", "-o", "own/x.yaml"]);
    assert_eq!(foreign.code, Some(2));
    assert!(foreign.err.contains("is not driftlead's"), "{foreign:?}");
}

#[test]
fn a_pattern_that_the_shell_spread_is_noticed() {
    let months: Vec<String> =
        (1..=4).map(|month| format!("fixtures/flights/newark-2001-0{month}.parquet")).collect();
    let months: Vec<&str> = months.iter().map(String::as_str).collect();
    let ended = driftlead(&[&["check", "--fail-on", "never", "--baseline"], &months[..]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.err.starts_with("note: `fixtures/flights/newark-2001-02.parquet` and 2 more are taken as data"),
        "{ended:?}"
    );
    assert!(
        ended.err.contains("quote it: `--baseline 'fixtures/flights/newark-2001-*.parquet'`"),
        "{ended:?}"
    );
    assert!(ended.out.contains(", data of 3 paths"), "{ended:?}");

    let live = "fixtures/flights/us-2001-01.parquet";
    let ended = driftlead(&[&["check", "--baseline"], &months[..], &[live]].concat());
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:?}");
    assert!(ended.err.contains("newark-2001-02.parquet` baseline or data?"), "{ended:?}");
    // Quoted, or with the data before it, it is what it says.
    for words in [
        ["--baseline", "fixtures/flights/newark-2001-0[1-4].parquet", live],
        [live, "--baseline", "fixtures/flights/newark-2001-0[1-4].parquet"],
    ] {
        let ended = driftlead(&[&["check", "--fail-on", "never"], &words[..]].concat());
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    }
}

#[test]
fn a_word_that_is_not_known_gets_the_one_that_was_meant() {
    for (args, meant) in [
        (&["chekc", "a"][..], "'check'"),
        (&["check", "--basline", "a", "b"], "'--baseline'"),
        (&["check", "--format", "jsn", "a"], "'json'"),
        (&["check", "--fail-on", "drfit", "a"], "'drift'"),
    ] {
        let ended = driftlead(args);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:?}");
        assert!(ended.err.contains("tip: a similar") && ended.err.contains(meant), "{ended:?}");
    }
    let ended =
        driftlead(&["check", "--baseline", JANUARY, FEBRUARY, "--exclude", "dely", "--fail-on", "never"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.err.contains("note: `exclude` names the column `dely`") && ended.err.contains("`delay`?"),
        "{ended:?}"
    );
}
