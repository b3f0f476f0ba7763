"""How long mutual information takes: scikit-learn and both estimators of barlow, side by side.

    python benchmarks/bench_information.py [--n 1300] [--width 2048] [--failures 0.25] [--threads 2] [--repeat 5] [--permutations 100]

The features are sparse and heavy-tailed, as rectified and pooled features are. Every time is the best of several, taken in turns so
that a busy machine slows all of them alike; scikit-learn is timed twice, being slow. Processor time, over all threads, stands
beside elapsed time: on a machine with other work it is the steadier of the two. "cold" is a first call; "warm" is every later group
of a run, for which the noise is drawn already; "again" is a prepared estimator asked about another failure.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from sklearn.feature_selection import mutual_info_classif

from barlow_core.engine import cores
from barlow_core.failure_modes import select_features
from barlow_core.information import mutual_information, noise, prepare


def make(n: int, width: int, share: float, dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.exponential(size=(n, width)).astype(np.float32)
    features[rng.random((n, width), dtype=np.float32) < 0.3] = 0
    return features.astype(dtype), rng.random(n) < share


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def side_by_side(n: int, width: int, share: float, threads: int, repeat: int) -> None:
    features, failure = make(n, width, share)
    best: dict[str, tuple[float, float]] = {}

    def time_of(name: str, call: Callable[[], np.ndarray]) -> np.ndarray:
        elapsed, processor = time.perf_counter(), time.process_time()
        result = call()
        elapsed, processor = time.perf_counter() - elapsed, time.process_time() - processor
        before = best.get(name, (np.inf, np.inf))
        best[name] = min(elapsed, before[0]), min(processor, before[1])
        return result

    scikit_learns = partial(mutual_info_classif, features, failure, discrete_features=False, n_neighbors=3, random_state=0)
    kept = prepare(features, threads=threads)
    kept(failure)
    for turn in range(repeat):
        if turn in (0, repeat - 1):
            expected = time_of("scikit-learn", scikit_learns)
        for count in sorted({1, threads}):
            call = partial(mutual_information, features, failure, threads=count)
            noise.forget()
            result = time_of(f"knn, threads={count}, cold", call)
            time_of(f"knn, threads={count}, warm", call)
        time_of(f"knn, threads={threads}, again", partial(kept, failure))
        time_of("binned", partial(mutual_information, features, failure, estimator="binned"))
    same = np.array_equal(select_features(result, 20), select_features(expected, 20))
    print(f"{n} images, {width} features, {failure.sum()} failures, {cores()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"  {'':24} {'elapsed':>10} {'ratio':>9}   {'processor':>10} {'ratio':>9}")
    for name, (elapsed, processor) in best.items():
        ratios = [slow / quick for slow, quick in zip(best["scikit-learn"], (elapsed, processor), strict=True)]
        print(f"  {name:24} {elapsed * 1000:7.1f} ms {ratios[0]:7.1f} x   {processor * 1000:7.1f} ms {ratios[1]:7.1f} x")
    print(f"  largest difference of knn to scikit-learn {np.abs(result - expected).max():.1e}, same top 20: {same}")


def permutations(n: int, width: int, share: float, count: int) -> None:
    features, failure = make(n, width, share)
    rng = np.random.default_rng(1)
    shuffled = np.array([rng.permutation(failure) for _ in range(count)])
    knn, binned = prepare(features), prepare(features, estimator="binned")
    for estimate in (knn, binned):
        estimate(failure)
    few = shuffled[: max(1, count // 20)]
    print(f"\nAnother failure over the same {n} x {width} features, one thread of barlow's")
    print(f"  knn, one by one      {1000 * seconds(lambda: knn.many(few)) / len(few):8.2f} ms each")
    print(f"  binned, one by one   {1000 * seconds(lambda: [binned(f) for f in few]) / len(few):8.2f} ms each")
    print(f"  binned, {count:4d} at once {1000 * seconds(lambda: binned.many(shuffled)) / count:8.2f} ms each")


def growth(share: float, threads: int) -> None:
    print(f"\nGrowth, {threads} threads, warm: milliseconds, and nanoseconds a number")
    print(f"  {'n':>6} {'D':>5} {'knn':>9} {'':>6} {'binned':>9} {'':>6}")
    for n, width in (
        (100, 2048),
        (300, 2048),
        (1000, 2048),
        (3000, 2048),
        (10_000, 512),
        (50_000, 128),
        (1000, 512),
        (1000, 8192),
    ):
        features, failure = make(n, width, share)
        row = f"  {n:6d} {width:5d}"
        for estimator in ("knn", "binned"):
            call = partial(mutual_information, features, failure, estimator=estimator, threads=threads)
            call()
            took = min(seconds(call) for _ in range(3))
            row += f" {took * 1000:9.1f} {took / n / width * 1e9:6.0f}"
        print(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1300, help="images of the group")
    parser.add_argument("--width", type=int, default=2048, help="features")
    parser.add_argument("--failures", type=float, default=0.25, help="share of failures")
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--permutations", type=int, default=100)
    arguments = parser.parse_args()
    side_by_side(arguments.n, arguments.width, arguments.failures, arguments.threads, arguments.repeat)
    permutations(arguments.n, arguments.width, arguments.failures, arguments.permutations)
    growth(arguments.failures, arguments.threads)


if __name__ == "__main__":
    main()
