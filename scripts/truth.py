#!/usr/bin/env python3
"""What the final windows of a service have to be, from the rows alone: no code and no shortcut of driftlead is in here.

    truth.py SPEC.json

reads the records of a topic as they stand in its partitions, the rows of the baseline and the windows that a service
calls final, computes each window anew and says every difference. It ends with 0 if there is none, with 1 if there are,
with 2 if the question cannot be answered. Only the standard library of Python 3 is needed.

SPEC.json, whose paths are relative to it:

    model, version, baseline_id   what the ids of verdicts are made of (SEMANTICS S20)
    window                        name, and length, every, out_of_orderness, lateness in microseconds (S13, S14)
    time, features, segments      the event time's key; kind by column, numeric or categorical; columns to split by (S18)
    until                         only windows that end at or before it, in microseconds, are asked for
    baseline                      rows, a JSON object a line
    topic                         records, a line each: {"partition": 0, "offset": 0, "payload": "..."}
    windows                       window objects of driftlead.report/1, one a line

Held to the rows are: which windows there are and their ids; rows, nulls and wrong types; psi with its correction, kl, js,
hellinger, tvd, linf, chi2 and the shares in `top`, on the deciles (S2, S3); ks, or the bounds that it promises (S7);
the rates of nulls and of new categories (S3a).
"""

import datetime
import hashlib
import json
import math
import pathlib
import sys
from bisect import bisect_left
from collections import Counter, defaultdict

DAY = 86_400_000_000
DISCRETE = 20  # up to this many distinct baseline values, every value is a cell
DICTIONARY = 1024  # categories with a cell of their own
SEGMENTS = 200  # the most of one split
SMALL_BASELINE, SMALL_EXPECTED = 30, 5  # cells with fewer rows are one cell REST
OTHER = "__other__"


def main(path):
    folder = pathlib.Path(path).parent
    spec = json.loads(pathlib.Path(path).read_text())
    lines = {name: _lines(folder / spec[name]) for name in ("baseline", "topic", "windows")}
    baseline = Baseline(spec, [json.loads(line) for line in lines["baseline"]])
    wanted, late = windows(spec, baseline, [json.loads(line) for line in lines["topic"]])
    said = {}
    faults = []
    for line in lines["windows"]:
        window = json.loads(line)
        if window["id"] in said:
            faults.append(f"window {window['id']} is there twice")
        said[window["id"]] = window
    for missing in wanted.keys() - said.keys():
        faults.append(f"the window {wanted[missing].place} with the id {missing} is missing")
    for id_, window in said.items():
        place = f"{window['start']} {json.dumps(window['segment'])}"
        if id_ in wanted:
            faults.extend(f"window {place}: {fault}" for fault in wanted[id_].differences(window))
        else:
            faults.append(f"window {place} with the id {id_} is none of the rows'")
    for fault in sorted(faults):
        print(fault, file=sys.stderr)
    numbers = sum(window.compared for window in wanted.values())
    rows = sum(window.rows for window in wanted.values() if window.segment is None)
    print(json.dumps({"windows": len(wanted), "rows": rows, "late": late, "numbers": numbers, "faults": len(faults)}))
    return 1 if faults else 0


def _lines(path):
    return [line for line in path.read_text().split("\n") if line]


def windows(spec, baseline, records):
    """The windows by verdict id, and how many rows came too late for theirs."""
    own = spec["window"]
    length, every = own["length"], own["every"]
    anchor = 4 * DAY if length % (7 * DAY) == 0 else 0  # whole weeks begin on Monday
    panes, late, newest = defaultdict(list), 0, {}
    for record in sorted(records, key=lambda record: (record["partition"], record["offset"])):
        row = _row(record["payload"], spec["time"])
        if row is None:
            continue  # it became a dead letter
        time, partition = row[spec["time"]], record["partition"]
        pane = (time - anchor) // every
        end = anchor + (pane + 1) * every
        mark = newest.get(partition)
        # A row is late by what came before it in its own partition.
        if mark is not None and end + own["lateness"] <= mark - own["out_of_orderness"]:
            late += 1
        else:
            panes[pane].append(row)
        newest[partition] = time if mark is None else max(mark, time)
    out = {}
    per_window = length // every
    for last in range(min(panes), max(panes) + per_window) if panes else ():
        end = anchor + (last + 1) * every
        if end > spec["until"]:
            break
        rows = [row for pane in range(last - per_window + 1, last + 1) for row in panes.get(pane, ())]
        for segment, members in baseline.split(rows):
            window = Window(spec, baseline, segment, members, end - length, end)
            out[window.id] = window
    return out, late


def _row(payload, time):
    """The row that a record holds, with its event time in microseconds; None for what is none."""
    try:
        row = json.loads(payload)
        row[time] = _micros(row[time])
        return row
    except (ValueError, KeyError, TypeError, IndexError):
        return None


def _micros(text):
    """RFC 3339 in UTC, with up to six digits of a second."""
    whole, _, part = text.removesuffix("Z").partition(".")
    at = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    return int(at.timestamp()) * 1_000_000 + int(part.ljust(6, "0") or 0)


class Baseline:
    """The rows that windows are compared with, as columns, whole and by segment."""

    def __init__(self, spec, rows):
        self.features = spec["features"]
        self.splits = []
        for column in spec["segments"]:
            sizes = Counter(_text(row.get(column)) for row in rows)
            chosen = sorted(sizes, key=lambda value: (-sizes[value], (value or "").encode()))[:SEGMENTS]
            self.splits.append((column, chosen))
        self.sides = {}
        for segment, members in self.split(rows):
            self.sides[segment] = {name: Column(kind, name, members) for name, kind in self.features.items()}
        self.cells = {name: Cells(self.sides[None][name]) for name in self.features}

    def split(self, rows):
        """The whole, and the segments that have rows or had some in the baseline; by their texts."""
        yield None, rows
        for column, chosen in self.splits:
            members = {value: [] for value in chosen}
            for row in rows:
                value = _text(row.get(column))
                members.setdefault(value if value in chosen else OTHER, []).append(row)
            for value, own in members.items():
                yield json.dumps({column: value}, separators=(",", ":"), ensure_ascii=False), own


def _text(value):
    """A value as a category."""
    return json.dumps(value) if isinstance(value, bool) else value


class Column:
    """A column's values, and how many were none."""

    def __init__(self, kind, name, rows):
        self.kind, self.rows, self.nulls, self.wrong, self.values = kind, len(rows), 0, 0, []
        for row in rows:
            value = row.get(name)
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if value is None:
                self.nulls += 1
            elif kind == "numeric" and is_number:
                self.values.append(value)
            elif kind == "categorical" and not is_number and not isinstance(value, (list, dict)):
                self.values.append(_text(value))
            else:
                self.wrong += 1


class Cells:
    """Where a column's values are counted: the deciles of the whole baseline, or its categories."""

    def __init__(self, column):
        self.values, self.edges, self.index = None, None, {}
        counts = Counter(column.values)
        if column.kind == "categorical":
            ranked = sorted(counts, key=lambda value: (-counts[value], value.encode()))
            self.values, self.known = ranked[:DICTIONARY], set(counts)
        elif len(counts) <= DISCRETE:
            self.values, self.known = sorted(counts), None
        else:
            x, n = sorted(column.values), len(column.values)
            # The k-th decile is the smallest value with at least k n / 10 rows at or below it.
            deciles = sorted({x[(k * n + 9) // 10 - 1] for k in range(1, 10)})
            self.edges = [edge for edge in deciles if edge < x[-1]]
        if self.values is not None:
            self.index = {value: at for at, value in enumerate(self.values)}

    def count(self, values):
        """Rows by cell, and those that no cell is for."""
        counts, none = [0] * (len(self.edges) + 1 if self.values is None else len(self.values)), 0
        for value in values:
            # A value equal to an edge belongs to the cell on its left.
            at = bisect_left(self.edges, value) if self.values is None else self.index.get(value)
            if at is None:
                none += 1
            else:
                counts[at] += 1
        return counts, none

    def find(self, top):
        """The place of a cell as `top` names it; None for one that stands for several."""
        if "category" in top:
            return self.index.get(top["category"])
        if self.edges is not None and ("low" in top or "high" in top):
            return bisect_left(self.edges, top["high"]) if "high" in top else len(self.edges)
        return None


def fold(pairs, leftover):
    """Cells too small to judge are one cell REST (S3). Answers the cells, REST among them."""
    n_base = sum(b for b, _ in pairs) + leftover[0]
    n_cur = sum(c for _, c in pairs) + leftover[1]

    def is_small(b):
        return b < SMALL_BASELINE or b * n_cur < SMALL_EXPECTED * n_base

    kept = [pair for pair in pairs if not is_small(pair[0])]
    small = [pair for pair in pairs if is_small(pair[0])] + [leftover]
    rest = (sum(b for b, _ in small), sum(c for _, c in small))
    if rest == (0, 0):
        return kept
    if is_small(rest[0]) and kept:
        at = min(range(len(kept)), key=lambda i: (kept[i][0], i))
        kept[at] = (kept[at][0] + rest[0], kept[at][1] + rest[1])
        return kept
    return [*kept, rest]


def scores(cells):
    """The metrics on cells, by name."""
    n_base, n_cur, n = sum(b for b, _ in cells), sum(c for _, c in cells), len(cells)
    if n < 2 or not n_base or not n_cur:
        return {}
    psi = kl = chi2 = 0.0
    for b, c in cells:
        p, q = (b + 0.5) / (n_base + n / 2), (c + 0.5) / (n_cur + n / 2)
        psi += (q - p) * math.log(q / p)
        kl += q * math.log(q / p)
        both, total = b + c, n_base + n_cur
        for seen, side in ((b, n_base), (c, n_cur)):
            expected = both * side / total
            chi2 += (seen - expected) ** 2 / expected if expected else 0.0
    shares = [(b / n_base, c / n_cur) for b, c in cells]
    entropy = lambda a, m: a * math.log2(a / m) if a else 0.0
    jsd = sum((entropy(p, (p + q) / 2) + entropy(q, (p + q) / 2)) / 2 for p, q in shares)
    return {
        "psi": psi,
        "kl": kl,
        "js": math.sqrt(max(0.0, jsd)),
        "hellinger": math.sqrt(sum((math.sqrt(p) - math.sqrt(q)) ** 2 for p, q in shares) / 2),
        "tvd": sum(abs(q - p) for p, q in shares) / 2,
        "linf": max(abs(q - p) for p, q in shares),
        "chi2": chi2,
        "bias": (n - 1) * (1 / n_base + 1 / n_cur),
    }


def ks(base, current):
    """The largest distance of two distributions, from their values in order; exact until the last division."""
    a, b = sorted(base), sorted(current)
    i = j = largest = 0
    while i < len(a) and j < len(b):
        value = min(a[i], b[j])
        while i < len(a) and a[i] == value:
            i += 1
        while j < len(b) and b[j] == value:
            j += 1
        largest = max(largest, abs(i * len(b) - j * len(a)))
    return largest / (len(a) * len(b))


class Window:
    """One window of one segment, from its rows."""

    def __init__(self, spec, baseline, segment, rows, start, end):
        fields = [spec["model"], spec["version"], spec["baseline_id"], spec["window"]["name"], segment, start, end]
        text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
        self.id = hashlib.sha256(text.encode()).hexdigest()[:32]
        self.place = f"[{start}, {end}) of {segment or 'the whole'}"
        self.segment, self.rows, self.baseline, self.compared = segment, len(rows), baseline, 0
        self.columns = {name: Column(kind, name, rows) for name, kind in baseline.features.items()}

    def differences(self, window):
        """What a window says that is not so."""
        yield from self._equal("rows", window["rows"], self.rows)
        said = [feature["name"] for feature in window["features"]]
        if sorted(said) != sorted(self.columns):
            yield f"features {said}, and they are {list(self.columns)}"
        sides = self.baseline.sides.get(self.segment)
        for feature in window["features"]:
            name = feature["name"]
            if name in self.columns:
                base = sides[name] if sides else Column(self.baseline.features[name], name, [])
                for fault in self._feature(feature, base, self.columns[name], self.baseline.cells[name]):
                    yield f"{name}: {fault}"

    def _feature(self, feature, base, own, cells):
        for key, value in (("rows", own.rows), ("nulls", own.nulls), ("type_errors", own.wrong)):
            yield from self._equal(key, feature.get(key, 0), value)
        (base_counts, base_none), (counts, none) = cells.count(base.values), cells.count(own.values)
        folded = fold(list(zip(base_counts, counts)), (base_none, none))
        truth = scores(folded)
        said = feature["metrics"]
        for name in ("psi", "kl", "js", "hellinger", "tvd", "linf", "chi2"):
            own_value = said[name]["value"]
            if own_value is None and name not in truth:
                continue
            if own_value is None or name not in truth:
                yield f"{name} is {own_value}, and of the rows {truth.get(name)}"
                continue
            yield from self._near(name, own_value, truth[name])
            yield from self._equal(f"{name}'s cells", said[name]["cells"], len(folded))
            yield from self._equal(f"{name}'s n", said[name]["n"], len(own.values))
            if "corrected" in said[name] and name == "psi":
                yield from self._near("psi corrected", said[name]["corrected"], max(0.0, truth["psi"] - truth["bias"]))
        if own.kind == "numeric" and base.values and own.values and said["ks"]["value"] is not None:
            distance, low, high = ks(base.values, own.values), said["ks"]["value"], said["ks"]["high"]
            self.compared += 1
            if not low - 1e-12 <= distance <= high + 1e-12:
                yield f"ks is between {low} and {high}, and of the rows {distance}"
        if not base.rows or not own.rows:
            return  # without the one there is no rate, without the other none to compare it with
        yield from self._near("null_rate", said["null_rate"]["value"], own.nulls / own.rows)
        if own.kind == "categorical" and own.values:
            new = sum(value not in cells.known for value in own.values)
            yield from self._near("new_category_rate", said["new_category_rate"]["value"], new / own.rows)
        for top in feature.get("top", ()):
            at = cells.find(top)
            if at is not None and (base_counts[at], counts[at]) in folded:
                yield from self._near(f"share of {top['label']}", top["window"], counts[at] / len(own.values))
                yield from self._near(f"baseline of {top['label']}", top["baseline"], base_counts[at] / len(base.values))

    def _equal(self, what, said, truth):
        self.compared += 1
        if said != truth:
            yield f"{what} is {said}, and of the rows {truth}"

    def _near(self, what, said, truth):
        self.compared += 1
        if said is None or not math.isclose(said, truth, rel_tol=1e-9, abs_tol=1e-12):
            yield f"{what} is {said}, and of the rows {truth}"


if __name__ == "__main__":
    try:
        if len(sys.argv) != 2:
            raise ValueError("expected one argument, SPEC.json")
        code = main(sys.argv[1])
    except (OSError, ValueError, KeyError) as error:
        print(f"truth: {type(error).__name__}: {error}", file=sys.stderr)
        code = 2
    sys.exit(code)
