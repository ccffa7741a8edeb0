//! "Did you mean": the known names closest to one that is not known.

/// Up to three of `known` that a person may have meant by `name`, closest first; equal ones in the order given.
pub(crate) fn candidates<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let folded = name.to_lowercase();
    let mut close: Vec<(f64, &str)> = known
        .into_iter()
        .map(|k| (strsim::jaro_winkler(&folded, &k.to_lowercase()), k))
        .filter(|&(similarity, _)| similarity >= ALIKE)
        .collect();
    close.sort_by(|a, b| b.0.total_cmp(&a.0));
    close.into_iter().take(3).map(|(_, k)| k.to_owned()).collect()
}

/// `did you mean ...?` for candidates, or what there is when nothing is close.
pub(crate) fn phrase<'a>(candidates: &[String], known: impl IntoIterator<Item = &'a str>) -> String {
    if !candidates.is_empty() {
        return format!("did you mean `{}`?", candidates.join("` or `"));
    }
    let mut known: Vec<&str> = known.into_iter().take(SHOWN + 1).collect();
    let more = if known.len() > SHOWN { ", …" } else { "" };
    known.truncate(SHOWN);
    format!("there are `{}`{more}", known.join("`, `"))
}

const ALIKE: f64 = 0.8;
const SHOWN: usize = 20;
