"""The analyst's page: seconds and memory for every section, beside a page that keeps nothing and computes at every click.

    python benchmarks/bench_analyze_app.py [--answers 6000] [--again 3]

A study of made-up answers, five an item, is opened as `streamlit run apps/analyze.py -- STUDY` opens it, but without a browser (Streamlit's
AppTest, in this process). "First" is the first look at a page, which computes its section; "again" is every later look, also of
another analyst with the same filters; "nothing kept" forgets all that is cached before each look, as a script would that reads the file
and computes from top to bottom. Up to 20,000 answers come out of a study file, more out of a CSV, which is made in less time.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from bench_agreement import PER_ITEM, made_up, peak
from streamlit.testing.v1 import AppTest

from barlow_core.paths import apps_dir
from study.agreement import load_vectors
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
    items = [
        {"id": item, "group": f"{row['grouping']}:{row['class_name']}", **row}
        for item, row in answers.groupby("item", sort=False)[data].first().to_dict("index").items()
    ]
    said = answers[["short", "long", "ease", "confidence", "useful"]].to_dict("records")
    n_workers = answers["worker"].nunique()
    with StudyStore.create(folder / "study.sqlite", items=items, answers_per_item=PER_ITEM) as store:
        for number, answer in enumerate(said):
            worker = f"worker-{number % n_workers}"
            claimed = store.claim(worker)
            if claimed is not None:
                store.submit(worker, claimed.id, answer)
    return folder / "study.sqlite"


def look(page: AppTest, **parameters: str) -> float:
    """Seconds until the page is there at another address."""
    for name in list(page.query_params):
        del page.query_params[name]
    for name, value in parameters.items():
        page.query_params[name] = value
    started = time.perf_counter()
    page.run()
    seconds = time.perf_counter() - started
    if page.exception or page.error:
        sys.exit(f"The page failed: {[error.value for error in (*page.exception, *page.error)]}")
    return seconds


def measure(n_answers: int, again: int, answers: pd.DataFrame) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = made_up_file(Path(folder), answers)
        size = path.stat().st_size / 2**20
        print(f"\n{n_answers:,} answers, {answers['item'].nunique():,} items, in {path.name} ({size:.0f} MB)")
        sys.argv = ["analyze.py", str(path)]
        item = str(answers["item"].iloc[0])
        pages: dict[str, dict[str, str]] = {"overview (first page)": {}}
        from study.report import SECTIONS

        pages |= {name: {"page": name} for name in SECTIONS if name != "overview"}
        pages |= {"items": {"page": "items"}, "an item": {"item": item}, "overview, by label": {"grouping": "label"}}
        pages |= {"ease, by label": {"grouping": "label", "page": "likert"}}
        page = AppTest.from_file(str(apps_dir() / "analyze.py"), default_timeout=600)
        st.cache_resource.clear()
        first = {name: look(page, **place) for name, place in pages.items()}
        kept = peak()
        later = {name: min(look(page, **place) for _ in range(again)) for name, place in pages.items()}
        print(f"{'':24} {'first':>8} {'again':>8}   nothing kept")
        for name, place in pages.items():
            st.cache_resource.clear()
            bare = look(page, **place)
            print(f"{name:24} {first[name]:7.2f}s {later[name]:7.2f}s {bare:8.2f}s, ratio {bare / later[name]:.0f}", flush=True)
        print(f"Peak memory of the whole server: {kept:,.0f} MB after one look at every page")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, nargs="+", default=[6000])
    parser.add_argument("--again", type=int, default=3, help="looks at a page of which the quickest counts")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # AppTest is no server, and says so at every look
    sys.path.insert(0, str(apps_dir()))
    for n_answers in arguments.answers:
        measure(n_answers, arguments.again, made_up(n_answers, load_vectors()))


if __name__ == "__main__":
    main()
