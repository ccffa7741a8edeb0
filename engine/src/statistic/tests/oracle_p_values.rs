//! Distributions against scipy's and mpmath's, stored by `fixtures/oracle/statistics.py`; tolerances of SEMANTICS S7.

use super::oracle::{count, list, near, number, stored};
use crate::statistic::p_value::{
    chi_squared, kolmogorov, noncentral_chi_squared, normal, student, two_sample,
};

/// Compares every row of a table of arguments and answer.
#[track_caller]
fn table(name: &str, relative: f64, ours: impl Fn(&[serde_json::Value]) -> f64) {
    let file = stored(include_str!("../../../../fixtures/oracle/p_values.json"));
    let rows = list(&file[name]);
    assert!(rows.len() > 10, "{name}");
    for row in rows {
        let (answer, arguments) = list(row).split_last().expect("a row holds an answer");
        near(ours(arguments), number(answer), relative, &format!("{name}{arguments:?}"));
    }
}

#[test]
fn chi_squared_tails() {
    table("chi_squared", 1e-9, |row| chi_squared::upper(number(&row[0]), number(&row[1])));
}

#[test]
fn noncentral_chi_squared_tails() {
    table("noncentral_chi_squared", 1e-9, |row| {
        noncentral_chi_squared::upper(number(&row[0]), number(&row[1]), number(&row[2]))
    });
}

#[test]
fn normal_tails() {
    table("normal", 1e-9, |row| normal::upper(number(&row[0])));
}

#[test]
fn student_tails() {
    table("student", 1e-9, |row| student::two_sided(number(&row[0]), number(&row[1])));
}

#[test]
fn kolmogorov_as_scipy() {
    table("kolmogorov", 1e-6, |row| kolmogorov::upper(number(&row[0]), count(&row[1])));
}

#[test]
fn kolmogorov_far_tails_of_huge_samples() {
    table("kolmogorov_far", 1e-9, |row| kolmogorov::upper(number(&row[0]), count(&row[1])));
}

#[test]
fn two_samples_exactly() {
    table("two_sample", 1e-9, |row| {
        two_sample::upper(count(&row[0]), count(&row[1]), u128::from(count(&row[2])))
    });
}
