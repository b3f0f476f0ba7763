"""The study file under a crowd, beside what one would write with sqlite3 in an afternoon.

Claims: 200 workers at once on a study of 1,200 items x 5 answers, each claiming and sending until nothing is left. Kills: a process
that takes answers is ended by SIGKILL a hundred times; every answer that it had acknowledged must be there. Whole: a simulated study of
1,200 x 5 answers through the real store. `python benchmarks/bench_store.py claims` runs one of them.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from study.participants.simulation import simulate
from study.store import StudyStore

ITEMS, ANSWERS_PER_ITEM, WORKERS, KILLS = 1200, 5, 200, 100
ANSWER = {"short": "striped fur", "long": "black stripes on orange fur", "ease": 4, "confidence": 5, "useful": "B"}
Claim = Callable[[str], "str | None"]
Submit = Callable[[str, str], object]


def ids() -> list[str]:
    return [f"label:class {i // 10}:{i}" for i in range(ITEMS)]


class Naive:
    """What one would write: a table of items, a table of answers, one connection a thread, the least answered item first."""

    def __init__(self, path: Path):
        self.path, self.local, self.locked = path, threading.local(), 0
        with self.connection as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("CREATE TABLE item (id TEXT PRIMARY KEY)")
            db.execute("CREATE TABLE assignment (item TEXT, worker TEXT, answer TEXT)")
            db.execute("CREATE INDEX by_item ON assignment (item)")
            db.executemany("INSERT INTO item VALUES (?)", [(name,) for name in ids()])

    @property
    def connection(self) -> sqlite3.Connection:
        if not hasattr(self.local, "db"):
            self.local.db = sqlite3.connect(self.path, timeout=30)
        db: sqlite3.Connection = self.local.db
        return db

    def claim(self, worker: str) -> str | None:
        db = self.connection
        row = db.execute(
            "SELECT item.id, count(assignment.item) AS n FROM item LEFT JOIN assignment ON assignment.item = item.id "
            "GROUP BY item.id HAVING n < ? AND sum(coalesce(assignment.worker, '') = ?) = 0 ORDER BY n, random() LIMIT 1",
            (ANSWERS_PER_ITEM, worker),
        ).fetchone()
        if row is None:
            return None
        with db:
            db.execute("INSERT INTO assignment VALUES (?, ?, NULL)", (row[0], worker))
        return str(row[0])

    def submit(self, worker: str, item: str) -> None:
        with self.connection as db:
            db.execute("UPDATE assignment SET answer = ? WHERE item = ? AND worker = ?", (json.dumps(ANSWER), item, worker))


def crowd(claim: Claim, submit: Submit) -> tuple[np.ndarray, np.ndarray, float, int]:
    """Let all workers loose at once: seconds of each claim and of each submit, seconds in all, errors."""
    claims: list[float] = []
    submits: list[float] = []
    errors = [0]
    start = threading.Barrier(WORKERS)

    def work(worker: str) -> None:
        start.wait()
        while True:
            began = time.perf_counter()
            try:
                item = claim(worker)
                claimed = time.perf_counter()
                claims.append(claimed - began)
                if item is None:
                    return
                submit(worker, item)
                submits.append(time.perf_counter() - claimed)
            except sqlite3.OperationalError:
                errors[0] += 1

    threads = [threading.Thread(target=work, args=(f"worker {n}",)) for n in range(WORKERS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return np.array(claims), np.array(submits), time.perf_counter() - began, errors[0]


def claims_only(path: Path) -> tuple[float, float]:
    """6,000 workers, 200 at a time, claim one item each: claims a second and the slowest claim, in seconds."""
    with StudyStore.create(path, items=ids(), answers_per_item=ANSWERS_PER_ITEM) as store:
        seconds: list[float] = []

        def work(number: int) -> None:
            for n in range(number, ITEMS * ANSWERS_PER_ITEM, WORKERS):
                began = time.perf_counter()
                assert store.claim(f"worker {n}") is not None
                seconds.append(time.perf_counter() - began)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(WORKERS)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed = time.perf_counter() - began
        assert set(store.items()["filled"]) == {ANSWERS_PER_ITEM}
    return len(seconds) / elapsed, max(seconds)


def bench_claims(folder: Path) -> None:
    rate, slowest = claims_only(folder / "claims.sqlite")
    print(f"claims alone: {rate:,.0f} a second by {WORKERS} threads, slowest {slowest:.2f} s (wanted: 300 a second, under 3 s)")

    with StudyStore.create(folder / "ours.sqlite", items=ids(), answers_per_item=ANSWERS_PER_ITEM) as store:

        def claim(worker: str) -> str | None:
            item = store.claim(worker)
            return None if item is None else item.id

        ours = crowd(claim, lambda worker, item: store.submit(worker, item, ANSWER))
        table = store.answers()
        problems = store.check()
    naive_store = Naive(folder / "naive.sqlite")
    naive = crowd(naive_store.claim, naive_store.submit)
    with sqlite3.connect(folder / "naive.sqlite") as db:
        naive_rows = db.execute("SELECT item, worker FROM assignment").fetchall()
    db.close()
    print(f"claim and send, {WORKERS} workers at once, {ITEMS:,} items x {ANSWERS_PER_ITEM}:")
    heading = ("", "pairs/s", "claim p95 s", "slowest s", "send p95 s", "errors", "items over", "items short", "repeats")
    print(("{:>8}" + "{:>13}" * 8).format(*heading))
    rows = list(zip(table["item"], table["worker"], strict=True))
    for name, (claims, submits, seconds, errors), pairs in (("barlow", ours, rows), ("sqlite3", naive, naive_rows)):
        filled = Counter(item for item, _ in pairs)
        over = sum(n > ANSWERS_PER_ITEM for n in filled.values())
        short = sum(filled[item] < ANSWERS_PER_ITEM for item in ids())
        repeats = len(pairs) - len(set(pairs))
        values = (len(submits) / seconds, np.quantile(claims, 0.95), claims.max(), np.quantile(submits, 0.95))
        numbers = "".join(f"{value:>13,.2f}" for value in values)
        print(f"{name:>8}{numbers}{errors:>13}{over:>13}{short:>13}{repeats:>13}")
    print(
        f"barlow is {len(ours[1]) / ours[2] / (len(naive[1]) / naive[2]):.1f} x as fast; problems in its file: {problems or 'none'}"
    )


def take_answers(path: Path) -> None:
    """A process that takes answers from eight threads, and says of each that it is on the disk."""
    store = StudyStore(path)

    def work() -> None:
        worker = f"worker {os.urandom(6).hex()}"
        while (item := store.claim(worker)) is not None:
            store.submit(worker, item.id, ANSWER, item.token)
            os.write(1, f"{item.id}\t{worker}\n".encode())

    for _ in range(8):
        threading.Thread(target=work).start()


def kill_and_look(path: Path, kills: int, *, seed: int = 0) -> tuple[int, int, list[str]]:
    """Kill a process that takes answers `kills` times: how many it had acknowledged, how many of those are lost, and problems."""
    rng = random.Random(seed)
    acknowledged: set[tuple[str, str]] = set()
    for _ in range(kills):
        server = subprocess.Popen([sys.executable, __file__, "take-answers", str(path)], stdout=subprocess.PIPE)
        assert server.stdout is not None
        first = server.stdout.readline()  # it is at work
        time.sleep(rng.uniform(0.0, 0.3))
        server.send_signal(signal.SIGKILL)
        lines = (first + server.stdout.read()).decode().splitlines(keepends=True)
        server.wait()
        acknowledged |= {tuple(line.rstrip("\n").split("\t")) for line in lines if line.endswith("\n")}  # type: ignore[misc]
    with StudyStore(path) as store:
        table = store.answers()
        kept = set(zip(table["item"], table["worker"], strict=True))
        return len(acknowledged), len(acknowledged - kept), store.check()


def bench_kills(folder: Path) -> None:
    path = folder / "kills.sqlite"
    StudyStore.create(path, items=[f"item {n}" for n in range(20_000)], answers_per_item=ANSWERS_PER_ITEM).close()
    began = time.perf_counter()
    acknowledged, lost, problems = kill_and_look(path, KILLS)
    print(
        f"{KILLS} x SIGKILL in {time.perf_counter() - began:.0f} s: {acknowledged:,} answers acknowledged, {lost} lost; "
        f"integrity: {problems or 'clean'}"
    )


def bench_whole(folder: Path) -> None:
    items: list[dict[str, Any]] = [
        {
            "id": f"{('label', 'prediction')[i % 2]}:class {i // 20}:{i}",
            "feature": i % 400,
            "tier": ("top", "middle", "bottom")[i % 3],
        }
        for i in range(ITEMS)
    ]
    items += [{"id": f"attention {n}", "kind": "attention", "expected": {"ease": 1 + 4 * (n % 2)}} for n in range(3)]
    with StudyStore.create(folder / "whole.sqlite", items=items, answers_per_item=ANSWERS_PER_ITEM) as store:
        began = time.perf_counter()
        done = simulate(store, at_once=30)
        seconds = time.perf_counter() - began
        state = store.progress()
        print(
            f"a whole study, simulated: {state.answers:,} answers to {state.items_complete:,} items by {done.workers} workers in "
            f"{seconds:.0f} s ({done.started_at} to {done.ended_at}); problems: {store.check() or 'none'}; "
            f"file {store.path.stat().st_size / 1e6:.1f} MB"
        )


def main() -> None:
    if sys.argv[1:2] == ["take-answers"]:
        take_answers(Path(sys.argv[2]))
        return
    parts = {"claims": bench_claims, "kills": bench_kills, "whole": bench_whole}
    for name in sys.argv[1:] or parts:
        with tempfile.TemporaryDirectory() as folder:
            parts[name](Path(folder))


if __name__ == "__main__":
    main()
