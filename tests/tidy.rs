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
