"""Groups by columns of the metadata: keys and their round trip, products, limits, missing values, and what changes with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import PLANTED, with_features
from hypothesis import given
from hypothesis import strategies as st

from barlow_core import groups, views
from barlow_core.analyses import explain_run, load_result
from barlow_core.benchmark import Benchmark
from barlow_core.benchmark.columns import categories, column_digest, column_names
from barlow_core.cli import cli
from barlow_core.errors import BarlowError
from barlow_core.evaluation.evaluation import evaluate
from barlow_core.run import Run


@pytest.fixture
def photographed(planted_benchmark: Benchmark) -> Benchmark:
    """The planted benchmark with metadata: camera (missing for every tenth image), hour, and a column called like a grouping."""
    n = np.arange(len(planted_benchmark))
    attributes = pd.DataFrame(
        {
            "Camera": pd.Series(np.where(n % 10 == 0, None, np.where(n % 2 == 0, "phone", "reflex: 5*")), dtype=object),
            "hour": np.where(n % 4 == 0, np.nan, n % 3).astype(float),
            "all": np.where(n % 2 == 0, "yes", "no"),
            "a:b*c%": np.where(n % 2 == 0, "x", "100%"),
            "id": n,
            "empty": np.full(len(n), np.nan),
        }
    )
    return replace(planted_benchmark, attributes=attributes)


def test_a_column_is_a_grouping(photographed: Benchmark) -> None:
    phone, reflex = groups.all_groups(photographed, ["camera"])
    n = np.arange(len(photographed))
    assert (phone.key, reflex.key) == ("Camera:phone", "Camera:reflex: 5*")
    assert phone.indices.tolist() == n[(n % 10 != 0) & (n % 2 == 0)].tolist()
    assert groups.parse(photographed, "camera:reflex: 5*").indices.tolist() == reflex.indices.tolist()
    assert groups.n_without_value(photographed, "camera") == 12
    assert [group.name for group in groups.all_groups(photographed, ["hour"])] == ["0", "1", "2"]  # 0.0 in the table


def test_all_images_are_one_group(photographed: Benchmark) -> None:
    (group,) = groups.all_groups(photographed, ["all"])
    assert (group.key, group.slug, len(group)) == ("all:images", "all-images", 120)
    assert groups.parse(photographed, "all").key == groups.parse(photographed, "all:images").key == "all:images"
    assert groups.parse(photographed, "%61ll:yes").indices.tolist() == list(range(0, 120, 2))


def test_products_are_the_intersections_in_one_order(photographed: Benchmark) -> None:
    found = groups.all_groups(photographed, ["camera*label"])
    assert {group.grouping for group in found} == {"label*Camera"}
    assert len(found) == 6
    cat = groups.parse(photographed, "label:cat").indices
    phone = groups.parse(photographed, "camera:phone").indices
    both = groups.parse(photographed, "camera*label:phone*cat")
    assert both.key == "label*Camera:cat*phone"
    assert both.indices.tolist() == np.intersect1d(cat, phone).tolist()
    assert sum(map(len, found)) == 120 - groups.n_without_value(photographed, "label*camera")
    assert [group.key for group in groups.all_groups(photographed, ["camera*label", "label*camera"])] == [g.key for g in found]


def test_every_key_comes_back(photographed: Benchmark) -> None:
    groupings = ["Camera", "hour", "%61ll", "a%3Ab%2Ac%25", "label*a%3Ab%2Ac%25", "prediction*Camera*hour", "Camera*%61ll"]
    assert [groups.canonical(photographed, grouping) for grouping in groupings] == groupings
    found = groups.all_groups(photographed, [*groupings, "all", "label"])
    for group in found:
        again = groups.parse(photographed, group.key)
        assert again.key == group.key
        assert again.indices.tolist() == group.indices.tolist()
        assert group.key.partition(":")[::2] == (group.grouping, group.name)
    assert len({group.slug for group in found}) == len({group.key for group in found}) == len(found)
    assert all(group.slug == group.slug.lower() and group.slug.replace("-", "").replace("_", "").isalnum() for group in found)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), min_size=2, max_size=2, unique=True))
def test_any_text_can_be_a_column_and_a_value(texts: list[str]) -> None:
    column, value = texts
    attributes = pd.DataFrame({column: np.array([value, value, "other value"], dtype=object), "zz": ["a", "b", "a"]})
    benchmark = Benchmark(
        Path(), np.array(list("xyz")), np.zeros(3, dtype=np.int64), ["c"], np.array(list("xyz")), attributes=attributes
    )
    grouping = groups.factors.Factor(column, np.zeros(3), [], is_column=True).token
    for asked in (grouping, f"label*{grouping}"):
        found = groups.all_groups(benchmark, [asked])
        assert sorted(len(group) for group in found) == [1, 2]
        assert all(groups.parse(benchmark, group.key).indices.tolist() == group.indices.tolist() for group in found)
        assert value in {groups.parts(group.grouping, group.name)[-1][1] for group in found}


@pytest.mark.parametrize(
    ("grouping", "message"),
    [
        ("camra", "Did you mean Camera"),
        ("zzzzz", "Expected one of: label, prediction, union, pair, all, Camera"),
        ("id*label", "'id' has 120 different values. Expected at most 100"),
        ("empty", "has no value for any of 120 images"),
        ("union*camera", "cannot be part of a product"),
        ("camera*camera", "same thing twice"),
        ("label*nothing", "No column of the metadata is called 'nothing'"),
    ],
)
def test_mistakes_in_groupings(photographed: Benchmark, grouping: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups.factors, "MOST_VALUES", 100)
    with pytest.raises(BarlowError, match=message):
        groups.all_groups(photographed, [grouping])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("camera:phones", "No image has the Camera 'phones'. Did you mean phone"),
        ("label*camera:cat", "1 values for 2 columns"),
        ("label*camera:cats*phone", "No image has the label 'cats'. Did you mean cat"),
        ("lens:wide", "a column of the metadata .Camera, hour"),
    ],
)
def test_mistakes_in_keys(photographed: Benchmark, key: str, message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        groups.parse(photographed, key)


def test_too_many_groups_of_a_product(photographed: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups.factors, "MOST_GROUPS", 5)
    with pytest.raises(BarlowError, match="has 6 groups. Expected at most 5"):
        groups.all_groups(photographed, ["label*camera"])


def test_no_metadata(planted_benchmark: Benchmark) -> None:
    assert column_names(planted_benchmark) == ["confidence"]
    with pytest.raises(BarlowError, match="Unknown grouping 'camera'"):
        groups.all_groups(planted_benchmark, ["camera"])


def test_numbers_have_one_text_and_one_digest(photographed: Benchmark) -> None:
    whole = replace(photographed, attributes=pd.DataFrame({"x": np.tile([3, 20, 100], 40)}))
    stored = replace(photographed, attributes=pd.DataFrame({"x": np.tile([3.0, 20.0, 100.0], 40)}))
    assert categories(whole, "x").values == ["3", "20", "100"]  # by size, not by letters
    assert column_digest(whole, "x") == column_digest(stored, "x")
    assert column_digest(whole, "x") != column_digest(
        replace(photographed, attributes=pd.DataFrame({"x": np.tile([3, 20, 101], 40)})), "x"
    )


@pytest.fixture
def photographed_run(photographed: Benchmark, planted_folder: Path, tmp_path: Path) -> Run:
    return with_features(Run.create(tmp_path / "run", photographed), np.load(planted_folder / "features.npy"))


def test_a_run_by_columns_finds_what_fails_across_classes(photographed_run: Run) -> None:
    explain_run(photographed_run, groupings=["all", "camera", "label*camera"], workers=1)
    modes = photographed_run.failure_modes()
    across = modes[(modes["group"] == "all:images") & (modes["depth"] == 3)]
    assert PLANTED in {feature for features in across["features"] for feature in features}
    assert set(photographed_run.groups()["grouping"]) == {"all", "Camera", "label*Camera"}
    trucks = photographed_run.groups().set_index("group").loc["label*Camera:truck*phone"]
    group = groups.parse(photographed_run.benchmark, "label*Camera:truck*phone")
    assert (trucks["n_images"], trucks["n_failures"]) == (len(group), photographed_run.benchmark.failure[group.indices].sum())


def test_the_measures_of_the_paper_are_over_classes(photographed_run: Run) -> None:
    explain_run(photographed_run, groupings=["label", "all", "camera"], workers=1)
    assert set(evaluate([photographed_run]).groups["grouping"]) == {"label"}
    assert set(evaluate([photographed_run], groupings=["Camera"]).groups["grouping"]) == {"Camera"}
    with pytest.raises(BarlowError, match="has no tree of grouping hour"):
        evaluate([photographed_run], groupings=["hour"])


def test_a_changed_column_makes_its_groups_stale_and_no_others(photographed_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    explain_run(photographed_run, groupings=["label", "camera", "label*hour"], workers=1)
    before = load_result(photographed_run, "Camera:phone")
    attributes = photographed_run.benchmark.attributes.copy()
    attributes.loc[:19, "Camera"] = "phone"
    photographed_run.save_benchmark(replace(photographed_run.benchmark, attributes=attributes))
    assert not photographed_run.is_current("explain")
    with pytest.raises(BarlowError, match="out of date"):
        photographed_run.groups()
    done: list[str] = []
    analyse = explain_run.__globals__["analyse_group"]
    monkeypatch.setitem(
        explain_run.__globals__, "analyse_group", lambda rows, group, *rest: done.append(group.key) or analyse(rows, group, *rest)
    )
    explain_run(photographed_run, groupings=["label", "camera", "label*hour"], workers=1)
    assert done == ["Camera:phone", "Camera:reflex: 5*"]
    assert load_result(photographed_run, "Camera:phone").trees != before.trees
    unrelated = replace(photographed_run.benchmark, attributes=attributes.assign(id=0))
    photographed_run.save_benchmark(unrelated)
    assert photographed_run.is_current("explain")


def test_groups_have_names_for_people(photographed: Benchmark) -> None:
    assert views.group_words("all", "images").title == "All images"
    assert views.group_words("camera", "phone").title == "Images with camera = phone"
    assert views.group_words("label*a%3Ab", "cat*5%2A").title == "Images labelled cat with a:b = 5*"
    assert views.grouping_words("label*a%3Ab") == "Label and a:b"


def test_the_command_groups_by_columns(photographed_run: Run) -> None:
    arguments = ["explain", str(photographed_run.path), "--by", "camera", "--by", "label*hour", "--quiet", "--workers", "1"]
    said = CliRunner().invoke(cli, arguments)
    assert said.exit_code == 0, said.output
    assert "12 of 120 images have no value in camera" in said.output
    assert set(Run(photographed_run.path).groups()["grouping"]) == {"label", "prediction", "Camera", "label*hour"}
