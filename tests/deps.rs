//! Who may depend on whom, read from the resolved dependency tree and from the sources.
//!
//! Invariant I-PURE: the engine can do no I/O because nothing that it is linked with can, and the connectors know
//! nothing of windows, statistics and policies. Lints see one crate at a time; these tests see the whole.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::checkout::{sources, workspace};

/// Every crate that may be linked into the engine, with what it is for. It is a list of what is allowed, because a
/// list of what is forbidden forgets the crate that is published tomorrow. A new name here is a decision: the engine
/// has no I/O, no async runtime, no serialisation and no logging.
const ENGINE: &[(&str, &[&str])] = &[
    ("arrays in memory", &["arrow-array", "arrow-buffer", "arrow-data", "arrow-schema"]),
    ("arrays: bytes, half floats and bits", &["bitflags", "bytes", "half", "zerocopy", "zerocopy-derive"]),
    ("arrays: big decimals", &["libm", "num-bigint", "num-complex", "num-integer", "num-traits"]),
    ("arrays: calendar arithmetic; its clock is never asked", &["chrono", "iana-time-zone"]),
    ("arrays: a hasher, which seeds itself", &["ahash", "getrandom", "hashbrown", "once_cell"]),
    ("threads", &["crossbeam-deque", "crossbeam-epoch", "crossbeam-utils", "either", "rayon", "rayon-core"]),
    ("distributions", &["approx", "statrs"]),
    ("matrices", &["matrixmultiply", "ndarray", "num-complex", "rawpointer"]),
    (
        // It reads the sizes of caches from `/sys` once; by how it is called, no bit depends on them.
        "products of large matrices",
        &[
            "bytemuck",
            "dyn-stack",
            "dyn-stack-macros",
            "equator",
            "equator-macro",
            "faer",
            "faer-macros",
            "faer-traits",
            "gemm",
            "gemm-c32",
            "gemm-c64",
            "gemm-common",
            "gemm-f32",
            "gemm-f64",
            "generativity",
            "nano-gemm",
            "nano-gemm-c32",
            "nano-gemm-c64",
            "nano-gemm-core",
            "nano-gemm-f32",
            "nano-gemm-f64",
            "num_cpus",
            "paste",
            "private-gemm-x86",
            "pulp",
            "qd",
            "raw-cpuid",
            "reborrow",
            "seq-macro",
        ],
    ),
    ("vectors as text", &["base64"]),
    (
        "hashes: SHA-256",
        &[
            "block-buffer",
            "const-oid",
            "cpufeatures",
            "crypto-common",
            "digest",
            "hybrid-array",
            "sha2",
            "typenum",
        ],
    ),
    ("hashes: XXH3", &["xxhash-rust"]),
    ("derived errors", &["proc-macro2", "quote", "syn", "thiserror", "thiserror-impl", "unicode-ident"]),
    ("the platform", &["cfg-if", "core-foundation-sys", "libc"]),
];

#[test]
fn engine_is_linked_with_nothing_that_does_io() {
    let allowed: BTreeSet<&str> = ENGINE.iter().flat_map(|(_, names)| *names).copied().collect();
    let found = dependencies("driftlead-engine", &[]);
    assert!(found.contains("arrow-array"), "the dependency tree was not read: {found:?}");
    let strangers: Vec<&String> =
        found.iter().filter(|n| *n != "driftlead-engine" && !allowed.contains(n.as_str())).collect();
    assert!(
        strangers.is_empty(),
        "the engine is linked with {strangers:?}, which tests/deps.rs does not allow: \
         `cargo tree -p driftlead-engine -i {}` says why",
        strangers[0]
    );
}

#[test]
fn engine_has_no_features() {
    let manifest = read("engine/Cargo.toml");
    assert!(!manifest.contains("[features]"), "engine/Cargo.toml: the engine is one thing, not many");
    assert!(!manifest.contains("optional = true"), "engine/Cargo.toml: an optional dependency is a feature");
}

#[test]
fn layers_point_one_way() {
    for layer in ["engine", "connectors"] {
        let found = dependencies(&format!("driftlead-{layer}"), &[]);
        assert!(!found.contains("driftlead"), "{layer} depends on the driver");
    }
    assert!(
        !dependencies("driftlead-engine", &[]).contains("driftlead-connectors"),
        "engine depends on connectors"
    );
}

/// The connectors move rows and bytes; what the rows mean for a verdict is not theirs to know.
#[test]
fn connectors_know_no_windows_statistics_or_policies() {
    const THEIRS: [&str; 4] = ["accumulate", "policy", "statistic", "window"];
    for (path, text) in sources("connectors/src") {
        for (number, line) in text.lines().enumerate() {
            let named = THEIRS.iter().find(|m| names_engine_module(line, m));
            assert!(named.is_none(), "{}:{}: names `engine::{}`", path.display(), number + 1, named.unwrap());
        }
    }
}

/// Whether a line of code names a module of the engine, as a path or inside the braces of a `use`.
fn names_engine_module(line: &str, module: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.split("driftlead_engine::").skip(1).any(|rest| match rest.strip_prefix('{') {
        Some(list) => list.split([',', '{', '}']).any(|item| first_segment(item) == module),
        None => first_segment(rest) == module,
    })
}

fn first_segment(path: &str) -> &str {
    let path = path.trim();
    path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(path)
}

#[test]
fn engine_modules_are_recognised_in_every_spelling() {
    assert!(names_engine_module("use driftlead_engine::policy::Verdict;", "policy"));
    assert!(names_engine_module("use driftlead_engine::{Error, statistic::Score};", "statistic"));
    assert!(names_engine_module("fn f(a: driftlead_engine::accumulate::State) {}", "accumulate"));
    assert!(!names_engine_module("use driftlead_engine::baseline::window_length;", "window"));
    assert!(!names_engine_module("// driftlead_engine::policy decides", "policy"));
}

/// polars brings an Arrow of its own, and half of the build time: it stays behind one module and one feature.
#[test]
fn polars_stays_behind_one_module_and_one_feature() {
    let mut importers = Vec::new();
    for root in ["src", "engine/src", "connectors/src"] {
        for (path, text) in sources(root) {
            let names_polars = text.lines().any(|line| {
                let code = line.split("//").next().unwrap_or_default();
                code.contains("polars::") || code.contains("use polars")
            });
            if names_polars {
                importers.push(path);
            }
        }
    }
    let tabular = Path::new("connectors/src/tabular");
    for path in &importers {
        let module = path.parent().is_some_and(|p| p.ends_with("tabular"))
            || path.with_extension("").ends_with(tabular);
        assert!(module, "{} imports polars", path.display());
    }

    let without = dependencies("driftlead", &["--no-default-features"]);
    assert!(!without.iter().any(|n| n.starts_with("polars")), "polars is linked without the feature `sql`");
    let with = dependencies("driftlead", &["--all-features"]);
    assert!(with.contains("polars"), "the feature `sql` brings no polars: {with:?}");
}

/// Switching `sql` must not change what the other crates are compiled with, or a build with SQL after one without
/// compiles all of them again.
#[test]
fn sql_adds_crates_and_changes_none() {
    let with = dependency_lines("driftlead", &["--all-features"], "{p} {f}");
    let without = dependency_lines("driftlead", &["--no-default-features"], "{p} {f}");
    let changed: Vec<_> = without.difference(&with).filter(|line| !line.starts_with("driftlead")).collect();
    assert!(changed.is_empty(), "`sql` changes the features of {changed:#?}: see shared-features/Cargo.toml");
}

/// The names of all crates that `package` is linked with on this platform, itself among them.
fn dependencies(package: &str, flags: &[&str]) -> BTreeSet<String> {
    dependency_lines(package, flags, "{p}")
        .iter()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

/// One line in the given format for each of those crates.
fn dependency_lines(package: &str, flags: &[&str], format: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--format", format])
        .args(["--package", package])
        .args(flags)
        .current_dir(workspace())
        .output()
        .expect("cargo runs: it runs this test");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("crate names are ASCII");
    text.lines()
        .map(|line| line.trim_end_matches(" (*)").trim().to_owned())
        .filter(|l| !l.is_empty())
        .collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(workspace().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}
