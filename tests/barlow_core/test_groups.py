from __future__ import annotations

import numpy as np
import pytest

from barlow_core import groups
from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError


def test_every_grouping_by_its_definition(planted_benchmark: Benchmark) -> None:
    labels, predictions = planted_benchmark.labels, planted_benchmark.predictions
    assert predictions is not None
    cat, truck = (planted_benchmark.class_names.index(name) for name in ("cat", "truck"))
    expected = {
        "label:truck": labels == truck,
        "prediction:cat": predictions == cat,
        "union:cat": (labels == cat) | (predictions == cat),
        "pair:cat+truck": np.isin(labels, [cat, truck]) & np.isin(predictions, [cat, truck]),
    }
    for key, mask in expected.items():
        group = groups.parse(planted_benchmark, key)
        assert group.key == key
        assert group.indices.tolist() == np.flatnonzero(mask).tolist()
    assert groups.parse(planted_benchmark, "pair:truck+cat").key == "pair:cat+truck"


def test_groups_of_a_grouping_divide_the_benchmark(planted_benchmark: Benchmark) -> None:
    for grouping in ("label", "prediction"):
        indices = np.concatenate([group.indices for group in groups.all_groups(planted_benchmark, [grouping])])
        assert sorted(indices) == list(range(len(planted_benchmark)))


def test_all_groups_equal_the_single_ones(planted_benchmark: Benchmark) -> None:
    for group in groups.all_groups(planted_benchmark, ["label", "prediction", "union", "pair"]):
        assert group.indices.tolist() == groups.parse(planted_benchmark, group.key).indices.tolist()


def test_confusions_counts_both_directions(planted_benchmark: Benchmark) -> None:
    table = groups.confusions(planted_benchmark)
    first = table.iloc[0]
    assert (first["first"], first["second"]) == ("cat", "truck")
    trucks_as_cats = (planted_benchmark.labels == 2) & (planted_benchmark.predictions == 0)
    assert first["n_failures"] == trucks_as_cats.sum()
    assert table["n_failures"].sum() == planted_benchmark.failure.sum()
    assert table.set_index(["first", "second"]).loc[("cat", "dog"), "n_failures"] == 2


def test_mask() -> None:
    assert groups.by_mask(np.array([True, False, True]), "night").indices.tolist() == [0, 2]
    with pytest.raises(BarlowError, match="int64"):
        groups.by_mask(np.array([0, 2]))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("truck", "names no group"),
        ("colour:red", "names no group"),
        ("label:trucks", "Did you mean truck"),
        ("pair:cat", "not a pair"),
        ("pair:cat+cat", "two different"),
        ("pair:cat+cow", "No class is called 'cow'"),
    ],
)
def test_unknown_groups_are_explained(planted_benchmark: Benchmark, key: str, message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        groups.parse(planted_benchmark, key)


def test_slugs_are_distinct_and_safe() -> None:
    names = ["crane", "Crane", "c/d", "c d", "ワニ", "a" * 300, "great white shark, white shark", "..", ""]
    slugs = [groups.Group("label", name, np.arange(1)).slug for name in names]
    assert len({slug.lower() for slug in slugs}) == len(names)
    assert all(len(slug) < 100 and not set(slug) - set("abcdefghijklmnopqrstuvwxyz0123456789_-") for slug in slugs)
    assert slugs[0] == "label-crane"
