from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_run import small_extractor, small_run

from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError
from barlow_core.information import mutual_information
from barlow_core.run import Run
from study.questionnaire import PAPER, Question, Questionnaire
from study.setup.selection import from_list, ranking, select, tiers, with_checks


@pytest.fixture(scope="module")
def run(planted_benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return small_run(tmp_path_factory.mktemp("selection") / "run", planted_benchmark, small_extractor())


def table(n: int) -> pd.DataFrame:
    """Groups g0 (lowest error rate) to g<n-1>, in an order of their own."""
    order = np.random.default_rng(0).permutation(n)
    return pd.DataFrame({"group": [f"g{i}" for i in order], "ber": order / n})


def test_a_thousand_classes_give_the_papers_sixty_a_grouping() -> None:
    notes: list[str] = []
    found = tiers(table(1000), 20, notes, "label")
    assert notes == []
    by_tier = {tier: [int(key[1:]) for one, key in found if one == tier] for tier in ("top", "middle", "bottom")}
    assert by_tier["top"] == list(range(999, 979, -1))
    assert by_tier["middle"] == list(range(509, 489, -1))
    assert by_tier["bottom"] == list(range(19, -1, -1))


@pytest.mark.parametrize(
    ("n", "sizes"), [(1, (0, 1, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (10, (3, 4, 3)), (59, (20, 19, 20)), (60, (20, 20, 20))]
)
def test_fewer_classes_are_all_taken_in_thirds(n: int, sizes: tuple[int, int, int]) -> None:
    notes: list[str] = []
    found = tiers(table(n), 20, notes, "label")
    assert [key for _, key in found] == [f"g{i}" for i in range(n - 1, -1, -1)]
    counted = Counter(tier for tier, _ in found)
    assert tuple(counted[tier] for tier in ("top", "middle", "bottom")) == sizes
    assert len(notes) == (n < 60)


def test_every_item_says_where_it_comes_from(run: Run) -> None:
    chosen = select(run, top=3)
    assert len(chosen) == 5 * 3  # nothing was mistaken for a truck, so that group has nothing to explain
    groups = run.groups().set_index("group")
    for item in chosen.items:
        assert item["id"] == f"{item['grouping']}:{item['class_name']}:{item['feature']}"
        assert item["ber"] == groups.loc[item["group"], "ber"]
    assert len({item["id"] for item in chosen.items}) == len(chosen)
    assert sorted({item["rank"] for item in chosen.items}) == [1, 2, 3]
    assert [note.split(":")[0] for note in chosen.notes] == ["label", "prediction", "prediction"]


def test_features_come_by_mutual_information_also_beyond_those_that_the_trees_had(run: Run) -> None:
    group = "label:truck"
    images = run.benchmark.labels == 2
    truth = mutual_information(np.asarray(run.features()[images]), run.benchmark.failure[images], estimator="binned")
    best = ranking(run, group, 6)
    every = ranking(run, group, 100)
    assert len(every) == 12
    assert every[:6] == best
    assert [information for _, information in every] == pytest.approx(sorted(truth, reverse=True))
    assert dict(every) == pytest.approx(dict(enumerate(truth)))


def test_groups_with_nothing_to_explain_are_left_out_and_said(run: Run) -> None:
    chosen = select(run, groupings=["prediction"], top=2)
    assert [item["group"] for item in chosen.items] == ["prediction:cat"] * 2 + ["prediction:dog"] * 2
    assert [item["tier"] for item in chosen.items] == ["top"] * 2 + ["bottom"] * 2
    assert "prediction: 1 class left out" in chosen.notes[0]


def test_what_cannot_be_selected_is_refused(run: Run, planted_run: Run) -> None:
    with pytest.raises(BarlowError, match="No group of the grouping 'pair'"):
        select(run, groupings=["pair"])
    with pytest.raises(BarlowError, match="top must be a whole number"):
        select(run, top=0)
    with pytest.raises(BarlowError, match="barlow explain"):
        select(planted_run)


def test_practice_and_checks_show_what_the_study_does_not_ask_about(run: Run) -> None:
    chosen = select(run, top=3)
    full = with_checks(run, chosen, practice=2, attention=3)
    extra = full.items[len(chosen) :]
    assert [item["kind"] for item in extra] == ["practice"] * 2 + ["attention"] * 3
    asked = {(item["group"], item["feature"]) for item in chosen.items}
    assert not asked & {(item["group"], item["feature"]) for item in extra}
    assert "from now on your answers count" in extra[1]["feedback"]
    assert "from now on" not in extra[0]["feedback"]
    for item in extra[2:]:
        assert PAPER.check_expected(item["expected"]) == item["expected"]
        assert str(item["expected"]["ease"]) in item["notice"]
    assert len({json.dumps(item["expected"]) for item in extra[2:]}) == 3
    assert with_checks(run, chosen, practice=2, attention=3) == full


def test_checks_follow_the_questionnaire(run: Run) -> None:
    only_text = Questionnaire("Q", (Question(id="name", kind="text", name="Name", text="?"),))
    chosen = with_checks(run, select(run, top=2), practice=1, attention=2, questionnaire=only_text)
    assert [item["kind"] for item in chosen.items if "kind" in item] == ["practice"]
    assert any("No attention checks" in note for note in chosen.notes)
    everything = with_checks(run, select(run, top=12), practice=1, attention=1)
    assert not [item for item in everything.items if "kind" in item]
    assert any("only 0 features left" in note for note in everything.notes)


def test_a_list_is_taken_as_csv_or_json(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        "group,feature,kind,expected.useful,expected.ease,note\nlabel:cat,3,,,,=odd\nprediction:dog,4,gold,B,5,\n",
        encoding="utf-8-sig",
    )
    first, second = from_list(run, tmp_path / "list.csv").items
    assert (first["id"], first["note"], first.get("kind")) == ("label:cat:3", "=odd", None)
    assert (second["kind"], second["expected"]) == ("gold", {"useful": "B", "ease": 5})
    assert first["rank"] == [feature for feature, _ in ranking(run, "label:cat", 12)].index(3) + 1
    rows = [
        {
            "grouping": "label",
            "class_name": "cat",
            "feature": 3,
            "id": "mine",
            "answers_per_item": 2,
            "expected": {"ease": [4, 5]},
        }
    ]
    (tmp_path / "list.json").write_text(json.dumps(rows))
    (only,) = from_list(run, tmp_path / "list.json").items
    assert (only["id"], only["answers_per_item"], only["expected"]) == ("mine", 2, {"ease": [4, 5]})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.csv", "group,feature\nlabel:lion,3\n", "row 1: 'label:lion' is not among"),
        ("x.csv", "group,feature\nlabel:cat,3\nlabel:cat,99\n", "row 2: feature 99 does not exist"),
        ("x.csv", "group,feature\nlabel:cat,three\n", "row 1: feature is 'three'"),
        ("x.csv", "group\nlabel:cat\n", "row 1: feature is None"),
        ("x.csv", "group,feature\n", "lists no items"),
        ("x.csv", "", "cannot be read"),
        ("x.csv", "group,feature,expected\nlabel:cat,1,yes\n", "row 1: expected is 'yes'"),
        ("x.csv", "group,feature,answers_per_item\nlabel:cat,1,many\n", "answers_per_item is 'many'"),
        ("x.json", "{}", "not a list of objects"),
        ("x.json", "[1]", "not a list of objects"),
        ("x.json", "{", "cannot be read"),
    ],
)
def test_a_list_that_cannot_be_is_refused_with_its_row(run: Run, tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BarlowError, match=message):
        from_list(run, tmp_path / name)


def test_a_list_that_is_not_there(run: Run, tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match="cannot be read"):
        from_list(run, tmp_path / "none.csv")
