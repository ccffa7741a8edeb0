//! The fuzzer: libFuzzer around the target that the environment variable DRIFTLEAD_FUZZ names. With a folder in
//! DRIFTLEAD_FUZZ_SEEDS it writes the inputs to begin with instead, a folder for each target; see scripts/fuzz.
#![no_main]

mod seeds;
mod targets;

use std::sync::OnceLock;

use targets::{ALL, Target};

static CHOSEN: OnceLock<Target> = OnceLock::new();

fn chosen() -> Target {
    let name = std::env::var("DRIFTLEAD_FUZZ").unwrap_or_default();
    let found = ALL.into_iter().find(|target| target.name == name);
    let names: Vec<&str> = ALL.iter().map(|target| target.name).collect();
    found.unwrap_or_else(|| panic!("no target `{name}`: set DRIFTLEAD_FUZZ to one of {}", names.join(", ")))
}

/// Before anything is fuzzed.
fn begin() {
    // A panic that is caught is no find; libFuzzer's own hook would end the process at once. One that is not caught
    // still ends it.
    drop(std::panic::take_hook());
    if let Ok(folder) = std::env::var("DRIFTLEAD_FUZZ_SEEDS") {
        if let Err(error) = seeds::write(&folder) {
            panic!("`{folder}`: {error}");
        }
        std::process::exit(0);
    }
    CHOSEN.get_or_init(chosen);
}

libfuzzer_sys::fuzz_target!(init: begin(), |data: &[u8]| {
    (CHOSEN.get_or_init(chosen).run)(data);
});
