"""A whole analysis of a study file: seconds and peak memory of each section, at growing sizes, beside the plain way of loading it.

    python benchmarks/bench_analysis.py [--answers 6000 60000 600000] [--report]

Study files are made up (five answers an item, descriptions out of the shipped vectors' words) and written straight into SQLite. Each size
is analysed in a process of its own, as a page or a command would: load, then every section with its figures' specifications and
tables. The plain way is `StudyStore.answers()`, which builds all rows in Python at once. With --report also the report (HTML, PDF, files).
The aim: any section under 1 s at 6,000 answers once vectors are read, 600,000 answers under 1 GB.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench_agreement import PER_ITEM, made_up

from study.agreement import load_vectors
from study.store import StudyStore

CLASSES = 120
START = "2026-03-01T00:00:00.000Z"


def make_study(path: Path, n_answers: int, seed: int = 0) -> None:
    """Write a study file with answers, without the minutes that claiming and sending one by one would take."""
    answers = made_up(n_answers, load_vectors(), seed)
    rng = np.random.default_rng(seed)
    items = pd.DataFrame({"item": answers["item"].unique()})
    number = np.arange(len(items)) % CLASSES
    items["grouping"] = np.where(number % 2, "label", "prediction")
    items["class_name"] = np.char.add("class-", (number // 2).astype(str))
    items["group"] = items["grouping"] + ":" + items["class_name"]
    items["tier"] = np.array(["top", "middle", "bottom"])[number // 2 % 3]
    items["feature"] = np.arange(len(items))
    items["ber"] = rng.random(CLASSES)[number]
    for column in ("mutual_information", "activation", "salience"):
        items[column] = rng.random(len(items)).round(4)
    rows = items.rename(columns={"item": "id"}).to_dict("records")
    listed: list[dict[str, Any]] = [{str(key): value for key, value in row.items()} for row in rows]
    StudyStore.create(path, items=listed, answers_per_item=PER_ITEM).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        names = answers["worker"].unique().tolist()
        connection.executemany(
            "INSERT INTO worker (id, pseudonym, joined_at, platform) VALUES (?, ?, ?, ?)",
            [(name, f"w-{number}", START, "prolific" if number % 3 else "mturk") for number, name in enumerate(names)],
        )
        at = (pd.Timestamp(START) + pd.to_timedelta(np.arange(n_answers), unit="s")).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        pairs = list(zip(answers["item"], answers["worker"], at, strict=True))
        connection.executemany(
            "INSERT INTO assignment (item, worker, state, token, shown_at, active_at, payable) VALUES (?, ?, 'accepted', ?, ?, ?, 1)",
            [(item, worker, f"t{number}", moment, moment) for number, (item, worker, moment) in enumerate(pairs)],
        )
        columns = ["item", "worker", "short", "long", "ease", "confidence", "useful", "seconds"]
        typed = answers[columns].astype(object).itertuples(index=False, name=None)
        connection.executemany(
            "INSERT INTO answer (item, worker, short, long, ease, confidence, useful, seconds, submitted_at, late) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            [(*row, moment) for row, moment in zip(typed, at, strict=True)],
        )


def peak() -> float:
    """Peak memory of this process in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def analyse(path: Path, folder: Path | None, send: Any) -> None:
    """Seconds and peak MB after each step, in this process."""
    steps: list[tuple[str, float, float, float]] = []

    def step(name: str, work: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        steps.append((name, time.perf_counter() - wall, time.process_time() - cpu, peak()))
        return result

    def imports() -> None:
        import study.report

        assert study.report.SECTIONS

    step("import", imports)
    from study.analysis import Analysis, load_study
    from study.report import SECTIONS, write_report

    data = step("load the study", lambda: load_study(path))
    analysis = Analysis(data)
    step("read the vectors", lambda: analysis.vectors)
    for name in SECTIONS:
        step(name, partial(specifications, analysis, name))
    if folder:
        step("report", lambda: write_report(analysis, folder))
    send.send(steps)


def specifications(analysis: Any, name: str) -> list[dict[str, Any]]:
    """What a page needs to show a section."""
    from study.report import section

    return [figure.spec() for figure in section(analysis, name).figures if figure.content]


def plain(path: Path, _: Path | None, send: Any) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    with StudyStore(path) as store:
        store.answers()
    send.send([("StudyStore.answers()", time.perf_counter() - wall, time.process_time() - cpu, peak())])


def in_a_process(work: Callable[..., None], path: Path, folder: Path | None) -> list[tuple[str, float, float, float]]:
    receive, send = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=work, args=(path, folder, send))
    process.start()
    send.close()
    try:
        found = receive.recv()
    except EOFError:
        sys.exit("The benchmark failed, see above.")
    process.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, nargs="+", default=[6000, 60_000, 600_000])
    parser.add_argument("--report", action="store_true", help="also write the report")
    parser.add_argument("--json", type=Path, help="keep the numbers")
    arguments = parser.parse_args()
    kept: dict[int, Any] = {}
    for n_answers in arguments.answers:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "study.sqlite"
            make_study(path, n_answers)
            size = path.stat().st_size / 2**20
            print(f"\n{n_answers:,} answers, a file of {size:,.0f} MB\n{'':22} {'seconds':>8} {'CPU s':>8} {'peak MB':>9}")
            steps = in_a_process(analyse, path, Path(folder) / "report" if arguments.report else None)
            alone = in_a_process(plain, path, None)[0]
            for name, wall, cpu, top in [*steps, alone]:
                print(f"{name:22} {wall:8.2f} {cpu:8.2f} {top:9.0f}", flush=True)
            ours = next(one for one in steps if one[0] == "load the study")
            print(
                f"loading, the plain way against ours: {alone[1] / ours[1]:.1f} times the time, {alone[3] / ours[3]:.1f} times the peak memory"
            )
            print(
                f"all of it: {sum(one[1] for one in steps):.1f} s, {sum(one[2] for one in steps):.1f} CPU s, {steps[-1][3]:,.0f} MB"
            )
            kept[n_answers] = {"steps": steps, "plain": alone}
    if arguments.json:
        arguments.json.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
