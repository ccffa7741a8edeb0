//! What is fuzzed: every decoder of records, every codec of state, and the two settings files.
//!
//! A target takes any bytes. It fails by panicking; what it asks for beside not panicking stands with it.

mod events;
mod records;
mod settings;
mod states;

use std::path::{Path, PathBuf};

/// A target.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&[u8]),
    /// Inputs to begin with, beside those in `fuzz/found`.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub(crate) const ALL: [Target; 13] = [
    Target { name: "json", run: records::json, seeds: records::json_seeds },
    Target { name: "avro", run: records::avro, seeds: records::avro_seeds },
    Target { name: "avro_schema", run: records::avro_schema, seeds: records::avro_schema_seeds },
    Target { name: "protobuf", run: records::protobuf, seeds: records::protobuf_seeds },
    Target { name: "descriptors", run: records::descriptors, seeds: records::descriptor_seeds },
    Target { name: "arrow", run: records::arrow, seeds: records::arrow_seeds },
    Target { name: "csv", run: records::csv, seeds: records::csv_seeds },
    Target { name: "mdc", run: events::mdc, seeds: events::mdc_seeds },
    Target { name: "accumulate", run: states::accumulate, seeds: states::accumulate_seeds },
    Target { name: "stream", run: states::stream, seeds: states::stream_seeds },
    Target { name: "alert", run: states::alert, seeds: states::alert_seeds },
    Target { name: "baseline", run: states::baseline, seeds: states::baseline_seeds },
    Target { name: "yaml", run: settings::yaml, seeds: settings::yaml_seeds },
];

/// The checkout.
pub(crate) fn checkout() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = if own.ends_with("fuzz") { own.parent().unwrap_or(own) } else { own };
    own.to_owned()
}

/// Every file of a folder of the checkout, by name; none if there is no such folder.
pub(crate) fn files(folder: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(checkout().join(folder)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().filter(|path| path.is_file()).map(|path| std::fs::read(path).expect("a file")).collect()
}
