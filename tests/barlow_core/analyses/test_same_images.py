"""Failure modes of mostly the same images: found in a run, and one of them shown for all."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from barlow_core import views
from barlow_core.analyses import same_images
from barlow_core.analyses.record import load_results, packed, searched_group, unpacked
from barlow_core.analyses.same_images import behind, mode_name, shown_once, with_same_images
from barlow_core.analyses.verdicts import ranked
from barlow_core.cli import printing
from barlow_core.run import Run
from barlow_core.views.images import images_of


def table(**same: list[tuple[str, float]]) -> pd.DataFrame:
    """Failure modes by group, in this order; each with the groups of those that are like it."""
    return pd.DataFrame(
        {
            "group": list(same),
            "depth": 1,
            "leaf": 2,
            "same_images": [json.dumps([[other, 1, 2, overlap] for other, overlap in alike]) for alike in same.values()],
        }
    )


def test_the_most_important_stands_for_those_like_it() -> None:
    """b is like a, and c like b alone: c stands for itself, for b does not. d is like a and c, and more like c."""
    modes = shown_once(
        table(a=[("d", 0.6), ("b", 0.5)], b=[("c", 0.8), ("a", 0.5)], c=[("b", 0.8), ("d", 0.7)], d=[("c", 0.7), ("a", 0.6)])
    )
    assert modes["same_as"].fillna("").tolist() == ["", "a/1/2", "", "c/1/2"]
    assert behind(modes) == {"a/1/2": ["b/1/2"], "c/1/2": ["d/1/2"]}
    nothing = shown_once(table())
    assert nothing.empty
    assert "same_as" in nothing


def test_what_is_not_in_the_table_stands_for_nothing() -> None:
    modes = table(a=[("b", 0.9)], b=[("a", 0.9)])
    assert shown_once(modes.iloc[1:])["same_as"].isna().all()


@pytest.fixture
def many(make_explained: Callable[..., Run]) -> Run:
    """Groups that overlap: a union holds its label and its prediction, and all images hold everything."""
    return make_explained(groupings=("label", "prediction", "union", "all"), depth=2, delta=0.0, tau=0.05)


def test_overlaps_are_those_of_the_images(many: Run) -> None:
    modes, trees = many.failure_modes(), load_results(many)
    names = [mode_name(row.group, row.depth, row.leaf) for row in modes.itertuples()]  # type: ignore[arg-type]
    inside = [
        set(images_of(many, row.group, trees[str(row.group)].trees[int(row.depth)].node(int(row.leaf)))["position"])  # type: ignore[arg-type]
        for row in modes.itertuples()
    ]
    expected: dict[str, dict[str, float]] = {name: {} for name in names}
    for (one, first), (two, second) in itertools.permutations(zip(names, inside, strict=True), 2):
        overlap = len(first & second) / len(first | second)
        if overlap >= 0.5:
            expected[one][two] = pytest.approx(overlap, abs=1e-4)
    found = {
        name: {mode_name(*other[:3]): other[3] for other in json.loads(same)}
        for name, same in zip(names, modes["same_images"], strict=True)
    }
    assert found == expected
    assert any(found.values())
    for same in modes["same_images"]:
        overlaps = [other[3] for other in json.loads(same)]
        assert overlaps == sorted(overlaps, reverse=True)


def test_blocks_change_nothing(many: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    modes, trees = many.failure_modes(), load_results(many)
    images = {key: searched_group(many, key).indices for key in trees}
    monkeypatch.setattr(same_images, "BLOCK", 3)
    again = with_same_images(ranked(modes), trees, images)
    pd.testing.assert_frame_equal(again[["same_images", "same_as"]], ranked(modes)[["same_images", "same_as"]])
    without = with_same_images(modes, trees, None)
    assert (without["same_images"] == "[]").all()
    assert without["same_as"].isna().all()


def test_stored_for_every_depth_and_shown_by_grouping(many: Run) -> None:
    modes = many.failure_modes()
    for depth in (1, 2):
        shown = views.mode_table(many, depth=depth)
        stored = modes[modes["depth"] == depth].set_index(["group", "leaf"])["same_as"].fillna("")
        assert shown.set_index(["group", "leaf"])["same_as"].fillna("").to_dict() == stored.to_dict()
        standing = {
            mode_name(row.group, row.depth, row.leaf)  # type: ignore[arg-type]
            for row in shown[shown["same_as"].isna()].itertuples()
        }
        assert set(shown["same_as"].dropna()) <= standing
    assert modes["same_as"].notna().any()
    assert views.mode_table(many, depth=1, grouping="label")["same_as"].isna().all(), "labels do not overlap"


def test_show_prints_one_of_each(many: Run, capsys: pytest.CaptureFixture[str]) -> None:
    everything = printing.failure_modes(many, depth=1, everything=True)
    shown = printing.failure_modes(many, depth=1)
    assert 0 < len(shown) < (everything["verdict"] == "confirmed").sum()
    assert shown["same_as"].isna().all()
    also = ", ".join(shown["also"].dropna()).split(", ")
    assert set(also) <= set(map(mode_name, everything["group"], everything["depth"], everything["leaf"]))
    printing.print_modes(many, depth=1, everything=False, rank="evidence", sort=None, limit=20, as_json=False)
    assert "mostly the same images as another" in capsys.readouterr().out


def test_packing() -> None:
    numbers = np.random.default_rng(0).integers(0, 9, 1300) * 1000
    assert unpacked(packed(numbers)).tolist() == numbers.tolist()
    assert len(packed(numbers)) < 1300
    assert unpacked(packed(np.array([], dtype=np.int64))).tolist() == []
