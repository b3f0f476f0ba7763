"""A crowd study's statistics: seconds and memory, beside the plain way with gensim and a loop.

    python benchmarks/bench_agreement.py [--answers 6000 600000] [--loop-items 2000] [--words 300000]

Agreement, medoids, intervals, alpha and worker quality of made-up studies; five answers an item, descriptions out of the shipped vectors'
words with some unknown ones. The loop is gensim's n_similarity for every pair of descriptions, and for the interval a resample that is
built answer by answer; it runs on a part of the study (--loop-items) and is scaled up. Each function runs in a process of its own, whose
peak memory is what it took on top of the table and the vectors. Last, the start with a big vectors file, first and second time.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from gensim.models import KeyedVectors

from study.agreement import item_agreement, load_vectors, names
from study.agreement.coverage import coverage
from study.agreement.word_vectors import load_vectors as load
from study.answers import quality
from study.answers.tokenization import STOP_WORDS, content_words
from study.statistics import exclusion_effect, likert, reliability

PER_ITEM = 5


def made_up(n_answers: int, vectors: KeyedVectors, seed: int = 0) -> pd.DataFrame:
    """A study of `n_answers`, with words as frequent as in language (Zipf), in descriptions of 1 to 3 and 4 to 15 words."""
    rng = np.random.default_rng(seed)
    plain = [word for word in vectors.index_to_key if word.isalpha() and word.islower()]
    vocabulary = np.array([*plain, *(f"unknown{i}" for i in range(len(plain) // 20))], dtype=object)
    rng.shuffle(vocabulary)
    weights = 1 / np.arange(20, len(vocabulary) + 20)
    n_items, n_workers = n_answers // PER_ITEM, max(n_answers // 19, PER_ITEM + 1)
    # Workers of an item in a row from a random place: different within the item, and without the cost of drawing them one by one.
    first = rng.integers(n_workers, size=n_items)
    worker = (first[:, None] + np.arange(PER_ITEM) * (1 + n_workers // 11)).ravel() % n_workers

    def texts(low: int, high: int) -> list[str]:
        lengths = rng.integers(low, high + 1, size=n_answers)
        words = rng.choice(vocabulary, size=int(lengths.sum()), p=weights / weights.sum())
        ends = np.cumsum(lengths)
        return [" ".join(words[end - length : end]) for end, length in zip(ends, lengths, strict=True)]

    return pd.DataFrame(
        {
            "item": np.char.add("item-", np.repeat(np.arange(n_items), PER_ITEM).astype(str)),
            "worker": np.char.add("worker-", worker.astype(str)),
            "short": texts(1, 3),
            "long": texts(4, 15),
            "ease": rng.integers(1, 6, size=n_answers),
            "confidence": rng.integers(1, 6, size=n_answers),
            "useful": rng.choice(["B", "C", "both", "none"], p=[0.43, 0.18, 0.32, 0.07], size=n_answers),
            "seconds": rng.lognormal(4, 0.5, size=n_answers),
        }
    )


# --- what one would write


def agreement_by_pairs(answers: pd.DataFrame, vectors: KeyedVectors) -> dict[str, float]:
    found = {}
    for item, texts in answers.groupby("item", sort=False)["long"]:
        lists = [[word for word in content_words(text) if word in vectors] for text in texts]
        cosines = [vectors.n_similarity(a, b) for a, b in itertools.combinations([words for words in lists if words], 2)]
        if cosines:
            found[str(item)] = float(np.mean(cosines))
    return found


def medoids_by_pairs(answers: pd.DataFrame, vectors: KeyedVectors) -> dict[str, str]:
    found = {}
    for item, texts in answers.groupby("item", sort=False)["short"]:
        lists = {text: words for text in texts if (words := [word for word in content_words(text) if word in vectors])}
        if len(lists) > 1:
            nearness = {a: sum(vectors.n_similarity(lists[a], lists[b]) for b in lists if b != a) for a in lists}
            found[str(item)] = max(nearness, key=lambda text: nearness[text])
    return found


def interval_by_answers(answers: pd.DataFrame, replicates: int) -> tuple[float, float]:
    """The pigeonhole bootstrap of the share of "B" in dictionaries."""
    rng = np.random.default_rng(0)
    rows = list(zip(answers["item"], answers["worker"], answers["useful"] == "B", strict=True))
    items, workers = answers["item"].unique().tolist(), answers["worker"].unique().tolist()
    shares = []
    for _ in range(replicates):
        of_item = dict(
            zip(items, np.bincount(rng.integers(len(items), size=len(items)), minlength=len(items)).tolist(), strict=True)
        )
        of_worker = dict(
            zip(workers, np.bincount(rng.integers(len(workers), size=len(workers)), minlength=len(workers)).tolist(), strict=True)
        )
        total = hits = 0
        for item, worker, hit in rows:
            weight = of_item[item] * of_worker[worker]
            total += weight
            hits += weight * hit
        shares.append(hits / total)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)


# --- measuring


def peak() -> float:
    """Peak memory of this process in MB, since the last `reset`."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measured(work: Callable[[], Any]) -> tuple[float, float, float]:
    """Seconds, MB before, and MB at the peak, in a fork of this process."""
    receive, send = multiprocessing.Pipe(duplex=False)

    def child() -> None:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the parent
        before, started = peak(), time.perf_counter()
        work()
        send.send((time.perf_counter() - started, before, peak()))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit("The benchmark failed, see above.")
    return receive.recv()


def study(n_answers: int, loop_items: int, vectors: KeyedVectors) -> None:
    answers = made_up(n_answers, vectors)
    table_size = answers.memory_usage(deep=True).sum() / 2**20
    print(
        f"\n{n_answers:,} answers, {answers['item'].nunique():,} items, {answers['worker'].nunique():,} workers; the table is {table_size:.0f} MB"
    )
    few = answers.iloc[: min(loop_items, n_answers // PER_ITEM) * PER_ITEM]
    scale = n_answers / len(few)

    def same_agreement() -> None:
        ours = item_agreement(few, vectors, kind="long")["agreement"].astype(float)
        theirs = agreement_by_pairs(few, vectors)
        assert all(abs(ours[item] - value) < 1e-5 for item, value in theirs.items())

    same_agreement()
    replicates, few_replicates = 2000, 3
    loops: dict[str, tuple[Callable[[], Any], float]] = {
        "agreement, long": (lambda: agreement_by_pairs(few, vectors), scale),
        "names": (lambda: medoids_by_pairs(few, vectors), scale),
        "preferences with intervals": (lambda: interval_by_answers(few, few_replicates), scale * replicates / few_replicates),
    }
    functions: dict[str, Callable[[], Any]] = {
        "agreement, short": lambda: item_agreement(answers, vectors),
        "agreement, long": lambda: item_agreement(answers, vectors, kind="long"),
        "agreement, concatenated": lambda: item_agreement(answers, vectors, kind="concatenated"),
        "coverage": lambda: coverage(answers, vectors),
        "names": lambda: names.feature_names(answers, vectors),
        "preferences with intervals": lambda: likert.preferences(answers),
        "items above 3 with interval": lambda: likert.items_above(answers),
        "votes": lambda: likert.vote_shares(answers),
        "heatmap against attack": lambda: likert.heatmap_against_attack(answers),
        "alpha, three questions": lambda: reliability.alphas(answers),
        "worker quality": lambda: quality.worker_quality(answers),
        "effect of exclusions": lambda: exclusion_effect.effect_of_exclusions(answers, answers["worker"].unique()[:5]),
    }
    print(f"{'':30} {'seconds':>8} {'peak MB':>8} {'added MB':>9}   plain loop")
    for name, function in functions.items():
        seconds, before, top = measured(function)
        line = f"{name:30} {seconds:8.2f} {top:8.0f} {top - before:9.0f}"
        if name in loops:
            loop, factor = loops[name]
            theirs = measured(loop)[0] * factor
            line += f"   {theirs:8.1f} s{'' if factor == 1 else ' (scaled up)'}, ratio {theirs / seconds:.0f}"
        print(line, flush=True)


def start(n_words: int) -> None:
    """First and second start with a vectors file of one's own."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.bin"
        with open(path, "wb") as file:
            file.write(f"{n_words} 300\n".encode())
            for i in range(n_words):
                file.write(f"word{i} ".encode() + rng.random(300, dtype=np.float32).tobytes())
        wanted = {f"word{i * 37 % n_words}" for i in range(5000)}
        print(f"\nA file of {n_words:,} words ({path.stat().st_size / 2**20:,.0f} MB), of which 5,000 are needed")
        whole = measured(lambda: KeyedVectors.load_word2vec_format(str(path), binary=True))
        for name in ("first start", "second start"):
            seconds, before, top = measured(lambda: load(path, words=wanted, cache=folder))
            ratio = f"gensim, all of it: {whole[0]:.1f} s, {whole[2] - whole[1]:.0f} MB; ratio {whole[0] / seconds:.0f}"
            print(f"{name:30} {seconds:8.2f} s {top - before:8.0f} MB added   {ratio}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, nargs="+", default=[6000, 60_000, 600_000])
    parser.add_argument("--loop-items", type=int, default=1200, help="how many items the loops get")
    parser.add_argument("--words", type=int, default=300_000, help="of the big vectors file, 1.2 kB each; 0: leave it out")
    arguments = parser.parse_args()
    vectors = load_vectors()
    assert "of" in STOP_WORDS
    for n_answers in arguments.answers:
        study(n_answers, arguments.loop_items, vectors)
    if arguments.words:
        start(arguments.words)


if __name__ == "__main__":
    main()
