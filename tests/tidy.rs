//! Rules of tidiness that nobody keeps unless they are run.

use crate::support::checkout::{committed, sources, workspace};

/// The longest file that is still one thing to read.
const MAX_LINES: usize = 600;

#[test]
fn no_source_file_is_too_long() {
    for (path, text) in sources(".") {
        let lines = text.lines().count();
        assert!(
            lines <= MAX_LINES,
            "{}: {lines} lines; above {MAX_LINES} a file holds more than one noun",
            path.display()
        );
    }
}

/// A registry's host and a home folder are facts of one machine: the packages' own clients know the hosts, and
/// `$HOME` the folder.
#[test]
fn no_committed_text_names_a_registry_host_or_a_home_folder() {
    // Put together here, so that this file does not name them itself.
    let hosts = [
        ["static.", "crates.io"],
        ["index.", "crates.io"],
        ["files.", "pythonhosted.org"],
        ["pypi.", "org"],
        ["registry.", "npmjs.org"],
        ["repo1.", "maven.org"],
        ["deb.", "debian.org"],
        ["proxy.", "golang.org"],
    ];
    let homes = [["/ro", "ot/"], ["/ho", "me/"], ["/Us", "ers/"]];
    for path in committed() {
        let Ok(text) = std::fs::read_to_string(workspace().join(&path)) else { continue };
        for (number, line) in text.lines().enumerate() {
            for parts in hosts.iter().chain(&homes) {
                let word = parts.concat();
                assert!(!line.contains(&word), "{}:{}: names `{word}`", path.display(), number + 1);
            }
        }
    }
}

/// A row of that table is worth what its tests are worth.
#[test]
fn every_fault_of_the_other_monitor_names_tests_that_are_there() {
    let text = std::fs::read_to_string(workspace().join("docs/azure.md")).expect("the page");
    let (_, table) = text.split_once("## What the monitor of Azure ML gets wrong").expect("the table");
    let (table, _) = table.split_once("\n## ").expect("what follows");
    let rows: Vec<&str> =
        table.lines().filter(|line| line.starts_with("| ") && !line.contains("| tests |")).collect();
    let all = sources(".");
    let mut names = 0;
    for row in &rows {
        let tests = row.rsplit('|').nth(1).expect("a column");
        let has_none = row.contains("| nothing: ");
        assert_eq!(tests.trim().is_empty(), has_none, "{row}");
        for name in tests.split(',').map(|name| name.trim().trim_matches('`')).filter(|name| !name.is_empty())
        {
            let function = format!("fn {name}(");
            assert!(all.iter().any(|(_, text)| text.contains(&function)), "there is no test `{name}`");
            names += 1;
        }
    }
    assert!(rows.len() > 10 && names > 20, "{} rows, {names} tests", rows.len());
}
