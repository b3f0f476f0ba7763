"""The page without a browser: what it says about runs in every state."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import PLANTED, with_features
from streamlit.testing.v1 import AppTest

from barlow_core.analyses import explain_run
from barlow_core.benchmark import Benchmark
from barlow_core.checks import Checks
from barlow_core.paths import apps_dir
from barlow_core.run import Run

Open = Callable[..., AppTest]


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Start the page as `streamlit run apps/browse.py -- RUN` does, at the address ?class=...&grouping=..."""
    monkeypatch.syspath_prepend(str(apps_dir()))

    def start(run: Run | Path | None, **parameters: str) -> AppTest:
        path = run.path if isinstance(run, Run) else run
        monkeypatch.setattr(sys, "argv", ["browse.py", *([str(path)] if path else [])])
        page = AppTest.from_file(str(apps_dir() / "browse.py"), default_timeout=60)
        for name, value in parameters.items():
            page.query_params[name.rstrip("_")] = value
        return page.run()

    return start


def html(page: AppTest) -> str:
    assert not page.exception, page.exception
    return "\n".join(element.proto.body for element in page.get("html")).replace("\N{NO-BREAK SPACE}", " ")


def heading(page: AppTest) -> str:
    return html(page).split('<h2 class="bw-h2">')[1].split("</h2>")[0]


def address(page: AppTest) -> dict[str, str]:
    # Older versions of Streamlit's AppTest hold lists here.
    return {name: value[0] if isinstance(value, list) else value for name, value in page.query_params.items()}


def errors(page: AppTest) -> str:
    assert not page.exception, page.exception
    return "\n".join(element.value for element in page.error).replace("\\", "")


def commands(page: AppTest) -> list[str]:
    assert not page.exception, page.exception
    return [line for element in page.code for line in element.value.splitlines()]


def test_overview_leads_to_the_planted_failure_mode(explained_run: Run, open_page: Open) -> None:
    page = open_page(explained_run)
    text = html(page)
    assert "<h1>run</h1>" in text
    assert "120 images · 3 classes · 11 wrong predictions (9.2 %) · features of planted" in text
    assert f"Where feature {PLANTED} is weak (below 0.4936), <strong>100.0 %</strong> are wrong (9 of 9)" in text
    table = page.dataframe[0].value
    assert table["class_name"].tolist()[0] == "truck"
    page.button(key="open label:truck 1").click().run()
    assert heading(page) == "Images labelled truck"
    assert address(page) == {"class": "truck"}


def test_group_shows_its_numbers_tree_and_failures(explained_run: Run, open_page: Open) -> None:
    text = html(open_page(explained_run, class_="truck"))
    for said in (
        "22.5 %",  # BER: 9 of 40
        "+77.5 points",
        "feature[7] &lt; 0.4936",
        "feature[7] &gt; 0.4936",
        "failure mode 1",
        "9 of 40",
        "0 of 31",
        "truck → cat (0.90)",
        "6 of 9, in random order",
    ):
        assert said in text
    assert text.count("<figcaption>truck → cat (0.90)</figcaption>") == 6


def test_held_out_numbers_are_told_from_the_others(make_explained: Callable[..., Run], open_page: Open) -> None:
    run = make_explained(checks=Checks(permutations=9, resamples=4))
    mode = run.failure_modes().query("group == 'label:truck' and depth == 1").iloc[0]
    rate = f"{100 * mode['held_out_error_rate']:.1f}"
    overview = html(open_page(run)).replace("\N{NO-BREAK SPACE}", " ")
    assert "Held out: measured on images that had no part in finding the rule." in overview
    assert f"Held out: {rate} %" in overview
    group = html(open_page(run, class_="truck")).replace("\N{NO-BREAK SPACE}", " ")
    for said in ("Held-out ER", f"{rate} % (", "Cross-fitted in 5 parts", "p 0.1, q ", "Stability"):
        assert said in group


def test_nothing_stands_where_nothing_was_checked(make_explained: Callable[..., Run], open_page: Open) -> None:
    text = html(open_page(make_explained(checks=Checks(held_out="none")), class_="truck"))
    assert "Held-out" not in text
    assert 'class="bw-checks"' not in text


def test_more_failures(explained_run: Run, open_page: Open) -> None:
    page = open_page(explained_run, class_="truck")
    (more,) = [button for button in page.button if button.label == "More failures"]
    more.click().run()
    assert html(page).count("<figcaption>truck → cat (0.90)</figcaption>") == 9
    assert not [button for button in page.button if button.label == "More failures"]


def test_address_and_controls_agree(explained_run: Run, open_page: Open) -> None:
    page = open_page(explained_run, grouping="prediction", class_="cat", depth="2")
    assert (page.radio(key="grouping").value, page.selectbox(key="name").value, page.radio(key="depth").value) == (
        "prediction",
        "cat",
        2,
    )
    assert heading(page) == "Images predicted cat"
    page.radio(key="depth").set_value(3).run()
    page.radio(key="grouping").set_value("label").run()
    assert heading(page) == "Images labelled cat", "the class stays when the grouping changes"
    assert address(page) == {"class": "cat", "depth": "3"}, "what is as by default is left out"
    page.query_params["class"] = "dog"  # the visitor goes back, or edits the address
    assert heading(page.run()) == "Images labelled dog"


def test_an_address_that_means_nothing_here(explained_run: Run, open_page: Open) -> None:
    page = open_page(explained_run, class_="unicorn", grouping="colour", depth="-7")
    assert heading(page) == "Where the classifier fails"
    assert "no group called unicorn" in page.warning[0].value
    assert address(page) == {}


def test_without_a_run(open_page: Open, tmp_path: Path) -> None:
    assert "streamlit run apps/browse.py -- RUN" in errors(open_page(None))
    assert "is not a run folder" in errors(open_page(tmp_path))
    assert "is not a run folder" in errors(open_page(tmp_path / "nowhere"))
    (tmp_path / "run.json").write_text("{ half", encoding="utf-8")
    assert "is damaged" in errors(open_page(tmp_path))


def test_a_run_that_is_not_explained_says_which_commands_come_next(
    planted_run: Run, planted_benchmark: Benchmark, open_page: Open, tmp_path: Path
) -> None:
    assert commands(open_page(planted_run)) == [f"barlow explain {planted_run.path}"]
    bare = Run.create(tmp_path / "bare", planted_benchmark)
    assert commands(open_page(bare)) == [f"barlow extract {bare.path}", f"barlow explain {bare.path}"]


def test_a_stale_run_says_so_and_shows_nothing_old(explained_run: Run, planted_benchmark: Benchmark, open_page: Open) -> None:
    Run.create(explained_run.path, planted_benchmark.with_predictions(np.zeros(120, dtype=np.int64)), overwrite=True)
    page = open_page(explained_run)
    assert "out of date" in page.warning[0].value
    assert commands(page) == [f"barlow explain {explained_run.path}"]
    assert "truck" not in html(page)


def test_a_page_that_is_open_sees_what_a_command_changes(planted_run: Run, open_page: Open) -> None:
    page = open_page(planted_run)
    assert "no failure modes yet" in page.info[0].value
    explain_run(planted_run, workers=1)
    assert heading(page.run()) == "Where the classifier fails"


def test_a_group_without_failure_modes_says_why_and_shows_its_tree(make_explained: Callable[..., Run], open_page: Open) -> None:
    page = open_page(make_explained(delta=0.9), class_="truck")
    assert "No leaf of this tree fails more than 90 points" in page.info[0].value
    assert "feature[7] &lt; 0.4936" in html(page)


def test_a_group_without_failures(planted_benchmark: Benchmark, planted_folder: Path, tmp_path: Path, open_page: Open) -> None:
    benchmark = planted_benchmark.with_predictions(planted_benchmark.labels.copy())
    run = with_features(Run.create(tmp_path / "perfect", benchmark), np.load(planted_folder / "features.npy"))
    explain_run(run, workers=1)
    page = open_page(run)
    assert "No failure mode in 3 groups" in html(page)
    page.selectbox(key="name").set_value("dog").run()
    assert "the classifier never fails here" in page.info[0].value
    assert "0 of 40" in html(page)


def test_pairs_and_unions(make_explained: Callable[..., Run], open_page: Open) -> None:
    page = open_page(make_explained(groupings=("union", "pair")), grouping="pair", class_="cat+truck")
    assert heading(page) == "Images of cat and truck"
    page.radio(key="grouping").set_value("union").run()
    assert "no group called cat+truck" in page.warning[0].value
    page.selectbox(key="name").set_value("truck").run()
    assert heading(page) == "Images labelled or predicted truck"


def test_a_missing_image_is_a_tile_with_its_name(
    planted_folder: Path, tmp_path: Path, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "moved"
    folder.mkdir()
    for file in (planted_folder / "images").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    run = with_features(
        Run.create(tmp_path / "run", Benchmark.from_csv(folder, planted_folder / "metadata.csv")),
        np.load(planted_folder / "features.npy"),
    )
    explain_run(run, workers=1)
    for file in folder.iterdir():
        file.unlink()
    text = html(open_page(run, class_="truck"))
    assert text.count('class="bw-missing"') == 6
    assert "<img" not in text


def test_a_panel_that_cannot_be_made_says_why(explained_run: Run, open_page: Open) -> None:
    page = open_page(explained_run, class_="truck")
    (make,) = [button for button in page.button if button.label == "Make this panel"]
    make.click().run()
    assert "handed over in Python" in errors(page)


def test_names_are_shown_as_they_are(planted_benchmark: Benchmark, explained_run: Run, open_page: Open) -> None:
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
