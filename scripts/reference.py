"""Expected numbers for the fixtures, from numpy and scipy alone.

Nothing here shares code or shortcuts with driftlead: rows are sorted and counted directly, KS and Wasserstein
come from scipy. The definitions are those of docs/statistics: right-closed cells at the distinct inverted-CDF
deciles of the baseline, small cells folded into one REST cell, Jeffreys smoothing for PSI and KL only.
"""

import json
import math
import platform
import re
from collections import Counter
from importlib.metadata import version

import numpy as np
from scipy import stats
from scipy.spatial import distance

SMALL_BASELINE = 30  # a cell with fewer baseline rows than this is folded into REST
SMALL_EXPECTED = 5  # so is one of which the baseline expects fewer rows than this in the window
SMALL_TESTED = 15  # a p-value's cell has as many baseline rows by the shares of both sides together, or SMALL_BASELINE
DISCRETE = 20  # up to this many distinct baseline values, every value is a cell
DICTIONARY = 1024  # categories with a cell of their own


def save(path, pairs):
    """Writes the numbers, with what computed them, as JSON that a person can read: a list stands on one line."""
    made_with = {"python": platform.python_version()} | {p: version(p) for p in ("numpy", "scipy", "pyarrow")}
    text = json.dumps({"made_with": made_with, "pairs": pairs}, indent=1)
    flat = re.sub(r"\[\s+([^\[\]{}]+?)\s+\]", lambda m: "[" + re.sub(r"\s*\n\s*", " ", m[1]) + "]", text)
    path.write_text(flat + "\n")


def table(baseline, current, columns):
    """Every expected number of two tables: `column` for each of `columns`."""
    return {"columns": {c: column(baseline[c].combine_chunks(), current[c].combine_chunks()) for c in columns}}


def column(baseline, current):
    """Every expected number of one column, given as two pyarrow arrays."""
    if _is_text(baseline.type):
        return {"kind": "categorical"} | _categorical(_plain(baseline), _plain(current))
    return {"kind": "numeric"} | _numeric(baseline, current)


def _is_text(type_):
    return "string" in str(type_)


def _plain(array):
    return array.dictionary_decode() if hasattr(array, "dictionary_decode") else array


def _numeric(baseline, current):
    sides = {"baseline": _describe(baseline), "current": _describe(current)}
    b, c = _values(baseline), _values(current)
    edges = decile_edges(b)
    cells = len(edges) + 1
    # A value equal to an edge belongs to the cell on its left.
    b_counts = np.bincount(np.searchsorted(edges, b, side="left"), minlength=cells).tolist()
    c_counts = np.bincount(np.searchsorted(edges, c, side="left"), minlength=cells).tolist()
    return sides | {
        "ks": float(stats.ks_2samp(b, c, method="asymp").statistic),
        "wasserstein": float(stats.wasserstein_distance(b, c)),
        "edges": [e.item() for e in edges],
        "cells": _scores(list(zip(b_counts, c_counts)), (0, 0)),
    }


def _categorical(baseline, current):
    b_all, c_all = baseline.to_pylist(), current.to_pylist()
    b = Counter(v for v in b_all if v is not None)
    c = Counter(v for v in c_all if v is not None)
    ranked = sorted(b, key=lambda v: (-b[v], v.encode()))
    kept, other = ranked[:DICTIONARY], ranked[DICTIONARY:]
    new = sum(n for v, n in c.items() if v not in b)
    leftover = (sum(b[v] for v in other), sum(c[v] for v in other) + new)
    return {
        "baseline": {"rows": len(b_all), "nulls": b_all.count(None), "categories": len(b)},
        "current": {"rows": len(c_all), "nulls": c_all.count(None), "categories": len(c), "new_rows": new},
        "cells": _scores([(b[v], c[v]) for v in kept], leftover, kept),
    }


def _values(array):
    """The values that enter a distribution: neither null nor NaN."""
    values = array.drop_null().to_numpy(zero_copy_only=False)
    return values[~np.isnan(values)] if values.dtype.kind == "f" else values


def _describe(array):
    x = _values(array)
    return {
        "rows": len(array),
        "nulls": array.null_count,
        "nans": len(array) - array.null_count - len(x),
        "min": x.min().item(),
        "max": x.max().item(),
        "mean": float(np.mean(x, dtype=np.float64)),
        "sd": float(np.std(x, dtype=np.float64)),
        "sd_sample": float(np.std(x, ddof=1, dtype=np.float64)),
        "distinct": len(np.unique(x)),
    }


def decile_edges(baseline):
    """The distinct inverted-CDF deciles (or all values, if few), without the baseline's maximum."""
    x = np.sort(baseline)
    distinct = np.unique(x)
    if len(distinct) <= DISCRETE:
        return distinct[:-1]
    # The k-th decile is the smallest value with at least k N / 10 rows at or below it: in integers, because
    # k / 10 has no exact float.
    deciles = np.unique(x[[(k * len(x) + 9) // 10 - 1 for k in range(1, 10)]])
    return deciles[deciles < x[-1]]


def fold(cells, leftover):
    """The REST rule: cells too small to judge are one cell. Returns (cells kept, names' indices, rest or None)."""
    n_base, n_cur = _rows(cells, leftover)

    def small(b, _):
        return b < SMALL_BASELINE or b * n_cur / n_base < SMALL_EXPECTED

    return _fold(cells, leftover, small, lambda b, _: b)


def fold_tested(cells, leftover):
    """The cells on which p-values are computed: chosen by the rows of both sides together."""
    n_base, n_cur = _rows(cells, leftover)
    expected, held = SMALL_TESTED, SMALL_BASELINE
    if leftover[0] > 0:
        # The dictionary is full: a cell must be well clear of its last place, by three standard deviations.
        clear = math.ceil((0.5 * (3 + math.sqrt(9 + 4 * min(b for b, _ in cells)))) ** 2)
        if clear > expected:
            expected, held = clear, math.floor(clear + 4 * math.sqrt(clear))

    def small(b, c):
        rows, both = b + c, n_base + n_cur
        few = rows * n_base < expected * both and b < held
        return few or rows * n_cur < SMALL_EXPECTED * both

    pairs, _, rest = _fold(cells, leftover, small, lambda b, c: b + c)
    return pairs if rest is None else [*pairs, rest]


def _rows(cells, leftover):
    return sum(b for b, _ in cells) + leftover[0], sum(c for _, c in cells) + leftover[1]


def _fold(cells, leftover, small, size):
    kept = [i for i, (b, c) in enumerate(cells) if not small(b, c)]
    folded = [cells[i] for i in range(len(cells)) if i not in set(kept)] + [leftover]
    rest = (sum(b for b, _ in folded), sum(c for _, c in folded))
    pairs = [cells[i] for i in kept]
    if rest == (0, 0):
        return pairs, kept, None
    if small(*rest) and pairs:
        smallest = min(range(len(pairs)), key=lambda i: (size(*pairs[i]), i))
        pairs[smallest] = (pairs[smallest][0] + rest[0], pairs[smallest][1] + rest[1])
        return pairs, kept, None
    return pairs, kept, rest


def _scores(cells, leftover, names=None):
    pairs, kept, rest = fold(cells, leftover)
    if rest is not None:
        pairs = [*pairs, rest]
    out = {
        "kept": len(kept) if names is None else [names[i] for i in kept],
        "rest": None if rest is None else list(rest),
        "baseline": [b for b, _ in pairs],
        "current": [c for _, c in pairs],
        "metrics": None,
    }
    if len(pairs) < 2:
        return out  # one cell cannot move
    b = np.array([b for b, _ in pairs], dtype=np.float64)
    c = np.array([c for _, c in pairs], dtype=np.float64)
    n_base, n_cur, n_cells = b.sum(), c.sum(), len(pairs)
    p, q = b / n_base, c / n_cur
    ps, qs = (b + 0.5) / (n_base + n_cells / 2), (c + 0.5) / (n_cur + n_cells / 2)
    psi = float(np.sum((qs - ps) * np.log(qs / ps)))
    chi2 = stats.chi2_contingency(np.array([b, c]), correction=False)
    tested = fold_tested(cells, leftover)
    tested = tested if len(tested) > 1 else pairs
    chi2_tested = stats.chi2_contingency(np.array(tested, dtype=np.float64).T, correction=False)
    out["metrics"] = {
        "psi": psi,
        "psi_corrected": max(0.0, psi - (n_cells - 1) * (1 / n_cur + 1 / n_base)),
        "kl": float(np.sum(qs * np.log(qs / ps))),
        "js": float(distance.jensenshannon(p, q, base=2)),
        "hellinger": float(np.sqrt(max(0.0, 1.0 - np.sum(np.sqrt(p * q))))),
        "tvd": float(0.5 * np.sum(np.abs(q - p))),
        "linf": float(np.max(np.abs(q - p))),
        "chi2": float(chi2.statistic),
        "chi2_dof": int(chi2.dof),
        "chi2_p_value": float(chi2_tested.pvalue),
    }
    return out
