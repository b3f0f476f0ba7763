"""The analyst's page: seconds and memory for every section, beside a page that keeps nothing and computes at every click.

    python benchmarks/bench_analyze_app.py [--answers 6000] [--again 3]

A study of made-up answers, five an item, is opened as `streamlit run apps/analyze.py -- STUDY` opens it, but without a browser (Streamlit's
AppTest, in this process). "First" is the first look at a page, which computes its section (without the page's computing ahead, in the background, what has not been asked for yet); "again" is every later look, also of
another analyst with the same filters; "nothing kept" forgets all that is cached before each look, as a script would that reads the file
and computes from top to bottom. Up to 20,000 answers come out of a study file, more out of a CSV, which is made in less time.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from bench_agreement import PER_ITEM, made_up, peak
from streamlit.testing.v1 import AppTest

from barlow_core.storage.shipped import apps_dir
from study.agreement import load_vectors
from study.report import SECTIONS
from study.store import StudyStore

MOST_IN_FILE = 20_000


def made_up_file(folder: Path, answers: pd.DataFrame) -> Path:
    """The answers as a study file, or as a CSV where they are many."""
    rng = np.random.default_rng(0)
    codes = pd.factorize(answers["item"])[0]
    answers = answers.assign(
        grouping=np.array(["label", "prediction"], dtype=object)[codes % 2],
        class_name=[f"class {code // 20}" for code in codes],
        tier=np.array(["top", "middle", "bottom"], dtype=object)[codes // 20 % 3],
        feature=codes,
    )
    for column in ("mutual_information", "ber", "activation", "salience"):
        answers[column] = rng.random(int(codes.max()) + 1)[codes]
    if len(answers) > MOST_IN_FILE:
        answers.to_csv(folder / "answers.csv", index=False)
        return folder / "answers.csv"
    data = ["grouping", "class_name", "tier", "feature", "mutual_information", "ber", "activation", "salience"]
    items: list[dict[str, Any]] = [
        {"id": item, "group": f"{row['grouping']}:{row['class_name']}", **{str(name): value for name, value in row.items()}}
        for item, row in answers.groupby("item", sort=False)[data].first().to_dict("index").items()
    ]
    said: Any = answers[["short", "long", "ease", "confidence", "useful"]].to_dict("records")
    n_workers = answers["worker"].nunique()
    with StudyStore.create(folder / "study.sqlite", items=items, answers_per_item=PER_ITEM) as store:
        for number, answer in enumerate(said):
            worker = f"worker-{number % n_workers}"
            claimed = store.claim(worker)
            if claimed is not None:
                store.submit(worker, claimed.id, answer)
    return folder / "study.sqlite"


def look(app: AppTest, **parameters: str) -> tuple[float, float]:
    """Seconds on the clock and of processor until the page is there at another address."""
    for name in list(app.query_params):
        del app.query_params[name]
    for name, value in parameters.items():
        app.query_params[name] = value
    clock, processor = time.perf_counter(), time.process_time()
    app.run()
    seconds = time.perf_counter() - clock, time.process_time() - processor
    if app.exception or app.error:
        sys.exit(f"The page failed: {[error.value for error in (*app.exception, *app.error)]}")
    return seconds


def measure(answers: pd.DataFrame, again: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = made_up_file(Path(folder), answers)
        size = path.stat().st_size / 2**20
        print(f"\n{len(answers):,} answers, {answers['item'].nunique():,} items, in {path.name} ({size:.0f} MB)")
        sys.argv = ["analyze.py", str(path)]
        pages: dict[str, dict[str, str]] = {"overview (first page)": {}}
        pages |= {name: {"page": name} for name in SECTIONS if name != "overview"}
        pages |= {"items": {"page": "items"}, "an item": {"item": str(answers["item"].iloc[0])}}
        pages |= {"ease, by label": {"grouping": "label", "page": "likert"}}
        page = AppTest.from_file(str(apps_dir() / "analyze.py"), default_timeout=900)
        st.cache_resource.clear()
        first = {name: look(page, **place) for name, place in pages.items()}
        top = peak()
        later = {name: min(look(page, **place) for _ in range(again)) for name, place in pages.items()}
        print(f"{'seconds (of processor)':24} {'first':>14} {'again':>14} {'nothing kept':>14}")
        for name, place in pages.items():
            st.cache_resource.clear()
            times = first[name], later[name], look(page, **place)
            cells = " ".join(f"{clock:6.2f} ({processor:5.2f})" for clock, processor in times)
            print(f"{name:24} {cells}   ratio {times[2][0] / times[1][0]:.0f}", flush=True)
        print(f"Peak memory of the server, once every page was looked at: {top:,.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, nargs="+", default=[6000])
    parser.add_argument("--again", type=int, default=3, help="looks at a page of which the quickest counts")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # AppTest is no server, and says so at every look
    sys.path.insert(0, str(apps_dir()))
    source: Any = importlib.import_module("analyzing.source")
    source.warm = lambda *_: None
    for n_answers in arguments.answers:
        measure(made_up(n_answers, load_vectors()), arguments.again)


if __name__ == "__main__":
    main()
