"""Measures a check of embeddings beside Evidently's four methods and a kernel distance of numpy's, on the same vectors.

    vectors.py DRIFTLEAD DIM ROWS ROUNDS FOLDER

Writes a baseline and a window of ROWS vectors each to FOLDER, of eight clusters whose shares differ a little, and runs turn by
turn: `driftlead check` with the rows of the baseline (reads both files, fits the baseline, judges the window), the same with
a frozen baseline (reads the window and judges it), each method on frames of doubles in memory, and MMD by scipy and numpy.
Reading, the frames and imports are not measured for the peers; for driftlead the whole process is. Prints a line for each: the
median of the wall seconds, their ratio to the two of driftlead, and what it found. A kernel of all pairs is left out where its
matrix does not fit into the free memory, and measured once.
"""

import os
import statistics
import subprocess
import sys
import time
import warnings

os.environ["DO_NOT_TRACK"] = "1"
warnings.filterwarnings("ignore")

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from evidently.legacy.metrics.data_drift import embedding_drift_methods as methods
from scipy.spatial.distance import cdist

CLUSTERS, SEED = 8, 20260106
SHARES = np.array([0.2, 0.18, 0.15, 0.13, 0.12, 0.1, 0.07, 0.05])
# How many matrices of all pairs a kernel distance has in memory at once.
MATRICES = 3


def vectors(rng, centers, shares, rows, dim):
    which = rng.choice(CLUSTERS, rows, p=shares / shares.sum())
    drawn = centers[which] + rng.normal(0, 1, (rows, dim))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def write(path, rows):
    flat = pa.array(rows.reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, rows.shape[1])
    pq.write_table(pa.table({"embedding": column}), path, compression="zstd", use_dictionary=False)


def run(*command):
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode in (0, 1), ended.stderr
    return ended.stdout


def available():
    """Bytes of memory that can be had, what is cached of files included."""
    with open("/proc/meminfo", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


def found(printed):
    # default  N rows  VERDICT
    return next(line.split()[-1] for line in printed.splitlines() if line.startswith("default "))


def mmd(reference, current):
    """The unbiased squared MMD of a Gaussian kernel of the median distance, and no p-value."""
    both = np.vstack([reference, current])
    n, m = len(reference), len(current)
    squares = cdist(both, both, "sqeuclidean")
    kernel = np.exp(-squares / np.median(squares[:1000, n : n + 1000]))
    own = (kernel[:n, :n].sum() - n) / (n * (n - 1)) + (kernel[n:, n:].sum() - m) / (m * (m - 1))
    return f"{own - 2 * kernel[:n, n:].mean():.2g}"


def main():
    driftlead, dim, rows, rounds, folder = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
    rng = np.random.default_rng(SEED)
    centers = rng.normal(0, 0.5, (CLUSTERS, dim))
    reference = vectors(rng, centers, SHARES, rows, dim)
    current = vectors(rng, centers, SHARES[::-1] + 1.5 * SHARES, rows, dim)
    names = [os.path.join(folder, name) for name in ("reference.parquet", "current.parquet", "frozen.parquet", "m.yaml")]
    write(names[0], reference)
    write(names[1], current)
    with open(names[3], "w", encoding="utf-8") as model:
        model.write(f"model: m\nbaseline: {names[0]}\nfeatures: {{embedding: {{kind: embedding, dim: {dim}}}}}\n")
    run(driftlead, "baseline", names[3], "-o", names[2])
    frames = [pd.DataFrame(side.astype(np.float64)) for side in (current, reference)]

    def evidently(method):
        # The classifier's method adds a column to the frames that it is given, so each has its own, outside of the clock.
        own = [frame.copy() for frame in frames]
        started = time.perf_counter()
        value, drift, _ = method(*own)
        return time.perf_counter() - started, f"{value:.3g}, {'drift' if drift else 'no drift'}"

    def timed(call, *args):
        started = time.perf_counter()
        answer = call(*args)
        return time.perf_counter() - started, answer

    def check(*baseline):
        seconds, printed = timed(run, driftlead, "check", names[3], names[1], *baseline)
        return seconds, found(printed)

    jobs = {
        "driftlead, rows of both sides": lambda: check(),
        "driftlead, frozen baseline": lambda: check("--baseline", names[2]),
        "Evidently, distance": lambda: evidently(methods.distance()),
        "Evidently, ratio": lambda: evidently(methods.ratio()),
        "Evidently, model": lambda: evidently(methods.model()),
        "Evidently, mmd": lambda: evidently(methods.mmd()),
        "numpy and scipy, MMD": lambda: timed(mmd, *(frame.to_numpy() for frame in reversed(frames))),
    }
    needed = MATRICES * (2 * rows) ** 2 * 8
    free = available()
    answers = {}
    for round_ in range(rounds):
        for name, job in jobs.items():
            is_kernel = "mmd" in name.lower()
            if is_kernel and (round_ > 0 or needed > free):
                continue
            answers.setdefault(name, []).append(job())
    medians = {name: statistics.median(seconds for seconds, _ in all_) for name, all_ in answers.items()}
    whole, frozen = (medians[name] for name in list(jobs)[:2])
    print(f"{rows:,} vectors of {dim} a side, medians of {rounds}; seconds, and how many times those of driftlead")
    print(f"{'':<30} {'seconds':>9} {'of rows':>8} {'frozen':>8}  found")
    for name in jobs:
        if name not in answers:
            print(f"{name:<30} {'–':>9} {'–':>8} {'–':>8}  not run: {needed / 2**30:.0f} GiB for all pairs")
            continue
        seconds = medians[name]
        print(f"{name:<30} {seconds:9.3f} {seconds / whole:7.2f}x {seconds / frozen:7.2f}x  {answers[name][0][1]}")


if __name__ == "__main__":
    main()
