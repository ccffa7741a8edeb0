//! What goes wrong, and what the person reads: each message names the place and the way out, and one bad feature never
//! stops the others (SEMANTICS S12).

use std::fs;

use arrow_array::ArrayRef;
use driftlead::report::{Verdict, wire::Report};
use driftlead_engine::Metric;

use crate::support::checkout::workspace;
use crate::support::folder::{Folder, floats, table, texts};
use crate::support::program::{Ended, driftlead, feature, measure, only, parsed, program, report, value};
use crate::support::random::Random;

const ROWS: usize = 4_000;

/// Three columns that do not drift.
fn columns(seed: u64, rows: usize) -> Vec<(&'static str, ArrayRef)> {
    let mut random = Random::new(seed);
    let delay = floats(random.normals(rows, 0.0));
    let speed = floats(random.normals(rows, 100.0));
    let origin = texts(random.zipf(rows, &["ATL", "BOS", "EWR", "ORD"]));
    vec![("delay", delay), ("speed", speed), ("origin", origin)]
}

fn baseline(folder: &Folder) -> String {
    folder.parquet("baseline.parquet", columns(1, ROWS))
}

/// Runs a check that cannot be made, and returns the message.
fn refused(args: &[&str]) -> String {
    let ended = driftlead(&[&["check"], args].concat());
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.out.is_empty(), "{ended:?}");
    assert!(ended.err.starts_with("driftlead: ") && ended.err.ends_with('\n'), "{ended:?}");
    ended.err
}

fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

/// Runs a check with one feature in error, and returns its reason and the report. The others are judged.
fn one_bad_feature(args: &[&str], bad: &str) -> (String, Report) {
    let ended = driftlead(&[&["check", "--format", "json"], args].concat());
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let report = parsed(&ended.out);
    let window = only(&report);
    for own in &window.features {
        let expected = if own.name == bad { Verdict::Error } else { Verdict::Ok };
        assert_eq!(own.verdict, expected, "{own:?}");
    }
    assert_eq!((window.verdict, report.errors.len()), (Verdict::Ok, 1), "{:?}", report.errors);
    assert_eq!(report.errors[0].name, bad);
    let reason = feature(window, bad).reason.clone().expect("a reason");
    assert_eq!(report.errors[0].reason, reason);

    let table = driftlead(&[&["check"], args].concat());
    assert_eq!(table.code, Some(2));
    says(&table.out, &[&reason, "1 feature could not be compared"]);
    let never = driftlead(&[&["check", "--fail-on", "never"], args].concat());
    assert_eq!(never.code, Some(0), "{never:?}");
    (reason, report)
}

#[test]
fn a_missing_column_is_an_error_of_its_own() {
    let folder = Folder::new();
    let baseline = baseline(&folder);
    let lacking = columns(2, ROWS).into_iter().filter(|(name, _)| *name != "speed").collect();
    let window = folder.parquet("window.parquet", lacking);
    let (reason, _) = one_bad_feature(&["--baseline", &baseline, &window], "speed");
    says(&reason, &["the baseline names the column `speed`", "do not have: ", "`delay`, `origin`"]);
}

#[test]
fn a_changed_type_is_an_error_of_its_own() {
    let folder = Folder::new();
    let baseline = baseline(&folder);
    let mut changed = columns(2, ROWS);
    changed[1].1 = texts(["fast"].into_iter().cycle().take(ROWS));
    let window = folder.parquet("window.parquet", changed);
    let (reason, report) = one_bad_feature(&["--baseline", &baseline, &window], "speed");
    says(&reason, &["type changed", "`float64`", "`text`", "make a new baseline"]);
    assert!(feature(only(&report), "speed").metrics.is_empty());
}

#[test]
fn drift_wins_over_an_error() {
    let folder = Folder::new();
    let baseline = baseline(&folder);
    let mut moved = columns(2, ROWS);
    moved[0].1 = floats(Random::new(3).normals(ROWS, 2.0));
    moved.remove(1);
    let window = folder.parquet("window.parquet", moved);
    let ended = driftlead(&["check", "--format", "json", "--baseline", &baseline, &window]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let report = parsed(&ended.out);
    assert_eq!(feature(only(&report), "delay").verdict, Verdict::Drift);
    assert_eq!(feature(only(&report), "speed").verdict, Verdict::Error);
}

#[test]
fn files_that_are_no_parquet_are_named_with_what_is_wrong() {
    let folder = Folder::new();
    let good = baseline(&folder);
    let bytes = fs::read(&good).expect("bytes");
    let empty = folder.write("empty.parquet", "");
    let truncated = folder.write("truncated.parquet", &bytes[..bytes.len() / 2]);
    let mut garbled = bytes.clone();
    let end = garbled.len();
    garbled[end - 200..end - 8].fill(0xa5);
    let footer = folder.write("footer.parquet", &garbled);
    let mut garbled = bytes;
    // The first page's header; a page of doubles has no redundancy to be found wrong by.
    garbled[4..60].fill(0x5a);
    let pages = folder.write("pages.parquet", &garbled);
    let text = folder.write("text.parquet", "delay,speed\n1,2\n3,4\n");
    for (bad, parts) in [
        (&empty, &["empty.parquet`", "is empty (0 bytes)"][..]),
        (&truncated, &["truncated.parquet`", "is truncated"]),
        (&footer, &["footer.parquet`"]),
        (&pages, &["pages.parquet`"]),
        (&text, &["text.parquet`", "Parquet"]),
    ] {
        says(&refused(&["--baseline", &good, bad]), parts);
        says(&refused(&["--baseline", bad, &good]), parts);
        // One bad file among good ones is named too: nothing is judged on half of the data.
        says(&refused(&["--baseline", &good, &good, bad]), parts);
    }
}

#[test]
fn data_that_are_not_there_are_named() {
    let folder = Folder::new();
    let good = baseline(&folder);
    let (missing, pattern, nothing) =
        (folder.path("no.parquet"), folder.path("no*.parquet"), folder.path("e"));
    fs::create_dir(&nothing).expect("a folder");
    let unknown = folder.write("data.txt", "delay\n1\n");
    for (bad, parts) in [
        (&missing, &["no.parquet`", "does not exist"][..]),
        (&pattern, &["no file matches", "no*.parquet`"]),
        (&nothing, &["holds no data file"]),
        (&unknown, &["data.txt`", "no known format"]),
    ] {
        says(&refused(&["--baseline", &good, bad]), parts);
        says(&refused(&["--baseline", bad, &good]), parts);
    }
    says(&refused(&[&good]), &["nothing to compare with", "--baseline"]);

    // A slip of the finger, and another ending.
    let meant = format!("did you mean `{}`?", folder.path("baseline.parquet"));
    for slip in ["basline.parquet", "Baseline.Parquet", "baseline.csv"] {
        says(&refused(&["--baseline", &good, &folder.path(slip)]), &[slip, "does not exist", &meant]);
    }
    let message = refused(&["--baseline", &good, &folder.path("[a.parquet")]);
    says(&message, &["is not a valid glob", "a bracket itself is written `[[]`"]);
}

#[test]
fn a_model_file_that_is_not_there_is_named_with_what_was_meant() {
    let folder = Folder::new();
    let good = baseline(&folder);
    let missing = folder.path("flights.yaml");
    let message = refused(&[&missing, &good]);
    says(&message, &["there is no model file `", "flights.yaml`: `driftlead init DATA -o ", "` writes one"]);
    let own = folder.write("flihgts.yml", "model: m\n");
    says(&refused(&[&missing, &good]), &[&format!("did you mean `{own}`?")]);
    let a_folder = folder.path("models.yaml");
    fs::create_dir(&a_folder).expect("a folder");
    says(&refused(&[&a_folder, &good]), &["models.yaml`", "it is a folder: name a file in it"]);

    // The file is named that a person has named, before the data are looked at.
    let ended = driftlead(&["init", "no-such-data.parquet", "-o", &folder.path("no/model.yaml")]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    says(&ended.err, &["no/model.yaml`: there is no folder `"]);
}

#[test]
fn files_of_one_set_that_disagree_are_named_with_both_types() {
    let folder = Folder::new();
    let good = baseline(&folder);
    let other = folder.parquet("other.parquet", vec![("delay", texts(["late"]))]);
    let third = folder.parquet("third.parquet", vec![("delay", floats([1.0]))]);
    let message = refused(&["--baseline", &good, &third, &other]);
    says(&message, &["column `delay`", "`string` in", "other.parquet`", "`Float64` in", "third.parquet`"]);
    let message = refused(&["--baseline", &good, &good, &third]);
    says(&message, &["third.parquet`", "has no column `speed`", "baseline.parquet`"]);
}

#[test]
fn no_rows_are_too_few_to_judge_and_too_few_for_a_baseline() {
    let folder = Folder::new();
    let baseline = baseline(&folder);
    let none = folder.parquet("none.parquet", columns(2, 0));
    let args = ["check", "--format", "json", "--baseline", &baseline, &none];
    let ended = driftlead(&args);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = parsed(&ended.out);
    assert_eq!((only(&report).verdict, only(&report).rows), (Verdict::Insufficient, 0));
    for own in &only(&report).features {
        assert_eq!((own.verdict, own.missing_rows), (Verdict::Insufficient, Some(200)), "{own:?}");
    }
    assert_eq!(driftlead(&[&args[..], &["--fail-on", "insufficient"]].concat()).code, Some(1));
    says(&refused(&["--baseline", &none, &baseline]), &["the baseline has no rows"]);
}

#[test]
fn a_constant_and_an_all_null_column_are_described_and_not_judged_wrongly() {
    let folder = Folder::new();
    let with = |seed: u64, constant: f64, nulls: bool| {
        let mut all = columns(seed, ROWS);
        all.push(("constant", floats(vec![constant; ROWS])));
        all.push(("void", floats((0..ROWS).map(|row| if nulls { None } else { Some(row as f64) }))));
        all
    };
    let baseline = folder.parquet("baseline.parquet", with(1, 7.5, true));
    let same = report(&["--baseline", &baseline, &folder.parquet("same.parquet", with(2, 7.5, true))]);
    let window = only(&same);
    let constant = feature(window, "constant");
    assert_eq!((constant.verdict, window.verdict), (Verdict::Ok, Verdict::Ok));
    assert_eq!(value(constant, Metric::Ks), 0.0);
    assert!(measure(constant, Metric::Psi).reason.is_some(), "{constant:?}");
    let void = feature(window, "void");
    assert_eq!((void.verdict, void.nulls), (Verdict::Insufficient, ROWS as u64));

    let moved = report(&["--baseline", &baseline, &folder.parquet("moved.parquet", with(2, 8.0, true))]);
    let constant = feature(only(&moved), "constant");
    assert_eq!((constant.verdict, value(constant, Metric::Ks)), (Verdict::Drift, 1.0));
    assert!(moved.errors.is_empty(), "{:?}", moved.errors);
}

#[test]
fn a_model_file_is_refused_with_its_place_and_a_suggestion() {
    let folder = Folder::new();
    let good = baseline(&folder);
    let rule = |rule: &str| format!("thresholds: [{{{rule}}}]");
    for (line, parts) in [
        (
            "tresholds: []".to_owned(),
            &[":3:1: ", "unknown key `tresholds`", "did you mean `thresholds`?"][..],
        ),
        (rule("metric: psii, drift: 0.2"), &[":3:23: ", "no metric `psii`", "did you mean `psi`?"]),
        (rule("metric: ks, drift: 1.5"), &[":3:34: ", "`drift: 1.5` can never", "between `0` and `1`"]),
        (rule("metric: psi, warn: 0.3, drift: 0.2"), &[":3:34: ", "`warn` must not be greater than `drift`"]),
        (rule("metric: psi"), &[":3:14: ", "has no bound"]),
        (
            rule("metric: psi, drift: 0.2, features: [delays]"),
            &[":3:14: ", "names the feature `delays`", "did you mean `delay`?"],
        ),
        (
            rule("metric: ks, drift: 0.2, features: [origin]"),
            &[":3:14: ", "`ks` is not computed", "`origin`"],
        ),
        (
            rule("metric: psi, drift: -1"),
            &[":3:35: ", "the corrected value of `psi` is a number from `0` up"],
        ),
        ("window: {length: 1d}".to_owned(), &[":3:18: ", "write `time: COLUMN`"]),
        (
            "time: speed\nwindow: {length: 1d}".to_owned(),
            &[":3:7: ", "`time` names the column `speed` of type `Float64`", "expected a timestamp"],
        ),
        ("window: {length: 1d, every: 7h}\ntime: at".to_owned(), &["`every: 7h` does not divide"]),
        (
            "time: at\nwindow: {length: 1d}".to_owned(),
            &[":3:7: ", "`time` names the column `at`", "`delay`", "\n  3 | time: at\n    |       ^"],
        ),
        (
            "segments: [[origin, speed], orign]".to_owned(),
            &[":3:29: ", "`segments` names the column `orign`", "did you mean `origin`?"],
        ),
        (
            "features: {delai: numeric}".to_owned(),
            &[":3:12: ", "`features` names the column `delai`", "did you mean `delay`?"],
        ),
        ("features: {origin: numeric}".to_owned(), &[":3:12: ", "feature `origin`", "cannot be `numeric`"]),
        (
            "features: {origin: {type: int64}}".to_owned(),
            &[":3:12: ", "feature `origin` has `type: int64`", "`string`"],
        ),
        ("where: delai > 0".to_owned(), &[":3:8: ", "no column `delai`", "did you mean `delay`?"]),
        ("derive: {fast: speed >}".to_owned(), &[":3:10: ", "derived column `fast`", "expected"]),
    ] {
        let text = format!("model: m\nbaseline: baseline.parquet\n{line}\n");
        let model = folder.write("model.yaml", text);
        says(&refused(&[&model, &good]), parts);
    }
}

#[test]
fn a_model_file_without_keys_is_told_what_one_is() {
    let folder = Folder::new();
    let good = baseline(&folder);
    for (text, found) in [("", "nothing"), ("- model: m\n", "a list"), ("flights\n", "`flights`")] {
        let model = folder.write("model.yaml", text);
        let expected =
            format!("a model file is a mapping of keys such as `model`, but here is {found}: write `model: ");
        says(&refused(&[&model, &good]), &[":1:1: ", &expected]);
    }
}

/// `baseline` calibrates on the windows before anything is checked.
#[test]
fn a_time_that_is_none_is_refused_when_the_baseline_is_made() {
    let folder = Folder::new();
    baseline(&folder);
    let model = folder
        .write("timed.yaml", "model: m\nbaseline: baseline.parquet\ntime: speed\nwindow: {length: 1d}\n");
    let ended = driftlead(&["baseline", &model]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    says(&ended.err, &["timed.yaml:3:7: `time` names the column `speed` of type `Float64`"]);
}

#[test]
fn since_and_until_need_an_event_time() {
    let folder = Folder::new();
    let good = baseline(&folder);
    let message = refused(&["--baseline", &good, &good, "--since", "2001-02-01"]);
    says(&message, &["`--since`", "`time:`"]);
}

#[test]
fn a_damaged_baseline_file_is_not_compared_with() {
    let folder = Folder::new();
    let good = baseline(&folder);
    let model = folder.write("model.yaml", "model: m\nbaseline: baseline.parquet\n");
    let frozen = folder.path("frozen.parquet");
    assert_eq!(driftlead(&["baseline", &model, "-o", &frozen]).code, Some(0));
    let bytes = fs::read(&frozen).expect("bytes");
    let cut = folder.write("cut.parquet", &bytes[..bytes.len() - 20]);
    says(&refused(&[&model, "--baseline", &cut, &good]), &["cut.parquet"]);
    let split = folder.write("split.yaml", "model: m\nsegments: [origin]\n");
    let message = refused(&[&split, "--baseline", &frozen, &good]);
    says(&message, &["no segments by `origin`", "make it again"]);
}

#[test]
fn a_set_of_one_row_is_enough_to_be_read() {
    let folder = Folder::new();
    let baseline = baseline(&folder);
    let one = folder.rows("one.parquet", &table(columns(2, 1)), 1);
    let report = report(&["--baseline", &baseline, &one]);
    assert_eq!((only(&report).rows, only(&report).verdict), (1, Verdict::Insufficient));
}

#[test]
fn no_row_after_the_condition_is_too_few_to_judge_and_no_baseline() {
    let folder = Folder::new();
    let baseline = baseline(&folder);
    let window = folder.parquet("window.parquet", columns(2, ROWS));
    // Where the condition leaves both without rows there is no baseline.
    let message = refused(&["--baseline", &baseline, &window, "--where", "speed > 1000000"]);
    says(&message, &["the baseline has no rows", "`where:`"]);
    let frozen = folder.path("frozen.parquet");
    let model = folder.write("model.yaml", "model: m\nbaseline: baseline.parquet\n");
    assert_eq!(driftlead(&["baseline", &model, "-o", &frozen]).code, Some(0));
    let args = ["check", "--baseline", &frozen, &window, "--where", "speed > 1000000"];
    let ended = driftlead(&args);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    says(
        &ended.out,
        &["insufficient: ", "0 rows with a value, 200 are needed", "4,000 rows left out by `where`"],
    );
    assert_eq!(driftlead(&[&args[..], &["--fail-on", "insufficient"]].concat()).code, Some(1));
}

/// The footer is whole and names a row group whose bytes are not there.
#[test]
fn a_truncated_row_group_is_named_with_its_place() {
    let folder = Folder::new();
    let good = baseline(&folder);
    let bytes = fs::read(&good).expect("bytes");
    let rump = [b"PAR1", &bytes[bytes.len() - 4_000..]].concat();
    let rump = folder.write("rump.parquet", rump);
    for args in [["--baseline", &good, &rump], ["--baseline", &rump, &good]] {
        says(
            &refused(&args),
            &["rump.parquet`", "row group 1 of 1", "column `delay`", "but the file has only"],
        );
    }
}

/// As another user where the tests run as root, who may read everything.
#[cfg(unix)]
#[test]
fn what_may_not_be_read_or_written_is_named_with_the_reason() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;

    let folder = Folder::new();
    let good = baseline(&folder);
    let secret = folder.parquet("secret.parquet", columns(2, ROWS));
    let model = folder.write("model.yaml", "model: m\nbaseline: baseline.parquet\n");
    let hidden = folder.write("hidden.yaml", "model: m\nbaseline: baseline.parquet\n");
    let mode = |path: &str, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own file");
    };
    mode(&secret, 0o000);
    mode(&hidden, 0o000);
    let is_root = fs::File::open(&secret).is_ok();
    let built = env!("CARGO_BIN_EXE_driftlead");
    let copied = folder.path("driftlead");
    if is_root {
        // The folder in which it was built may be closed to others.
        fs::copy(built, &copied).expect("copied");
    }
    mode(&folder.path(""), 0o555);
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(if is_root { &copied } else { built });
        command.args(args).current_dir("/");
        if is_root {
            command.uid(65_534).gid(65_534);
        }
        let ended = Ended::from(command.output().expect("it runs"));
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{args:?}: {ended:?}");
        ended.err
    };
    says(&run(&["check", "--baseline", &good, &secret]), &["secret.parquet`", "ermission denied"]);
    says(&run(&["check", "--baseline", &secret, &good]), &["secret.parquet`", "ermission denied"]);
    says(&run(&["init", &secret]), &["secret.parquet`", "ermission denied"]);
    says(&run(&["check", &hidden, &good]), &["hidden.yaml`", "ermission denied"]);
    says(&run(&["baseline", &model]), &["model.baseline.parquet`", "ermission denied"]);
    mode(&folder.path(""), 0o755);
    assert!(!folder.names().iter().any(|name| name.contains("model.baseline") || name.ends_with(".tmp")));
}

#[test]
fn a_folder_in_the_place_of_a_file_is_named() {
    let folder = Folder::new();
    let good = baseline(&folder);
    let model = folder.write("model.yaml", "model: m\nbaseline: baseline.parquet\n");
    let (place, yaml) = (folder.path("place"), folder.path("place.yaml"));
    for path in [&place, &yaml] {
        fs::create_dir(path).expect("a folder");
    }
    for args in [&["validate", &place][..], &["check", &yaml, &good], &["inspect", &place], &["init", &place]]
    {
        let ended = driftlead(args);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{args:?}: {ended:?}");
        says(&ended.err, &["driftlead: ", "place"]);
    }
    let ended = driftlead(&["baseline", &model, "-o", &place]);
    assert_eq!(ended.code, Some(2));
    says(&ended.err, &["place` is a folder: name a file in it"]);
}

/// Data must not be lost by a slip of the hand, nor counts be taken for rows.
#[test]
fn a_baseline_is_written_over_nothing_but_an_older_baseline() {
    let folder = Folder::new();
    let good = baseline(&folder);
    let model = folder.write("model.yaml", "model: m\nbaseline: baseline.parquet\n");
    let before = fs::read(&good).expect("bytes");
    let ended = driftlead(&["baseline", &model, "-o", &good]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    says(&ended.err, &["baseline.parquet` exists and is no baseline file", "choose another name"]);
    assert_eq!(fs::read(&good).expect("bytes"), before);
    let frozen = folder.path("frozen.parquet");
    for _ in 0..2 {
        assert_eq!(driftlead(&["baseline", &model, "-o", &frozen]).code, Some(0));
    }
    let ended = driftlead(&["baseline", &model, "-o", &folder.path("none/frozen.parquet")]);
    says(&ended.err, &["there is no folder", "none`"]);

    says(&refused(&["--baseline", &good, &frozen]), &["frozen.parquet` is a baseline file, not rows"]);
    let again = folder.write("again.yaml", "model: m\nbaseline: frozen.parquet\n");
    let ended = driftlead(&["baseline", &again]);
    assert_eq!(ended.code, Some(2));
    says(&ended.err, &["frozen.parquet` is a baseline file, not rows"]);
}

#[test]
fn text_files_say_what_is_wrong_with_them() {
    let folder = Folder::new();
    let rows: String = (0..300).map(|row| format!("{},{}\n", row % 7, ["a", "b"][row % 2])).collect();
    let good = folder.write("good.csv", format!("x,city\n{rows}"));
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("x,city\n1,a\n".bytes().flat_map(|b| [b, 0])).collect();
    for (name, content, parts) in [
        ("utf16.csv", utf16.as_slice(), &["UTF-16 text", "convert it to UTF-8"][..]),
        ("empty.csv", b"", &["is empty (0 bytes)", "a header and rows"]),
        ("empty.ndjson", b"", &["is empty (0 bytes)", "one JSON object a line"]),
        (
            "text.ndjson",
            b"not json\nat all\n",
            &["none of the first 2 records could be read (line 1: expected "],
        ),
        (
            "line.ndjson",
            b"[1]\n",
            &["the first record could not be read (line 1: expected an object at byte 0)"],
        ),
        (
            "ragged.csv",
            b"x,city\n1\n2\n",
            &["first 2 records could be read (line 2: expected 2 fields, found 1)"],
        ),
    ] {
        let bad = folder.write(name, content);
        let message = refused(&["--baseline", &good, &bad]);
        says(&message, &[&format!("{name}`")]);
        says(&message, parts);
    }

    // One bad record is left out, counted and told with its line; the others are judged.
    let ragged = folder.write("ragged.csv", format!("x,city\n{rows}1\n"));
    let ended = driftlead(&["check", "--baseline", &good, &ragged]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    says(&ended.err, &["ragged.csv`: 1 record left out", "line 302: expected 2 fields, found 1"]);
    says(&ended.out, &["300 rows", "1 record left out: not readable"]);
    let lines: String = (0..300).map(|row| format!("{{\"x\": {}, \"city\": \"a\"}}\n", row % 7)).collect();
    let cut = folder.write("cut.ndjson", &lines[..lines.len() - 9]);
    let ended = driftlead(&["check", "--baseline", &cut, &cut]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    says(&ended.err, &["cut.ndjson`: 1 record left out", "the first on line 300"]);
}

#[test]
fn credentials_that_are_refused_are_named() {
    let folder = Folder::new();
    let good = baseline(&folder);
    // A store of this machine's own that refuses everybody.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for mut connection in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let _ = connection.read(&mut request);
            let body = "<Error><Code>AccessDenied</Code></Error>";
            let head = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length:";
            let _ = connection.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes());
        }
    });
    let output = program(&["check", "--baseline", &good, "s3://bucket/live.parquet"])
        .env("AWS_ACCESS_KEY_ID", "id")
        .env("AWS_SECRET_ACCESS_KEY", "a-secret")
        .env("AWS_ENDPOINT_URL", &endpoint)
        .env("AWS_ALLOW_HTTP", "true")
        .output()
        .expect("it runs");
    let ended = Ended::from(output);
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:?}");
    says(&ended.err, &["`s3://bucket/live.parquet`: access was refused (403)", "AWS_ACCESS_KEY_ID"]);
    assert!(!ended.err.contains("a-secret"), "{ended:?}");
}

/// A page of doubles has no redundancy by which damage would show; its checksum has.
#[test]
fn a_page_that_does_not_have_its_checksum_is_named() {
    let folder = Folder::new();
    let bytes = fs::read(workspace().join("fixtures/checksums/pages.parquet")).expect("the fixture");
    let whole = folder.write("whole.parquet", &bytes);
    assert_eq!(driftlead(&["check", "--baseline", &whole, &whole]).code, Some(0));
    let value = 12_345.678_f64.to_le_bytes();
    let at = bytes.windows(8).position(|eight| eight == value).expect("the last value");
    for bit in [0x01, 0x80] {
        let mut flipped = bytes.clone();
        flipped[at + 5] ^= bit;
        let flipped = folder.write("flipped.parquet", &flipped);
        let parts =
            ["flipped.parquet`", "row group 1 of 1", "column `x`", "checksum", "copy or write it again"];
        says(&refused(&["--baseline", &whole, &flipped]), &parts);
        says(&refused(&["--baseline", &flipped, &whole]), &parts);
    }
}
