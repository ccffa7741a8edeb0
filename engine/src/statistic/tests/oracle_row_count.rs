//! Predicted numbers of rows against scipy's, stored by `fixtures/oracle/row_count.py`.

use super::oracle::{count, list, near, number, stored};
use crate::statistic::p_value::negative_binomial::tails;
use crate::statistic::{Past, row_count};

/// scipy's nbinom, averaged over what the variance may have been by scipy's own quadrature. The engine's nodes step over
/// the corner at which the variance becomes Poisson's, which costs some thousandths of p.
#[test]
fn predictions_are_those_of_scipy() {
    let file = stored(include_str!("../../../../fixtures/oracle/row_count.json"));
    let rows = list(&file["predictions"]);
    assert!(rows.len() > 30);
    for row in rows {
        let mut past = Past::default();
        list(&row["past"]).iter().for_each(|rows| past.add(count(rows)));
        for pair in list(&row["p"]) {
            let p = row_count(&past, count(&pair[0])).p_value.unwrap();
            near(p, number(&pair[1]), 3e-3, &format!("{} after {past:?}", pair[0]));
        }
    }
}

#[test]
fn tails_are_those_of_scipy() {
    let file = stored(include_str!("../../../../fixtures/oracle/row_count.json"));
    let rows = list(&file["tails"]);
    assert!(rows.len() > 50);
    for row in rows {
        let (lower, upper) = tails(count(&row[0]), number(&row[1]), number(&row[2]));
        near(lower, number(&row[3]), 1e-8, &format!("lower {row}"));
        near(upper, number(&row[4]), 1e-8, &format!("upper {row}"));
    }
}
