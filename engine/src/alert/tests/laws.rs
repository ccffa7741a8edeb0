//! The laws of alerts over random windows: verdicts, revisions, segments, gaps, partial windows.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::reference::{JUDGED, Reference, Shown, Word};
use super::story::{MINUTE, read, span, story};
use crate::alert::{Change, ChangeKind, Observation, Part, Policy, Reason, Track};
use crate::policy::Verdict;
use crate::window::WindowIndex;

const SEGMENTS: [Option<&str>; 3] = [None, Some("A"), Some("B")];
const FEATURES: [&str; 4] = ["a", "b", "c", "d"];

pub(super) fn observe(track: &mut Track, shown: &Shown) -> Vec<Change> {
    let parts: Vec<Part<'_>> = shown
        .words
        .iter()
        .map(|(segment, word)| Part {
            segment: *segment,
            verdict_id: &word.verdict_id,
            revision: word.revision,
            verdict: word.verdict,
            judged: JUDGED,
            features: &word.features,
        })
        .collect();
    track.observe(&Observation {
        window: WindowIndex(shown.index),
        span: shown.span,
        is_final: shown.is_final,
        is_partial: shown.is_partial,
        parts: &parts,
    })
}

fn policies() -> impl Strategy<Value = Policy> {
    let cooldown = prop_oneof![3 => Just(0), 1 => Just(2 * MINUTE), 1 => Just(5 * MINUTE)];
    // These windows are even: whether their times are kept or reckoned, they are the same.
    (1_u32..5, 1_u32..4, cooldown, 1_i64..4, any::<bool>()).prop_flat_map(
        |(last, resolve_after, cooldown, stride, is_even)| {
            (1..=last).prop_map(move |needed| Policy {
                needed,
                last,
                resolve_after,
                cooldown,
                stride,
                is_even,
            })
        },
    )
}

/// A verdict and features of one segment; `None` if the window has nothing of it.
type Saying = Option<(char, u8)>;

fn saying() -> impl Strategy<Value = Saying> {
    let letter = prop_oneof![
        8 => Just('d'), 6 => Just('.'), 1 => Just('i'), 2 => Just('w'), 1 => Just('?'), 1 => Just('e')
    ];
    prop_oneof![1 => Just(None), 12 => (letter, 1_u8..16).prop_map(Some)]
}

fn sayings() -> impl Strategy<Value = Vec<Saying>> {
    proptest::collection::vec(saying(), SEGMENTS.len())
}

/// What happens at one step: the next window is ON_TIME, one of those before it is revised, the oldest becomes FINAL.
#[derive(Clone, Debug)]
struct Step {
    first: Vec<Saying>,
    late: Option<(usize, Vec<Saying>)>,
    last: Option<Vec<Saying>>,
    is_partial: bool,
    is_skipped: bool,
}

fn step() -> impl Strategy<Value = Step> {
    (
        sayings(),
        proptest::option::weighted(0.3, (0_usize..4, sayings())),
        proptest::option::weighted(0.4, sayings()),
        proptest::bool::weighted(0.05),
        proptest::bool::weighted(0.05),
    )
        .prop_map(|(first, late, last, is_partial, is_skipped)| Step {
            first,
            late,
            last,
            is_partial,
            is_skipped,
        })
}

fn shown(policy: &Policy, index: i64, revision: u64, is_final: bool, says: &[Saying]) -> Shown {
    let words = SEGMENTS.iter().zip(says).filter_map(|(segment, saying)| {
        let (letter, mask) = (*saying)?;
        let verdict = read(letter);
        let named = FEATURES.into_iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
        let features = named.map(|(_, name)| name).filter(|_| verdict == Verdict::Drift).collect();
        let verdict_id = format!("{segment:?}/{index}");
        Some((*segment, Word { verdict, features, verdict_id, revision }))
    });
    Shown { index, span: span(index, policy.stride), is_final, is_partial: false, words: words.collect() }
}

/// The closings that a series gives whose windows become FINAL `lag` windows later.
fn closings(policy: &Policy, lag: usize, steps: &[Step]) -> Vec<Shown> {
    let mut out = Vec::new();
    let mut known: Vec<(i64, u64, Vec<Saying>)> = Vec::new();
    let mut index = -3;
    for step in steps {
        index += if step.is_skipped { 4 } else { 1 };
        known.push((index, 0, step.first.clone()));
        if lag > 0 {
            out.push(shown(policy, index, 0, false, &step.first));
        }
        if let Some((back, says)) = &step.late
            && let Some(at) = known.len().checked_sub(1 + back)
            && lag > 0
        {
            let (index, revision, own) = &mut known[at];
            (*revision, *own) = (*revision + 1, says.clone());
            out.push(shown(policy, *index, *revision, false, says));
        }
        if known.len() > lag {
            let (index, revision, own) = known.remove(0);
            let says = step.last.as_ref().unwrap_or(&own);
            let mut last = shown(policy, index, revision + 1, true, says);
            last.is_partial = step.is_partial;
            out.push(last);
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 800,
        rng_seed: RngSeed::Fixed(19),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// The track is the naive one, and a track that is written and read back between any two windows goes on as if
    /// nothing had happened.
    #[test]
    fn any_windows_give_the_changes_of_the_reference(
        policy in policies(),
        lag in 0_usize..5,
        steps in proptest::collection::vec(step(), 1..60),
        stops in proptest::collection::vec(any::<bool>(), 180),
    ) {
        let mut reference = Reference::new(policy);
        let mut track = Track::new("m", "1", "w", policy).unwrap();
        let mut stopped = track.clone();
        let mut all = Vec::new();
        for (at, shown) in closings(&policy, lag, &steps).iter().enumerate() {
            let changes = observe(&mut track, shown);
            prop_assert_eq!(&changes, &reference.observe(shown), "{:?}", shown);
            if stops[at % stops.len()] {
                let bytes = stopped.encode();
                stopped = Track::decode(&bytes, policy).unwrap();
                prop_assert_eq!(&stopped.encode(), &bytes);
            }
            prop_assert_eq!(&observe(&mut stopped, shown), &changes);
            prop_assert_eq!(&stopped, &track);
            all.extend(changes);
            follow(&all, &track)?;
        }
        all.extend(track.supersede());
        follow(&all, &track)?;
    }

    /// With FINAL windows alone, side by side, and nothing but the whole: N of M as anybody would write it down.
    #[test]
    fn final_windows_alone_are_the_textbook(
        policy in policies(),
        letters in proptest::collection::vec(
            prop_oneof![4 => Just('d'), 4 => Just('.'), 1 => Just('w'), 1 => Just('?')], 1..80
        ),
    ) {
        let policy = Policy { stride: 1, ..policy };
        let text: String = letters.iter().collect();
        let told = story(policy).finals(0, &text);
        let told: Vec<_> = told.iter().map(|line| line.split(' ').next().unwrap_or_default()).collect();

        let mut expected = Vec::new();
        let mut judged: Vec<char> = Vec::new();
        let mut open_since: Option<usize> = None;
        let mut ended: Option<i64> = None;
        for (index, letter) in (0_i64..).zip(&letters) {
            if *letter == '?' {
                continue;
            }
            judged.push(*letter);
            let drifting = judged.iter().rev().take(policy.last as usize).filter(|own| **own == 'd').count();
            let is_cool = ended.is_none_or(|ended| (index - ended) * MINUTE >= policy.cooldown);
            match open_since {
                None if *letter == 'd' && is_cool && drifting >= policy.needed as usize => {
                    open_since = Some(judged.len());
                    expected.push(format!("open@{index}"));
                }
                Some(since) => {
                    let calm = judged[since..].iter().rev().take_while(|own| **own == '.').count();
                    if calm >= policy.resolve_after as usize {
                        (open_since, ended) = (None, Some(index));
                        expected.push(format!("calm@{index}"));
                    }
                }
                None => {}
            }
        }
        prop_assert_eq!(told, expected);
    }

    /// Whatever came before, once every window is FINAL enough calm ones leave nothing open.
    #[test]
    fn calm_windows_leave_nothing_open(
        policy in policies(),
        lag in 0_usize..5,
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let mut track = Track::new("m", "1", "w", policy).unwrap();
        let seen = closings(&policy, lag, &steps);
        let after = seen.iter().map(|shown| shown.index).max().unwrap_or(0) + 1;
        for shown in &seen {
            observe(&mut track, shown);
        }
        let calm = vec![Some(('.', 1)); SEGMENTS.len()];
        for index in after..after + policy.stride * i64::from(policy.resolve_after) {
            observe(&mut track, &shown(&policy, index, 0, true, &calm));
        }
        prop_assert_eq!(track.open().count(), 0);
    }
}

/// What every receiver relies on: revisions count up from 0, an alert opens before all else and never twice in a row,
/// at most one alert of a segment is open, and none beside the whole's.
fn follow(changes: &[Change], track: &Track) -> Result<(), TestCaseError> {
    let mut revisions: BTreeMap<&str, u64> = BTreeMap::new();
    let mut open: BTreeMap<Option<&str>, &str> = BTreeMap::new();
    for change in changes {
        let revision = revisions.entry(&change.alert_id).or_default();
        prop_assert_eq!(*revision, change.revision);
        *revision += 1;
        let segment = change.segment.as_deref();
        match change.kind {
            ChangeKind::Opened => {
                prop_assert_eq!(open.insert(segment, &change.alert_id), None);
            }
            ChangeKind::Updated => prop_assert_eq!(open.get(&segment), Some(&change.alert_id.as_str())),
            ChangeKind::Resolved { reason } => {
                prop_assert_eq!(open.remove(&segment), Some(change.alert_id.as_str()));
                prop_assert!(reason != Reason::Folded || segment.is_some());
            }
        }
        let sorted: BTreeSet<&String> = change.features.iter().collect();
        prop_assert!(change.features.iter().eq(sorted));
    }
    prop_assert!(!open.contains_key(&None) || open.len() == 1, "{:?}", open);
    let own: BTreeMap<_, _> = track.open().collect();
    prop_assert_eq!(open, own);
    Ok(())
}
