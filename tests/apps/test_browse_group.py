"""The page of a group without a browser: tree, numbers, settings, images, features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from browse_pages import Opener, address, errors, heading, html, move
from conftest import PLANTED, with_features

from barlow_core import views
from barlow_core.analyses import explain_run
from barlow_core.benchmark import Benchmark
from barlow_core.failure_tree import Node
from barlow_core.run import Run


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Opener:
    return Opener(monkeypatch)


def test_tree_numbers_and_failures(explained_run: Run, open_page: Opener) -> None:
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
    ):
        assert said in text
    assert text.count('class="bw-cell bw-failure"') == 9
    assert text.count('role="treeitem"') == 3


def test_every_node_says_its_numbers_to_a_screen_reader(explained_run: Run, open_page: Opener) -> None:
    text = html(open_page(explained_run, class_="truck", depth="2"))
    evaluation = views.re_evaluate(explained_run, "label:truck", depth=2)
    for row in views.node_rates(explained_run, "label:truck", evaluation).itertuples():
        assert f'data-press="{row.node}" aria-level="{row.level + 1}"' in text
        assert f"{row.n_failures:,} failures of {row.n_images:,}" in text


def test_a_node_is_chosen_by_its_address(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run, class_="truck", node="2", show="all")
    text = html(page)
    assert f"feature {PLANTED} is strong (above 0.4936)" in text
    assert text.count('class="bw-cell bw-success"') == 24
    assert "1 to 24 of 31" in text
    page.button(key="after").click().run()
    assert "25 to 31 of 31" in html(page)
    assert address(page) == {"class": "truck", "node": "2", "show": "all", "part": "2"}
    page = move(page, class_="truck", node="99")
    assert 'aria-selected="true"' in html(page), "a node that is not there: the best failure mode"


def test_the_failure_mode_with_the_most_evidence_is_open_and_numbered_first(
    make_explained: Callable[..., Run], open_page: Opener
) -> None:
    run = make_explained(delta=0.0, tau=0.0)
    modes = views.re_evaluate(run, "prediction:cat", depth=2).analysis.failure_modes
    assert [mode.number for mode in modes] == [2, 3], "by importance value"
    text = html(open_page(run, grouping="prediction", class_="cat", depth="2"))
    badges = {line.split('"')[0]: line for line in text.split('data-press="')[1:] if "failure mode" in line}
    assert 'aria-selected="true"' in badges["3"].split(">")[0]
    assert "failure mode 1, confirmed" in badges["3"]
    assert "failure mode 2, not confirmed" in badges["2"]


def test_a_group_of_ones_own_choice_has_a_page(planted_run: Run, open_page: Opener) -> None:
    planted_run.add_mask("odd places", np.arange(120) % 2 == 1)
    explain_run(planted_run, keys=["mask:odd places"], workers=1)
    page = open_page(planted_run, grouping="mask", class_="odd places")
    assert heading(page) == "Images chosen as odd places"
    n_failures = int(planted_run.benchmark.failure[1::2].sum())
    assert f"{n_failures} of 60" in html(page)


def test_address_and_controls_agree(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run, grouping="prediction", class_="cat", depth="2")
    assert page.selectbox(key="choose name").value == "cat"
    assert heading(page) == "Images predicted cat"
    page.number_input(key="choose leaf").set_value(5).run()
    assert address(page) == {"grouping": "prediction", "class": "cat", "depth": "2", "min_leaf": "5"}
    page.selectbox(key="choose name").set_value("dog").run()
    assert heading(page) == "Images predicted dog"
    page = move(page, class_="dog")  # the visitor goes back, or edits the address
    assert heading(page) == "Images labelled dog"
    assert page.number_input(key="choose leaf").value == 1


def test_a_click_counts_that_comes_with_the_address_of_before(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run, class_="truck")
    page.button(key="keep").click().run()
    assert "kept" in address(page)
    del page.query_params["kept"]  # the browser had not heard of it when the next click came
    page.number_input(key="choose tau").set_value(0.1).run()
    assert address(page)["kept"] == "label:truck/1/1"
    assert address(page)["tau"] == "0.1"


def test_an_address_that_means_nothing_here(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run, class_="unicorn", grouping="colour", depth="-7", delta="much", page="attic")
    said = "".join(element.value for element in page.warning)
    assert "No group here is called unicorn" in said
    assert "grouped by colour" in said
    assert heading(page) == "What is certain, what is a guess?"
    assert address(page) == {}


def test_thresholds_move_and_the_page_answers(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run, class_="truck")
    page.number_input(key="choose delta").set_value(0.9).run()
    assert "No leaf of this tree fails more than 90 points" in page.info[0].value
    assert "feature[7] &lt; 0.4936" in html(page), "the tree stays"
    assert address(page)["delta"] == "0.9"
    (back,) = [button for button in page.button if button.label == "Reset to the run's settings"]
    back.click().run()
    assert "failure mode 1" in html(page)
    assert address(page) == {"class": "truck"}


def test_a_larger_leaf_fits_the_tree_again(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run, class_="truck", depth="3")
    page.number_input(key="choose leaf").set_value(12).run()
    evaluation = views.re_evaluate(explained_run, "label:truck", depth=3, min_leaf=12)
    leaf = evaluation.analysis.leaves[0]
    assert leaf.n_images >= 12
    assert leaf.rule.replace("<", "&lt;").replace(">", "&gt;") in html(page)
    assert "not tested for chance" in html(page)


def test_pairs_and_unions(make_explained: Callable[..., Run], open_page: Opener) -> None:
    page = open_page(make_explained(groupings=("union", "pair")), grouping="pair", class_="cat+truck")
    assert heading(page) == "Images of cat and truck"
    page = move(page, grouping="union", class_="cat+truck")
    assert "No group here is called cat" in page.warning[0].value
    assert heading(move(page, grouping="union", class_="truck")) == "Images labelled or predicted truck"


def test_images_are_filtered_and_sorted(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run, class_="truck", node="0", show="all", sort="lowest", feature=str(PLANTED))
    values = [float(cell.split("<small>")[1].split("<")[0]) for cell in html(page).split('<button class="bw-cell')[1:]]
    assert values == sorted(values)
    assert "Failures 9" in str(page.get("button_group"))
    page.selectbox(key="choose predicted").set_value("cat").run()
    assert html(page).count('class="bw-cell bw-failure"') == 9
    assert html(page).count('class="bw-cell bw-success"') == 0
    assert address(page)["predicted"] == "cat"


def test_a_missing_image_is_a_tile_with_its_name(planted_folder: Path, tmp_path: Path, open_page: Opener) -> None:
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
    assert text.count('class="bw-missing"') >= 9
    assert "<img" not in text


@pytest.mark.parametrize(
    ("more", "said"),
    [("values", "searched images"), ("extremes", "Highest"), ("attack", "changed step by step"), ("similar", "correlation")],
)
def test_more_about_a_feature(explained_run: Run, open_page: Opener, more: str, said: str) -> None:
    page = open_page(explained_run, class_="truck", more=more)
    texts = [html(page), *(element.value for element in page.caption), *(button.label for button in page.button)]
    assert said in "\n".join(texts)
    if more == "similar":
        (best, *_) = [button for button in page.button if "correlation" in button.label]
        other = best.label.split(":")[0].replace("\\", "").removeprefix("feature ")
        best.click().run()
        assert f"Feature {other}" in html(page)
        assert "It is not part of this rule" in html(page)


def test_one_image_in_full_size(explained_run: Run, open_page: Opener) -> None:
    failures = views.node_failures(explained_run, "label:truck", _best(explained_run))
    position = int(failures["position"].iloc[0])
    page = open_page(explained_run, "--read-only", class_="truck", image=str(position))
    text = html(page)
    assert failures["name"].iloc[0] in text
    assert f"{failures[f'feature[{PLANTED}]'].iloc[0]:.3f}" in text
    assert "Mean of failures" in text
    assert "no such image" in open_page(explained_run, "--read-only", class_="truck", image="99999").info[0].value


def test_a_panel_that_cannot_be_made_says_why(explained_run: Run, open_page: Opener) -> None:
    from browsing.jobs import jobs

    page = open_page(explained_run, class_="truck")
    (make,) = [button for button in page.button if button.label == "Make this panel"]
    make.click().run()
    for job in jobs().all():
        assert job.wait(60)
    assert "handed over in Python" in errors(page.run())
    assert [button for button in page.button if button.label == "Try again"]


def test_read_only_makes_and_records_nothing(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run, "--read-only", class_="truck")
    said = "".join(element.value for element in page.caption)
    assert "read-only" in said
    assert "read-only" in html(page)
    assert not [button for button in page.button if button.label in ("Make this panel", "Record")]


def test_suggestions_are_facts_of_the_failure_mode(explained_run: Run, open_page: Opener) -> None:
    text = html(open_page(explained_run, class_="truck"))
    assert "What could be done" in text
    assert "cat" in text.split("What could be done")[1]


def _best(run: Run) -> Node:
    return views.re_evaluate(run, "label:truck", depth=1).analysis.failure_modes[0]
