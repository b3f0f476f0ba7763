"""The browse app without a browser: what it says about runs in every state, and its overview."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from browse_pages import Opener, address, commands, errors, heading, html
from conftest import PLANTED, with_features

from barlow_core import views
from barlow_core.analyses import explain_run
from barlow_core.analyses.checks import Checks
from barlow_core.benchmark import Benchmark
from barlow_core.run import Run


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Opener:
    return Opener(monkeypatch)


def shown(page: Any, column: str) -> pd.DataFrame:
    """The table of groups ("failure_modes") or pairs ("share_of_label") among those of a page."""
    return next(frame.value for frame in page.dataframe if column in frame.value)


def test_overview_leads_to_the_planted_failure_mode(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run)
    text = html(page)
    assert "<h1>run</h1>" in text
    assert "120 images · 3 classes · 11 wrong predictions (9.2 %) · features of planted" in text
    assert f"Where feature {PLANTED} is weak (below 0.4936), <strong>" in text
    assert "100.0 % of the images searched are wrong (9 of 9)" in text.lower().replace("\N{NO-BREAK SPACE}", " ")
    confirmed = explained_run.failure_modes().query("depth == 1 and grouping == 'label' and verdict == 'confirmed'")
    assert f"<dd>{len(confirmed)}</dd>" in text
    table = shown(page, "failure_modes")
    assert table["class_name"].tolist()[0] == "truck"
    page.button(key="open label:truck 1").click().run()
    assert heading(page) == "Images labelled truck"
    assert address(page) == {"class": "truck", "node": "1"}


def test_every_condition_has_its_pictures_and_others_for_the_same_images_are_behind(
    make_explained: Callable[..., Run], open_page: Opener
) -> None:
    run = make_explained(groupings=("label", "union"), depth=2, delta=0.0, tau=0.05)
    modes = views.mode_table(run, depth=2, grouping="label")
    certain = modes[modes["verdict"] == "confirmed"].iloc[0]
    overview = html(open_page(run, depth="2"))
    for feature in certain["features"]:
        assert f"Feature {feature}, strongest" in overview
    others = json.loads(certain["same_images"])
    assert others
    assert f"{len(others)} other rule" in overview
    assert "Images labelled or predicted truck" in overview

    several = modes[modes["features"].map(len) > 1].iloc[0]
    group = html(open_page(run, class_=several["class_name"], depth="2", node=str(several["leaf"])))
    for feature in several["features"]:
        assert f"Feature {feature}, strongest" in group


def test_held_out_numbers_are_told_from_the_others(make_explained: Callable[..., Run], open_page: Opener) -> None:
    run = make_explained(checks=Checks(permutations=99, resamples=4))
    mode = run.failure_modes().query("group == 'label:truck' and depth == 1").iloc[0]
    rate = f"{100 * mode['held_out_error_rate']:.1f}"
    overview = html(open_page(run)).replace("\N{NO-BREAK SPACE}", " ")
    assert "Held out: measured on images that played no part in finding the rule." in overview
    assert f"<strong>{rate} %" in overview
    group = html(open_page(run, class_="truck")).replace("\N{NO-BREAK SPACE}", " ")
    for said in (
        "<th>Held out</th>",
        f"{rate} % (",
        "Cross-fitted in 5 parts",
        "Luck",
        "p 0.01, q ",
        "confirmed: held out +",
        "Stability",
    ):
        assert said in group


def test_nothing_stands_where_nothing_was_checked(make_explained: Callable[..., Run], open_page: Opener) -> None:
    text = html(open_page(make_explained(checks=Checks(held_out="none")), class_="truck"))
    assert "Held-out" not in text
    assert "not confirmed: nothing was measured on held-out images" in text


def test_without_a_run(open_page: Opener, tmp_path: Path) -> None:
    assert "streamlit run apps/browse.py -- RUN" in errors(open_page())
    assert "is not a run folder" in errors(open_page(tmp_path))
    assert "is not a run folder" in errors(open_page(tmp_path / "nowhere"))
    (tmp_path / "run.json").write_text("{ half", encoding="utf-8")
    assert "is damaged" in errors(open_page(tmp_path))


def test_a_run_that_is_not_explained_says_which_commands_come_next(
    planted_run: Run, planted_benchmark: Benchmark, open_page: Opener, tmp_path: Path
) -> None:
    assert commands(open_page(planted_run)) == [f"barlow explain {planted_run.path}"]
    bare = Run.create(tmp_path / "bare", planted_benchmark)
    assert commands(open_page(bare)) == [f"barlow extract {bare.path}", f"barlow explain {bare.path}"]


def test_a_stale_run_says_so_and_shows_nothing_old(explained_run: Run, planted_benchmark: Benchmark, open_page: Opener) -> None:
    Run.create(explained_run.path, planted_benchmark.with_predictions(np.zeros(120, dtype=np.int64)), overwrite=True)
    page = open_page(explained_run)
    assert "out of date" in page.warning[0].value
    assert commands(page) == [f"barlow explain {explained_run.path}"]
    assert "truck" not in html(page)


def test_a_page_that_is_open_sees_what_a_command_changes(planted_run: Run, open_page: Opener) -> None:
    page = open_page(planted_run)
    assert "no failure modes yet" in page.info[0].value
    explain_run(planted_run, workers=1)
    assert heading(page.run()) == "What is certain, what is a guess?"


def test_names_are_shown_as_they_are(planted_benchmark: Benchmark, explained_run: Run, open_page: Opener) -> None:
    """A class may be called anything; nothing of it becomes markup."""
    evil = "<script>x</script> *b* :red[y]"
    benchmark = Benchmark.from_table(planted_benchmark.images_dir, planted_benchmark.table, ["cat", "dog", evil])
    Run.create(explained_run.path, benchmark, overwrite=True)
    explain_run(Run(explained_run.path), workers=1)
    page = open_page(explained_run)
    text = html(page)
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    labels = [button.label for button in page.button if button.label.startswith("Open")]
    assert r"Open \<script\>x\</script\> \*b\* \:red\[y\]" in labels


def test_groups_are_searched_and_filtered(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run)
    assert shown(page, "failure_modes")["class_name"].tolist() == ["truck", "cat", "dog"]
    page.text_input(key="choose find").set_value("DOG").run()
    assert shown(page, "failure_modes")["class_name"].tolist() == ["dog"]
    assert address(page) == {"find": "DOG"}
    page.text_input(key="choose find").set_value("unicorn").run()
    assert "No group matches" in page.info[-1].value
    page = open_page(explained_run, only="modes", grouping="prediction")
    found = shown(page, "failure_modes")
    assert 0 < len(found) < 3
    assert (found["failure_modes"] > 0).all()


def test_what_is_taken_for_what(explained_run: Run, open_page: Opener) -> None:
    pairs = shown(open_page(explained_run), "share_of_label")
    assert pairs[["label", "prediction", "n_failures"]].iloc[0].tolist() == ["truck", "cat", 9]


def test_the_overview_of_a_perfect_classifier(
    planted_benchmark: Benchmark, planted_folder: Path, tmp_path: Path, open_page: Opener
) -> None:
    benchmark = planted_benchmark.with_predictions(planted_benchmark.labels.copy())
    run = with_features(Run.create(tmp_path / "perfect", benchmark), np.load(planted_folder / "features.npy"))
    explain_run(run, workers=1)
    page = open_page(run)
    assert "Every prediction is right" in "".join(element.value for element in page.info)
    assert "0 of 3" in html(page)
    page = open_page(run, class_="dog")
    assert "the classifier never fails here" in page.info[0].value
    assert "0 of 40" in html(page)
    assert "No image matches these filters" in page.info[1].value


def test_several_runs_are_told_apart(explained_run: Run, open_page: Opener, tmp_path: Path) -> None:
    other = tmp_path / "later"
    shutil.copytree(explained_run.path, other)
    page = open_page(explained_run, other, class_="truck")
    assert "<h1>run</h1>" in html(page)
    page.selectbox(key="choose run").set_value("later").run()
    assert "<h1>later</h1>" in html(page)
    assert address(page) == {"class": "truck", "run": "later"}
    assert "<h1>later</h1>" in html(open_page(explained_run, other, run="later"))


def test_a_run_that_is_being_written(explained_run: Run, open_page: Opener) -> None:
    """While a command writes: a table is missing, a file is cut off; each time a message, never a traceback."""
    for name in ("failure_modes.parquet", "groups.parquet", "images.parquet", "trees.json"):
        path = explained_run.path / name
        whole = path.read_bytes()
        path.unlink()
        run_json = explained_run.path / "run.json"
        os.utime(run_json, ns=(0, run_json.stat().st_mtime_ns + 1))  # another state of the run, nothing that was kept fits
        page = open_page(explained_run, class_="truck")
        assert name in errors(page)
        path.write_bytes(whole[:100])
        os.utime(run_json, ns=(0, run_json.stat().st_mtime_ns + 1))
        page = open_page(explained_run, class_="truck")
        assert errors(page), name
        path.write_bytes(whole)
