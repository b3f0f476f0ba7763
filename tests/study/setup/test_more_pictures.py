"""Pictures beside the panels: of the main object, and further images; frozen, and checked like the panels."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_run import small_extractor, small_run

from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError
from barlow_core.groups import parse
from barlow_core.panels import Panel, load_panel
from barlow_core.run import Run
from barlow_core.views.marks import FILE
from study.core_or_spurious import CORE_OR_SPURIOUS, SAME_FEATURE, settings_of
from study.setup import frozen_panels
from study.setup.frozen_panels import OF_OBJECT, OF_THE_SAME
from study.setup.making import make_study
from study.setup.more_pictures import IMAGES, UPPER_SHARE, further_positions, load_more, require_classes
from study.setup.second_round import marked
from study.setup.selection import select, with_checks
from study.store import StudyStore

MARKS = "group,feature,mark,support,n,confirmed_by,asked_again,simulated\n{},{},core,4,5,,,False\n{},{},spurious,3,5,,,True\n"


@pytest.fixture(scope="module")
def prepared(planted_benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a study of each round beside it."""
    folder, extractor = tmp_path_factory.mktemp("more"), small_extractor()
    run = small_run(folder / "run", planted_benchmark, extractor)
    quick = {"extractor": extractor, "images_per_panel": 2, "steps": 1}
    given = settings_of(CORE_OR_SPURIOUS, {})
    chosen = with_checks(
        run, select(run, groupings=["label"], top=1), practice=1, attention=1, questionnaire=given["questionnaire"]
    )
    make_study(run, folder / "first.sqlite", selection=chosen, **quick, **given).close()
    one, other = chosen.items[0], chosen.items[1]
    (run.path / FILE).write_text(MARKS.format(one["group"], one["feature"], other["group"], other["feature"]))
    make_study(run, folder / "second.sqlite", selection=marked(run), **quick, **settings_of(SAME_FEATURE, {})).close()
    return folder


def test_the_first_round_shows_images_of_the_class_the_same_for_all_of_its_items(prepared: Path) -> None:
    run = Run(prepared / "run")
    with StudyStore(prepared / "first.sqlite") as store:
        items = store.item_list()
        assert store.check() == []
    assert {item["kind"] for item in items} == {"item", "practice", "attention"}
    folders: dict[str, set[str]] = {}
    for item in items:
        shown = load_more(prepared / "first.sqlite", item, OF_OBJECT)
        assert shown is not None
        folders.setdefault(item["class_name"], set()).add(shown.images[0].parent.name)
        own = parse(run.benchmark, f"label:{item['class_name']}").indices
        assert len(shown.images) == min(IMAGES, len(own))
        assert {one["index"] for one in shown.about} <= set(own.tolist())
        assert shown.overlays == ()
        assert load_more(prepared / "first.sqlite", item, OF_THE_SAME) is None
    assert all(len(names) == 1 for names in folders.values())


def test_the_second_round_is_about_what_was_marked_on_images_that_were_not_shown(prepared: Path) -> None:
    run = Run(prepared / "run")
    with StudyStore(prepared / "second.sqlite") as store:
        items = store.item_list()
    assert sorted((item["mark"], item["mark_support"], item["mark_n"], item["mark_simulated"]) for item in items) == [
        ("core", 4, 5, False),
        ("spurious", 3, 5, True),
    ]
    for item in items:
        panel = frozen_panels.load_item_panel(prepared / "second.sqlite", item)
        shown = load_more(prepared / "second.sqlite", item, OF_THE_SAME)
        assert shown is not None
        assert len(shown.overlays) == len(shown.images) > 0
        indices = [one["index"] for one in shown.about]
        assert not set(indices) & {image.index for image in panel.images}
        assert set(indices) <= set(parse(run.benchmark, item["group"]).indices.tolist())
        values = [run.features()[index, item["feature"]] for index in indices]
        assert values == sorted(values, reverse=True)
        assert [one["activation"] for one in shown.about] == pytest.approx(values)


def test_further_images_lie_at_equal_steps_of_rank_down_to_the_upper_share(prepared: Path) -> None:
    run = Run(prepared / "run")
    item = select(run, groupings=["label"], top=1).items[0]
    panel = load_panel(run, item["group"], item["feature"])
    assert panel is not None
    group = parse(run.benchmark, panel.group).indices
    ranked = group[np.argsort(-run.features()[group, panel.feature], kind="stable")].tolist()  # type: ignore[index]
    assert ranked[:2] == [image.index for image in panel.images]
    # 5 % of so small a group is fewer than six, so the next six follow.
    assert math.ceil(UPPER_SHARE * len(group)) < 8
    assert further_positions(run, panel).tolist() == ranked[2:8]
    assert further_positions(run, panel, n=3).tolist() == ranked[2:5]
    assert further_positions(run, panel, n=len(group)).tolist() == ranked[2:]


def test_a_larger_share_spreads_them(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(prepared / "run")
    item = select(run, groupings=["label"], top=1).items[0]
    panel = load_panel(run, item["group"], item["feature"])
    assert isinstance(panel, Panel)
    group = parse(run.benchmark, panel.group).indices
    ranked = group[np.argsort(-run.features()[group, panel.feature], kind="stable")].tolist()  # type: ignore[index]
    monkeypatch.setattr("study.setup.more_pictures.UPPER_SHARE", 13 / len(group))
    # Ranks 2 to 12 are there for the choosing, eleven of them: the first, the middle and the last.
    assert further_positions(run, panel, n=3).tolist() == [ranked[2], ranked[7], ranked[12]]


def test_a_changed_picture_is_found_and_never_shown(prepared: Path, tmp_path: Path) -> None:
    for name in ("second.sqlite", "second.sqlite.panels"):
        copy = shutil.copytree if (prepared / name).is_dir() else shutil.copyfile
        copy(prepared / name, tmp_path / name)
    with StudyStore(tmp_path / "second.sqlite") as store:
        items = {item["id"]: item for item in store.item_list()}
    assert frozen_panels.problems(tmp_path / "second.sqlite", items) == []
    item = next(iter(items.values()))
    (frozen_panels.panels_folder(tmp_path / "second.sqlite") / item["further_pictures"] / "b_0.png").write_bytes(b"other")
    (problem,) = frozen_panels.problems(tmp_path / "second.sqlite", items)
    assert f"of item {item['id']} are not" in problem
    with pytest.raises(BarlowError, match="not what was frozen"):
        load_more(tmp_path / "second.sqlite", item, OF_THE_SAME)


def test_groups_that_are_no_class_are_refused() -> None:
    require_classes([{"id": "a", "group": "prediction:cat", "grouping": "prediction"}], CORE_OR_SPURIOUS)
    with pytest.raises(BarlowError, match="Item b shows a feature in pair:a\\+b, which is not a class"):
        require_classes([{"id": "b", "group": "pair:a+b", "grouping": "pair"}], CORE_OR_SPURIOUS)


def test_a_run_without_marks_says_how_to_get_them(prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(prepared / "run", tmp_path / "run", ignore=shutil.ignore_patterns(FILE))
    with pytest.raises(BarlowError, match="analyze STUDY --marks-to"):
        marked(Run(tmp_path / "run"))
