"""Columns of the metadata in rules: what they are encoded as, how rules read, and that every reader of a run understands them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import with_features

from barlow_core import views
from barlow_core.analyses import Checks, explain_run, explore, load_analysis, load_result
from barlow_core.analyses.metadata_features import condition_holds, encoded
from barlow_core.benchmark import Benchmark
from barlow_core.cli import cli
from barlow_core.compare import compare
from barlow_core.conditions import ColumnCondition
from barlow_core.errors import BarlowError
from barlow_core.export.report import report
from barlow_core.export.tables import conditions_of, frames
from barlow_core.failure_modes import Settings, explain_depths
from barlow_core.failure_tree import Condition, Node, fold, rule_text
from barlow_core.panels.plan import feature_requests
from barlow_core.run import Run
from barlow_core.views.feature_names import FeatureName, rule_in_words, rules_in_words
from barlow_core.views.suggestions import suggest

PHONE = ColumnCondition("camera", "=", "phone")
NO_PHONE = ColumnCondition("camera", "!=", "phone")


@pytest.fixture
def taken_run(planted_benchmark: Benchmark, planted_folder: Path, tmp_path: Path) -> Run:
    """Trucks taken with a phone before 7 are called cats; every ninth image has no hour, and every tenth no camera."""
    n = np.arange(120)
    camera = np.where(n % 10 == 9, None, np.where(n % 3 == 0, "phone", np.where(n % 3 == 1, "reflex", "film"))).astype(object)
    hour = np.where(n % 9 == 8, np.nan, (n * 7) % 24).astype(float)
    truck = planted_benchmark.labels == 2
    fails = truck & (camera == "phone") & (hour < 12)
    attributes = pd.DataFrame({"camera": camera, "hour": hour, "noise": np.random.default_rng(0).normal(size=120)})
    benchmark = replace(planted_benchmark, predictions=np.where(fails, 0, planted_benchmark.labels), attributes=attributes)
    return with_features(Run.create(tmp_path / "run", benchmark), np.load(planted_folder / "features.npy"))


def test_columns_become_rows_of_numbers(taken_run: Run) -> None:
    found = encoded(taken_run.benchmark, ["HOUR", "camera"])
    hour, *categories = found.candidates
    assert [(c.column, c.category) for c in categories] == [
        ("camera", ""),
        ("camera", "film"),
        ("camera", "phone"),
        ("camera", "reflex"),
    ]
    assert (hour.column, hour.category, hour.lowest, hour.missing) == ("hour", None, 0.0, True)
    assert found.values.dtype == np.float32
    assert (found.values[:, 1:].sum(axis=1) == 1).all()
    hours = taken_run.benchmark.attributes["hour"].to_numpy()
    assert (found.values[np.isnan(hours), 0] < 0).all()
    np.testing.assert_array_equal(found.values[~np.isnan(hours), 0], hours[~np.isnan(hours)])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["camra"], "Did you mean camera"),
        (["camera", "Camera"], "given twice"),
    ],
)
def test_mistakes(taken_run: Run, columns: list[str], message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        explain_run(taken_run, workers=1, metadata_features=columns)


def test_too_many_categories(taken_run: Run) -> None:
    names = pd.DataFrame({"name": [f"n{i}" for i in range(120)]})
    taken_run.save_benchmark(replace(taken_run.benchmark, attributes=names))
    with pytest.raises(BarlowError, match="has 120 categories. Expected at most 100"):
        explain_run(taken_run, workers=1, metadata_features=["name"])


def test_a_rule_about_metadata_is_found_and_holds_for_the_images_that_it_says(taken_run: Run) -> None:
    modes = explain_run(taken_run, workers=1, metadata_features=["camera", "hour", "noise"], depth=2)
    mode = modes[(modes["group"] == "label:truck") & (modes["depth"] == 2)].iloc[0]
    benchmark = taken_run.benchmark
    expected = (benchmark.labels == 2) & benchmark.failure
    assert "camera = phone" in mode["rule"]
    assert "hour <" in mode["rule"]
    assert (mode["n_images"], mode["n_failures"]) == (expected.sum(), expected.sum())
    node = load_analysis(taken_run, "label:truck", depth=2).tree.node(int(mode["leaf"]))
    assert set(node.columns) == {"camera", "hour"}
    assert views.node_images(taken_run, "label:truck", node).tolist() == np.flatnonzero(expected).tolist()
    conditions = conditions_of(mode["conditions"])
    assert PHONE in conditions
    inside = np.flatnonzero(benchmark.labels == 2)
    holds = np.all([condition_holds(benchmark, taken_run.features(), c, inside) for c in conditions], axis=0)
    assert inside[holds].tolist() == np.flatnonzero(expected).tolist()
    assert mode["held_out_n_failures"] > 0
    assert "camera is phone" in views.rule_words(conditions)


def test_the_feature_is_an_index_of_the_extractor_or_missing(taken_run: Run) -> None:
    modes = explain_run(taken_run, workers=1, metadata_features=["camera", "hour"], checks=Checks(resamples=3, permutations=9))
    width = taken_run.features().shape[1]
    known = modes["feature"].dropna()
    assert known.between(0, width - 1).all()
    assert modes["feature"].isna().any()  # camera and hour alone
    assert all(0 <= feature < width for features in modes["features"] for feature in features)
    result = load_result(taken_run, "label:truck")
    assert {column for column, *_ in result.columns} <= {"camera", "hour"}
    assert ("camera", "phone") in {(column, category) for column, category, _ in result.columns}
    assert all(feature < width for feature, _ in result.features)
    held_out = result.held_out_tree(1)
    assert held_out is not None
    assert all(f"feature[{width}" not in text for leaf in held_out.leaves for text in leaf.stand_ins)
    assert any("camera" in text for leaf in held_out.leaves for text in leaf.stand_ins)
    plain = explain_run(taken_run, workers=1)
    assert plain["feature"].dtype == np.int64


def test_no_columns_change_nothing(taken_run: Run) -> None:
    explain_run(taken_run, workers=1, metadata_features=["camera"])
    explain_run(taken_run, workers=1)
    features, failure = taken_run.features(), taken_run.benchmark.failure
    trucks = taken_run.benchmark.labels == 2
    (expected,) = explain_depths(np.asarray(features[trucks]), failure[trucks], Settings(), [3])
    assert load_analysis(taken_run, "label:truck", depth=3).tree == expected.tree


def test_every_reader_of_a_run_understands_it(taken_run: Run, tmp_path: Path) -> None:
    explain_run(taken_run, workers=1, metadata_features=["camera", "hour"], depth=2)
    nodes = views.node_rates(taken_run, "label:truck", views.re_evaluate(taken_run, "label:truck", depth=2))
    assert any("camera" in split for split in nodes["split"])
    assert set(nodes["side"]) == {"", "below", "above"}
    again = views.re_evaluate(taken_run, "label:truck", depth=2, min_leaf=2)
    assert again.refitted
    assert any(node.columns for node in again.analysis.tree.leaves)
    assert (again.analysis.features < taken_run.features().shape[1]).all()
    explored = explore(taken_run, depth=[2], workers=1).iloc[0]
    modes = taken_run.failure_modes()
    assert explored["failure_modes"] == (modes["depth"] == 2).sum()
    leaf = modes[(modes["group"] == "label:truck") & (modes["depth"] == 2)].iloc[0]
    assert suggest(taken_run, "label:truck", views.re_evaluate(taken_run, "label:truck", depth=2), int(leaf["leaf"]))
    copy = with_features(Run.create(tmp_path / "other", taken_run.benchmark), np.asarray(taken_run.features()))
    explain_run(copy, workers=1, depth=2)
    found = compare(taken_run, copy).failure_modes
    row = found[(found["group"] == "label:truck") & (found["rule"] == leaf["rule"])].iloc[0]
    assert row["n_images_second"] == row["n_images_first"] == leaf["n_images"]


def test_a_changed_column_makes_rules_stale(taken_run: Run) -> None:
    explain_run(taken_run, workers=1, metadata_features=["camera"])
    attributes = taken_run.benchmark.attributes
    taken_run.save_benchmark(replace(taken_run.benchmark, attributes=attributes.assign(hour=1)))
    assert taken_run.is_current("explain")
    taken_run.save_benchmark(replace(taken_run.benchmark, attributes=attributes.assign(camera="phone")))
    assert not taken_run.is_current("explain")


def test_conditions_go_to_json_and_back_and_old_ones_stay(taken_run: Run) -> None:
    explain_run(taken_run, workers=1, metadata_features=["camera", "hour"], depth=2)
    stored = json.loads((taken_run.path / "trees.json").read_text())["groups"]["label:truck"]["trees"]["2"]
    node = Node.from_dict(stored)
    assert node.to_dict() == stored
    assert ["camera", "=", "phone"] in [c for leaf in node for c in json.loads(json.dumps(leaf.conditions))]
    old = {"number": 0, "conditions": [[7, "<", 0.5]], "n_images": 2, "n_failures": 1, "error_rate": 0.5, "error_coverage": 1.0}
    assert Node.from_dict(old).conditions == (Condition(7, "<", 0.5),)


@pytest.mark.parametrize(
    ("conditions", "rule", "words"),
    [
        ([PHONE], "camera = phone", "camera is phone"),
        (
            [NO_PHONE, ColumnCondition("camera", "!=", "")],
            "camera != phone and camera is not missing",
            "camera is not phone and not missing",
        ),
        ([NO_PHONE, ColumnCondition("camera", "=", "film")], "camera = film", "camera is film"),
        ([ColumnCondition("hour", "<", 7.0), ColumnCondition("hour", "<", 12.5)], "hour < 7", "hour is below 7"),
        (
            [ColumnCondition("hour", "< or missing", 7.0), ColumnCondition("hour", ">", 2.5)],
            "2.5 < hour < 7",
            "hour is below 7 and above 2.5",
        ),
        ([ColumnCondition("hour", "< or missing", 7.0)], "hour < 7 or missing", "hour is below 7 or missing"),
        (
            [Condition(3, "<", 0.5), PHONE],
            "feature[3] < 0.5000 and camera = phone",
            "feature 3 is weak (below 0.5000) and camera is phone",
        ),
    ],
)
def test_how_rules_read(conditions: list[Condition | ColumnCondition], rule: str, words: str) -> None:
    folded = fold(conditions)
    assert rule_text(folded) == rule
    assert views.rule_words(folded) == words


def test_what_conditions_hold_for() -> None:
    hours = np.array([1.0, 7.0, 8.0, np.nan])
    assert ColumnCondition("hour", "<", 7.0).holds_for(hours).tolist() == [True, True, False, False]
    assert ColumnCondition("hour", "< or missing", 7.0).holds_for(hours).tolist() == [True, True, False, True]
    assert ColumnCondition("hour", ">", 7.0).holds_for(hours).tolist() == [False, False, True, False]
    assert ColumnCondition("hour", "=", "").holds_for(hours).tolist() == [False, False, False, True]
    cameras = np.array(["phone", "film", ""], dtype=object)
    assert PHONE.holds_for(cameras).tolist() == [True, False, False]
    assert PHONE.opposite().holds_for(cameras).tolist() == [False, True, True]


def test_the_command(taken_run: Run) -> None:
    arguments = ["explain", str(taken_run.path), "--metadata-features", "camera, hour", "--quiet", "--workers", "1"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    assert "camera = phone" in CliRunner().invoke(cli, ["show", str(taken_run.path), "label:truck"]).output
    assert Run(taken_run.path).require("explain")["settings"]["metadata_features"] == ["camera", "hour"]


def test_values_of_a_column_are_counted(taken_run: Run) -> None:
    explain_run(taken_run, workers=1, metadata_features=["camera", "hour"], depth=2)
    analysis = load_analysis(taken_run, "label:truck", depth=2)
    node = next(leaf for leaf in analysis.leaves if {"camera", "hour"} <= set(leaf.columns))
    cameras = views.column_values(taken_run, "label:truck", "camera", node=node).set_index("value")
    benchmark = taken_run.benchmark
    trucks, camera = benchmark.labels == 2, benchmark.attributes["camera"]
    assert cameras.index[-1] == "(missing)"
    assert cameras["n_images"].sum() == 40
    for value in ("phone", "film", "reflex"):
        inside = trucks & (camera == value).to_numpy()
        assert (cameras.loc[value, "n_images"], cameras.loc[value, "n_failures"]) == (
            inside.sum(),
            benchmark.failure[inside].sum(),
        )
    assert (cameras.loc["phone", "in_rule"], cameras.loc["film", "in_rule"]) == (1, 0)
    hours = views.column_values(taken_run, "label:truck", "hour")
    assert hours["n_images"].sum() == 40
    assert hours["value"].iloc[-1] == "(missing)"
    assert len(hours) <= 9
    assert hours["value"].str.contains(" to ").iloc[0]


def test_exports_panels_and_words_do_without_a_feature(taken_run: Run) -> None:
    modes = explain_run(taken_run, workers=1, metadata_features=["camera", "hour"], depth=2)
    assert modes["feature"].isna().any()
    exported = dict(frames(taken_run))["failure_modes"]
    assert any("camera is phone" in words for words in exported["rule_words"])
    assert all(isinstance(feature, int) for _, feature in feature_requests(taken_run))
    known_features = {feature: FeatureName("stripes", 3, 5) for feature in range(12)}
    known = {("label:truck", feature): name for feature, name in known_features.items()}
    words = rules_in_words(modes, known)
    about_metadata = modes["features"].map(len) == 0
    assert words[about_metadata].isna().all()
    assert words[~about_metadata].str.contains("stripes").all()
    assert rule_in_words([(3, ">", 0.5), PHONE], known_features) == "with stripes and camera = phone"


def test_the_report_counts_the_values_of_a_column(taken_run: Run) -> None:
    modes = explain_run(taken_run, workers=1, metadata_features=["camera", "hour"], depth=2)
    row = modes[(modes["group"] == "label:truck") & (modes["depth"] == 2)].iloc[0]
    page = " ".join(report(taken_run, [("label:truck", 2, int(row["leaf"]))]).split())
    assert "<h3>camera is phone</h3>" in page
    phones = (taken_run.benchmark.labels == 2) & (taken_run.benchmark.attributes["camera"] == "phone").to_numpy()
    n_failures = int(taken_run.benchmark.failure[phones].sum())
    assert f'<th scope="row">phone</th><td>{phones.sum()}</td><td>{n_failures}</td>' in page
