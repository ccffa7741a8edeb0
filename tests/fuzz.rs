//! The fuzz targets without a fuzzer: on every input that once broke something, on the seeds, and on thousands of inputs
//! made from these, the same ones every time. `make fuzz` looks further, guided by coverage.

#[path = "../fuzz/src/targets/mod.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::random::Random;

/// Inputs made for each target.
const MADE: usize = 3_000;
/// Those of the slow ones, which read a file each.
const MADE_SLOWLY: usize = 600;

/// One input made from others: what fuzzers do first.
fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    const INTERESTING: [u8; 10] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b',', b'\\', b'9'];
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..1 + random.below(4) {
        let at = random.below(input.len() + 1);
        let end = (at + 1 + random.below(9)).min(input.len());
        match random.below(8) {
            0 => input.truncate(at),
            1 => drop(input.drain(at.min(end)..end)),
            2 => input.insert(at, INTERESTING[random.below(INTERESTING.len())]),
            3 if at < input.len() => input[at] ^= 1 << random.below(8),
            4 if at < input.len() => input[at] = INTERESTING[random.below(INTERESTING.len())],
            5 if at < input.len() => {
                input[at] = input[at].wrapping_add(random.below(7) as u8).wrapping_sub(3)
            }
            6 => {
                let again = input[at.min(end)..end].to_vec();
                input.splice(at..at, again);
            }
            _ => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                input.splice(at.., other[from..].iter().copied());
            }
        }
    }
    input
}

/// Runs a target; a failure says on what.
fn ensure(target: targets::Target, input: &[u8]) {
    let ran = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    assert!(
        ran.is_ok(),
        "`{}` broke on \"{}\": put these bytes into fuzz/found/{0}",
        target.name,
        input.escape_ascii()
    );
}

fn replay(name: &str, made: usize) {
    let target = targets::ALL.into_iter().find(|target| target.name == name).expect("a target");
    let mut seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "`{name}` has nothing to begin with");
    seeds.extend(targets::files(&format!("fuzz/found/{name}")));
    seeds.iter().for_each(|seed| ensure(target, seed));
    let mut random = Random::new(41);
    for _ in 0..made {
        ensure(target, &mutated(&seeds, &mut random));
    }
}

macro_rules! replays {
    ($($name:ident $made:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name), $made);
        })*

        #[test]
        fn every_target_is_replayed() {
            let names: Vec<&str> = targets::ALL.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

replays! {
    json MADE
    avro MADE
    avro_schema MADE
    protobuf MADE
    descriptors MADE
    arrow MADE
    csv MADE
    mdc MADE_SLOWLY
    accumulate MADE
    stream MADE
    alert MADE
    baseline MADE_SLOWLY
    yaml MADE_SLOWLY
}
