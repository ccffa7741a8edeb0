//! The files of this checkout, for the tests that read our own sources.

use std::path::PathBuf;
use std::process::Command;

/// The folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files under a folder of the workspace, with their text.
pub(crate) fn sources(under: &str) -> Vec<(PathBuf, String)> {
    let found: Vec<_> = committed()
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| e == "rs") && (under == "." || p.starts_with(under)))
        .map(|p| {
            let text = std::fs::read_to_string(workspace().join(&p))
                .unwrap_or_else(|e| panic!("{}: {e}", p.display()));
            (p, text)
        })
        .collect();
    assert!(!found.is_empty(), "no Rust file under `{under}`");
    found
}

/// What git would commit: its files and the new ones, without the ignored. Paths are relative to the workspace.
pub(crate) fn committed() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"])
        .current_dir(workspace())
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("our file names are ASCII");
    let files: Vec<_> = text
        .split('\0')
        .filter(|p| !p.is_empty())
        .map(PathBuf::from)
        .filter(|p| workspace().join(p).is_file())
        .collect();
    assert!(!files.is_empty(), "git knows no file");
    files
}
