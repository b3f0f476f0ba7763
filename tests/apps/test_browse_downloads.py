"""The pages that compare, note and export, without a browser."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browse_pages import Opener, address, errors, html, move
from browsing.downloads import images_zip, paths_csv, tables_zip
from browsing.images import taken
from browsing.judgements import opinions
from browsing.run_place import Kept
from conftest import PLANTED, with_features

from barlow_core import export, views
from barlow_core.analyses import explain_run
from barlow_core.benchmark import Benchmark
from barlow_core.run import Run
from barlow_core.views import feature_names, marks
from barlow_core.views.judgements import Judgements

TRUCK = Kept("label:truck", 1, 1)


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Opener:
    return Opener(monkeypatch)


def test_a_failure_mode_goes_into_the_basket_and_out(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run, class_="truck")
    page.button(key="keep").click().run()
    assert address(page)["kept"] == str(TRUCK)
    page = move(page, **address(page), page="export")
    assert "Images labelled truck" in html(page)
    page.button(key=f"open {TRUCK}").click().run()
    assert address(page)["class"] == "truck"
    page.button(key="keep").click().run()
    assert "kept" not in address(page)


def test_an_empty_basket_offers_the_strongest(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run, page="export")
    (offer,) = [button for button in page.button if button.label.startswith("Add the")]
    offer.click().run()
    best = export.strongest(explained_run, depth=1, top=5)
    assert address(page)["kept"] == ",".join(f"{chosen.group}/{chosen.depth}/{chosen.leaf}" for chosen in best)


def test_a_basket_of_another_run_is_left_out(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run, page="export", kept="label:unicorn/1/1,label:truck/1/77")
    assert "not in this run" in page.warning[0].value


def test_what_is_taken_away_is_what_the_run_holds(explained_run: Run) -> None:
    said = opinions(explained_run, read_only=False)
    for form in ("csv", "parquet", "json"):
        with zipfile.ZipFile(io.BytesIO(tables_zip(explained_run, form, said))) as archive:
            assert f"failure_modes.{form}" in archive.namelist()
    node = views.re_evaluate(explained_run, TRUCK.key, depth=1).analysis.tree.node(1)
    inside = views.images_of(explained_run, TRUCK.key, node)
    paths = pd.read_csv(io.StringIO(paths_csv(explained_run, [TRUCK])))
    assert paths["name"].tolist() == inside["name"].tolist()
    assert all(Path(path).is_file() for path in paths["path"])
    with zipfile.ZipFile(io.BytesIO(images_zip(explained_run, [TRUCK]))) as archive:
        assert {Path(name).name for name in archive.namelist()} == {*inside["name"], "images.csv"}
    assert len(taken(explained_run, inside["position"].to_numpy(), "list").splitlines()) == len(inside)


def test_a_larger_leaf_is_taken_away_as_it_was_seen(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run, class_="truck", depth="2", min_leaf="12")
    page.button(key="keep").click().run()
    mark = Kept.read(address(page)["kept"])
    assert mark is not None
    assert mark.min_leaf == 12
    text = export.report(explained_run, [tuple(mark)])
    node = views.re_evaluate(explained_run, mark.key, depth=2, min_leaf=12).analysis.tree.node(mark.node)
    assert f"{node.n_failures:,}" in text


def test_a_judgement_is_recorded_undone_and_shown_wherever_the_feature_is(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run, class_="truck")
    place = f"label:truck {PLANTED} 1"
    page.text_input(key=f"name {place}").set_value("dark <b>wheels</b>")
    page.button_group(key=f"verdict {place}").set_value("spurious")
    page.text_input(key=f"author {place}").set_value("Ada")
    (record,) = [button for button in page.button if button.label == "Record"]
    record.click().run()
    (kept,) = Judgements(explained_run).of_feature(PLANTED)
    assert (kept.name, kept.verdict, kept.author, kept.group) == ("dark <b>wheels</b>", "spurious", "Ada", "label:truck")
    text = html(page)
    assert 'class="bw-named">dark &lt;b&gt;wheels' in text, "in the tree"
    assert "“dark &lt;b&gt;wheels&lt;/b&gt;”: spurious" in text, "beside the feature"
    assert "<b>wheels" not in text
    assert "dark &lt;b&gt;wheels" in html(move(page)), "on the overview"
    page = move(page, page="notes")
    assert page.dataframe[0].value["name"].tolist() == ["dark <b>wheels</b>"]
    page.button(key="undo").click().run()
    assert not Judgements(explained_run).of_feature(PLANTED)
    page.button(key="redo").click().run()
    assert Judgements(explained_run).of_feature(PLANTED)


def test_a_judgement_without_an_author_says_what_is_missing(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run, class_="truck")
    page.text_input(key=f"name label:truck {PLANTED} 1").set_value("wheels")
    (record,) = [button for button in page.button if button.label == "Record"]
    record.click().run()
    assert "needs an author" in errors(page)


def test_marks_of_a_study_stand_beside_the_feature(explained_run: Run, open_page: Opener) -> None:
    table = pd.DataFrame([("label:truck", PLANTED, "spurious", 4, 5, 5, 5, False)], columns=[*marks.COLUMNS, *marks.OF_STUDY])
    marks.write_marks(explained_run.path, table)
    assert "Marked as spurious (4 of 5 workers, confirmed by 5 of 5)" in html(open_page(explained_run, class_="truck"))
    notes = open_page(explained_run, page="notes")
    assert notes.dataframe[0].value[["Group", "Feature", "Mark"]].to_numpy().tolist() == [["label:truck", PLANTED, "spurious"]]
    marks.write_marks(explained_run.path, table.assign(support="many"))
    assert "What people said of features cannot be read" in open_page(explained_run, page="notes").warning[0].value


def test_names_of_the_crowd_stand_beside_the_feature(explained_run: Run, open_page: Opener) -> None:
    from study.store import StudyStore

    item = {
        "id": f"label:truck:{PLANTED}",
        "group": "label:truck",
        "feature": PLANTED,
        "grouping": "label",
        "class_name": "truck",
    }
    with StudyStore.create(explained_run.path / "study.sqlite", items=[item], answers_per_item=3) as store:
        for worker, said in zip("abc", ("dark wheel", "truck wheel", "blue sky"), strict=True):
            claimed = store.claim(worker)
            assert claimed is not None
            answer = {
                "short": said,
                "long": f"I see {said} in most of the pictures here.",
                "ease": 4,
                "confidence": 4,
                "useful": "B",
            }
            store.submit(worker, claimed.id, answer, token=claimed.token)
    text = html(open_page(explained_run, class_="truck"))
    assert "wheel" in text.split("Named")[1][:40]
    assert "2 of 3 agree" in text
    notes = open_page(explained_run, page="notes")
    assert notes.dataframe[0].value["Feature"].tolist() == [PLANTED]
    names = pd.DataFrame(
        [("label:truck", PLANTED, "bumper", 1, 2, 0.5, True), ("label:cat", 3, "grey fur", 4, 5, 0.5, True)],
        columns=list(feature_names.COLUMNS),
    )
    feature_names.write_names(explained_run.path, names)
    both = open_page(explained_run, page="notes").dataframe[0].value.set_index("Group")
    assert "wheel" in both.loc["label:truck", "Name"], "the study of the run goes before what was put beside it"
    assert (both.loc["label:cat", "Name"], both.loc["label:cat", "Simulated"]) == ("grey fur", True)
    (explained_run.path / "study.sqlite").write_bytes(b"not a database")
    broken = open_page(explained_run, page="notes")
    assert "cannot be read" in broken.warning[0].value
    assert "bumper" in broken.dataframe[0].value["Name"].tolist(), "one broken file does not hide the other"


def test_compare_needs_two_runs(explained_run: Run, open_page: Opener) -> None:
    page = open_page(explained_run, page="compare")
    assert "started with one run" in page.info[0].value
    assert page.code[0].value == f"barlow browse {explained_run.path} OTHER_RUN"


def test_two_models_side_by_side(
    explained_run: Run, planted_benchmark: Benchmark, planted_folder: Path, tmp_path: Path, open_page: Opener
) -> None:
    rng = np.random.default_rng(1)
    better = np.where(rng.random(120) < 0.5, planted_benchmark.labels, np.asarray(planted_benchmark.predictions))
    second = with_features(
        Run.create(tmp_path / "better", planted_benchmark.with_predictions(better)), np.load(planted_folder / "features.npy")
    )
    explain_run(second, workers=1)
    page = open_page(explained_run, second, page="compare")
    text = html(page)
    assert "run and better: the same images, other failures, the same extractor" in text
    groups, modes = (element.value for element in page.dataframe)
    trucks = groups[groups["group"] == "label:truck"].iloc[0]
    assert trucks["ber_difference"] < 0
    assert {"verdict", "rule", "difference"} <= set(modes.columns)
    assert "Failures here, in random order." in text
    assert "The same images, as predicted here." in text
    assert address(page) == {"page": "compare"}


def test_two_searches_of_one_model_side_by_side(make_explained: Callable[..., Run], open_page: Opener, tmp_path: Path) -> None:
    first = make_explained()
    shutil.copytree(first.path, tmp_path / "again")
    second = Run(tmp_path / "again")
    explain_run(second, workers=1, min_leaf=4)
    text = html(open_page(first, second, page="compare"))
    assert "the same images, the same failures, the same extractor" in text
    assert "closest failure mode shares" in text or "No failure mode here shares images" in text


def test_runs_that_cannot_be_compared_say_why(explained_run: Run, open_page: Opener, tmp_path: Path) -> None:
    shutil.copytree(explained_run.path, tmp_path / "other")
    explain_run(Run(tmp_path / "other"), workers=1, delta=0.3)
    assert "delta" in errors(open_page(explained_run, tmp_path / "other", page="compare"))
