//! A track as bytes: the layout that is kept, and what damage does.

use super::story::{policy, story};
use crate::ErrorKind;
use crate::alert::{Policy, Track, VERSION};
use crate::policy::Verdict::{Drift, Ok, Warn};

/// A track with something in every field.
fn sample() -> Track {
    let slow = Policy { cooldown: 60, ..policy() };
    let mut story = story(slow);
    let (a, b, c) = (Some(r#"{"o":"A"}"#), Some(r#"{"o":"B"}"#), Some(r#"{"o":null}"#));
    // B resolves, so that its cooldown runs.
    story.fin(0, &[(None, Ok, &[]), (b, Drift, &["x"]), (a, Drift, &["x"])]);
    story.fin(1, &[(None, Ok, &[]), (b, Drift, &["x"]), (a, Drift, &["x", "y"])]);
    story.fin(2, &[(None, Ok, &[]), (b, Ok, &[]), (a, Warn, &[])]);
    story.fin(3, &[(None, Drift, &["x"]), (b, Ok, &[]), (a, Warn, &[])]);
    // C opens early and is undone, but may open again.
    story.early(4, &[(None, Ok, &[]), (c, Drift, &["z"])]);
    story.early(6, &[(None, Ok, &[]), (c, Drift, &["z"])]);
    story.fin(4, &[(None, Ok, &[]), (c, Ok, &[])]);
    // The whole opens by a window that is not final yet, with A folded into it.
    story.early(5, &[(None, Drift, &["y", "x"]), (a, Drift, &["x"]), (c, Warn, &[])]);
    story.early(6, &[(None, Drift, &["x"]), (c, Drift, &["z"])]);
    assert_eq!(story.track.open().count(), 1);
    story.track
}

fn slow() -> Policy {
    Policy { cooldown: 60, ..policy() }
}

/// The bytes that version 1 wrote: they are written today, and they are read.
#[test]
fn version_1_is_what_it_was() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/alerts.track.bin");
    let golden = std::fs::read(path).unwrap_or_default();
    let bytes = sample().encode();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(golden == bytes, "alerts.track.bin is now {hex}");
    assert_eq!(Track::decode(&golden, slow()), Result::Ok(sample()));
    let mut superseded = sample();
    superseded.supersede();
    assert_eq!(Track::decode(&superseded.encode(), slow()), Result::Ok(superseded));
}

#[test]
fn damaged_bytes_give_an_error_or_a_track_that_goes_on() {
    let bytes = sample().encode();
    for end in 0..bytes.len() {
        assert_eq!(Track::decode(&bytes[..end], slow()).unwrap_err().kind(), ErrorKind::Codec, "to {end}");
    }
    assert!(Track::decode(&[&bytes[..], &[0]].concat(), slow()).is_err());
    let mut n_refused = 0;
    for at in 0..bytes.len() {
        for flip in 1..=255 {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            match Track::decode(&damaged, slow()) {
                Result::Ok(track) => go_on(track),
                Err(error) => {
                    n_refused += 1;
                    assert_eq!(error.kind(), ErrorKind::Codec, "at {at}");
                }
            }
        }
    }
    assert!(n_refused > 10_000, "only {n_refused} were refused");
}

/// Everything that is done with a track that was read: nothing of it may panic.
fn go_on(track: Track) {
    assert_eq!(Track::decode(&track.encode(), slow()).as_ref(), Result::Ok(&track));
    let mut story = story(slow());
    story.track = track;
    for index in 5..9 {
        story.show(index, true, &[(None, Drift, &["x"]), (Some(r#"{"o":"A"}"#), Ok, &[])]);
    }
    story.track.supersede();
}

#[test]
fn foreign_bytes_and_newer_versions_say_so() {
    let mut bytes = sample().encode();
    bytes[4] = VERSION + 1;
    let message = Track::decode(&bytes, slow()).unwrap_err().to_string();
    assert!(message.contains("version `2`") && message.contains("update driftlead"), "{message}");
    for foreign in [&b"PAR1...."[..], b"dls\0\x01", b""] {
        assert_eq!(Track::decode(foreign, slow()).unwrap_err().kind(), ErrorKind::Codec);
    }
    let never = Policy { needed: 9, ..slow() };
    assert_eq!(Track::decode(&sample().encode(), never).unwrap_err().kind(), ErrorKind::Plan);
}

/// What a track holds does not grow with the windows that it has seen, nor with the alerts that were undone.
#[test]
fn a_track_does_not_grow() {
    let drifting = [(None, Drift, &["x"][..]), (Some("s"), Drift, &["x"])];
    let calm = [(None, Ok, &[][..]), (Some("s"), Warn, &[])];
    for (lag, stride, share) in [(5, 4, 2), (1, 1, 1), (1, 3, 1)] {
        let mut story = story(Policy { stride, ..policy() });
        let (mut sizes, mut n_amended) = (Vec::new(), 0);
        for index in 0..400 {
            story.early(index, &drifting);
            if index > lag {
                let says = if index % share == 0 { &calm } else { &drifting };
                let told = story.fin(index - lag, says);
                n_amended += told.iter().filter(|line| line.starts_with("amended")).count();
            }
            sizes.push(story.track.encode().len());
        }
        // Numbers of one length, so that names of verdicts have one too.
        let (early, late) = (sizes[200..300].iter().max(), sizes[300..].iter().max());
        assert!(late <= early, "{early:?} {late:?}");
        assert!(n_amended > 50 || stride != 1, "{n_amended}");
    }
}
