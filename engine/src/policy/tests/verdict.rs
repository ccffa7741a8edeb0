//! Roll-up and exit codes: SEMANTICS S12.

use crate::policy::{FailOn, Verdict, WindowOutcome, exit_code, window_verdict};

use Verdict::{Drift, Error, Info, Insufficient, Ok, Skipped, Warn};

#[test]
fn s12_a_window_is_its_worst_judged_feature() {
    assert_eq!(window_verdict([Ok, Info, Ok]), Info);
    assert_eq!(window_verdict([Info, Warn]), Warn);
    assert_eq!(window_verdict([Drift, Warn, Ok]), Drift);
    assert_eq!(window_verdict([Ok]), Ok);
}

#[test]
fn s12_insufficient_only_if_none_could_be_judged() {
    assert_eq!(window_verdict([Insufficient, Ok, Insufficient]), Ok);
    assert_eq!(window_verdict([Insufficient, Insufficient]), Insufficient);
    assert_eq!(window_verdict([]), Insufficient);
    assert_eq!(window_verdict([Skipped]), Insufficient);
}

#[test]
fn s12_errors_stand_apart() {
    assert_eq!(window_verdict([Error, Ok]), Ok);
    assert_eq!(window_verdict([Error, Drift]), Drift);
    assert_eq!(window_verdict([Error, Error]), Insufficient);
}

#[test]
fn s12_exit_codes() {
    let window = |verdict, has_errors| WindowOutcome { verdict, has_errors };
    // Verdict and errors of the only window, and the code for each level.
    let table = [
        (Ok, false, [0, 0, 0, 0]),
        (Info, false, [0, 0, 0, 0]),
        (Insufficient, false, [1, 0, 0, 0]),
        (Warn, false, [1, 1, 0, 0]),
        (Drift, false, [1, 1, 1, 0]),
        (Ok, true, [2, 2, 2, 0]),
        (Info, true, [2, 2, 2, 0]),
        (Insufficient, true, [1, 2, 2, 0]),
        (Warn, true, [1, 1, 2, 0]),
        (Drift, true, [1, 1, 1, 0]),
    ];
    for (verdict, has_errors, codes) in table {
        for (fail_on, code) in FailOn::ALL.into_iter().zip(codes) {
            assert_eq!(
                exit_code([window(verdict, has_errors)], fail_on),
                code,
                "{verdict} {has_errors} {}",
                fail_on.name()
            );
        }
    }
    assert_eq!(exit_code([], FailOn::Drift), 0);
}

#[test]
fn s12_drift_wins_over_errors_of_any_window() {
    let windows = [
        WindowOutcome { verdict: Ok, has_errors: true },
        WindowOutcome { verdict: Drift, has_errors: false },
        WindowOutcome { verdict: Ok, has_errors: false },
    ];
    assert_eq!(exit_code(windows, FailOn::default()), 1);
    assert_eq!(exit_code([windows[2], windows[0]], FailOn::default()), 2);
    assert_eq!(exit_code(windows, FailOn::Never), 0);
}

#[test]
fn words_of_levels_parse_back() {
    for level in FailOn::ALL {
        assert_eq!(FailOn::parse(level.name()), Some(level));
    }
    assert_eq!(FailOn::parse("info"), None);
    assert_eq!(Insufficient.to_string(), "insufficient");
}
