from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from barlow_core import views
from barlow_core.analyses import explain_run
from barlow_core.errors import BarlowError
from barlow_core.failure_tree import Condition, Node
from barlow_core.run import Run


def leaf(*conditions: tuple[int, str, float]) -> Node:
    return Node(1, tuple(Condition(*condition) for condition in conditions), 0, 0, 0.0, 0.0)


def test_images_of_a_node_by_hand(ten: Run) -> None:
    explain_run(ten, depth=1, workers=1)
    table = views.images_of(ten, "label:cat", leaf((0, "<", 2.5), (1, ">", 7.5)), features=[3])
    assert table["position"].tolist() == [0, 1]
    assert table["prediction"].tolist() == ["dog", "dog"]
    assert table["failure"].tolist() == [True, True]
    assert table["feature[1]"].tolist() == [9.0, 8.0]
    assert table["feature[3]"].tolist() == [5.0, 3.0]
    assert list(table.columns[:7]) == ["position", "name", "label", "prediction", "failure", "confidence", "split"]
    assert table["split"].isna().all()
    assert len(views.images_of(ten, "label:cat", leaf())) == 6


def test_filters_by_hand(ten: Run) -> None:
    table = views.images_at(ten, range(10))

    def found(**options: str) -> list[int]:
        return views.filter_images(table, **options)["position"].tolist()

    assert found(outcome="failures") == [0, 1, 2, 7]
    assert found(outcome="successes", label="cat") == [3, 4, 5]
    assert found(prediction="dog", outcome="failures") == [0, 1]
    assert found(text="7.PNG") == [7]
    assert found(split="train") == []
    with pytest.raises(BarlowError, match="'wrong'"):
        found(outcome="wrong")


def test_orders_by_hand(ten: Run) -> None:
    table = views.images_at(ten, [5, 4, 3, 2, 1, 0], features=[3])

    def order(by: str, **options: bool) -> list[int]:
        return views.sort_images(table, by, **options)["position"].tolist()

    assert order("position") == [0, 1, 2, 3, 4, 5]
    assert order("confidence") == [0, 3, 2, 4, 1, 5], "an unknown confidence comes last"
    assert order("confidence", descending=False) == [1, 4, 2, 3, 0, 5]
    assert order("feature[3]") == [2, 0, 1, 4, 5, 3], "equal ones by position"
    shuffled = views.sort_images(table, "random", seed=1)["position"].tolist()
    assert sorted(shuffled) == [0, 1, 2, 3, 4, 5]
    assert shuffled == views.sort_images(views.sort_images(table, "confidence"), "random", seed=1)["position"].tolist()
    assert shuffled != views.sort_images(table, "random", seed=2)["position"].tolist()
    with pytest.raises(BarlowError, match="'size'"):
        order("size")


def test_choices_of_a_filter(ten: Run) -> None:
    table = views.images_at(ten, range(10))
    assert views.choices(table, "prediction").to_numpy().tolist() == [["cat", 4], ["dog", 3], ["truck", 3]]
    assert views.choices(table, "split").empty


@pytest.mark.parametrize(
    ("page", "expected", "place"),
    [(1, [0, 1, 2, 3], (1, 1, 4)), (3, [8, 9], (3, 9, 10)), (99, [8, 9], (3, 9, 10)), (-1, [0, 1, 2, 3], (1, 1, 4))],
)
def test_pages(ten: Run, page: int, expected: list[int], place: tuple[int, int, int]) -> None:
    found = views.image_page(ten, views.images_at(ten, range(10)), page=page, size=4)
    assert found.rows["position"].tolist() == expected
    assert (found.page, found.first, found.last) == place
    assert (found.n_pages, found.n_images) == (3, 10)
    assert found.rows["path"].tolist() == [ten.benchmark.images_dir / f"{i}.png" for i in expected]


def test_the_page_of_no_images_is_one_empty_page(ten: Run) -> None:
    nothing = views.image_page(ten, views.images_at(ten, []))
    assert (nothing.page, nothing.n_pages, nothing.n_images, nothing.first, nothing.last) == (1, 1, 0, 0, 0)
    with pytest.raises(BarlowError, match="size is 0"):
        views.image_page(ten, views.images_at(ten, []), size=0)


def test_images_and_features_that_do_not_exist_are_named(ten: Run) -> None:
    for positions in ([10], [-1]):
        with pytest.raises(BarlowError, match=f"Image {positions[0]} does not exist.*0 to 9"):
            views.images_at(ten, positions)
    with pytest.raises(BarlowError, match="Feature 4 does not exist.*0 to 3"):
        views.images_at(ten, [0], features=[4])


def test_before_there_are_predictions(ten: Run, tmp_path: Path) -> None:
    bare = Run.create(tmp_path / "bare", replace(ten.benchmark, predictions=None, confidence=None))
    table = views.images_at(bare, [0, 9])
    assert table["prediction"].isna().all()
    assert not table["failure"].any()
    assert table["confidence"].isna().all()


def test_names_are_those_of_the_class(ten: Run) -> None:
    table = views.images_at(ten, np.array([6, 0]))
    assert table["label"].tolist() == ["dog", "cat"], "in the order that was asked for"
