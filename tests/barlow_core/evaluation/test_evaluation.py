from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import ttest_1samp

from barlow_core.analyses import Checks, explain_run, load_analysis
from barlow_core.errors import BarlowError
from barlow_core.evaluation.evaluation import Evaluation, evaluate, run_names
from barlow_core.evaluation.plots import figures
from barlow_core.failure_tree import FailureTree, Node
from barlow_core.run import Run
from barlow_core.vega import Spec, svg

Leaves = Sequence[tuple[int, int]]  # images and failures


def stump(leaves: Leaves) -> dict[str, Any]:
    """A tree of one leaf or two, with these counts, as trees.json holds it."""
    n, f = (sum(counts) for counts in zip(*leaves, strict=True))

    def node(number: int, images: int, failures: int, conditions: list[Any]) -> dict[str, Any]:
        rates = {"error_rate": failures / images, "error_coverage": failures / f if f else 0.0}
        return {"number": number, "conditions": conditions, "n_images": images, "n_failures": failures, **rates}

    root = node(0, n, f, [])
    if len(leaves) == 1:
        return root
    below, above = (node(i, *leaves[i - 1], [[7, sign, 0.5]]) for i, sign in ((1, "<"), (2, ">")))
    return root | {"split": [7, "<", 0.5], "below": below, "above": above}


def held_out(leaves: Leaves, increase: float) -> dict[str, Any]:
    """What trees.json says about a stump of depth 1 on held-out images."""
    n, f = (sum(counts) for counts in zip(*leaves, strict=True))
    rows = [
        {
            "leaf": i,
            "n_images": images,
            "n_failures": failures,
            "error_rate": failures / images if images else None,
            "error_coverage": failures / f if f else None,
            "increase": failures / images - f / n if images else None,
            **{f"{rate}_{end}": 0.5 for rate in ("error_rate", "error_coverage", "increase") for end in ("low", "high")},
            "agreement": 1.0,
            "stand_ins": [],
        }
        for i, (images, failures) in enumerate(leaves, 1)
    ]
    ends = {"aler_increase": increase, "aler_increase_low": increase - 0.1, "aler_increase_high": increase + 0.1}
    tree = {"depth": 1, "n_images": n, "n_failures": f, "ber": f / n, "aler": None, **ends, "leaves": rows}
    return {"method": "cross-fit", "folds": 5, "reason": None, "trees": [tree]}


def result(key: str, leaves: Leaves, held: dict[str, Any] | None = None, reason: str | None = None) -> dict[str, Any]:
    grouping, _, name = key.partition(":")
    return {
        "group": key,
        "grouping": grouping,
        "class_name": name,
        "reason": reason,
        "features": [],
        "trees": {"1": stump(leaves)},
        "held_out": held,
        "permutation_test": None,
        "stability": None,
        "leaves": {},
    }


@pytest.fixture
def with_trees(make_explained: Callable[..., Run]) -> Callable[[Sequence[dict[str, Any]]], Run]:
    """A finished run with these trees instead of its own."""

    def make(results: Sequence[dict[str, Any]]) -> Run:
        run = make_explained(depth=1)
        trees = {"groups": {found["group"]: found for found in results}}
        (run.path / "trees.json").write_text(json.dumps(trees), encoding="utf-8")
        return run

    return make


@pytest.fixture
def two_runs(planted_run: Run, explained_run: Run, tmp_path: Path) -> list[Run]:
    """The planted run, and one of a model that also takes dogs with a strong feature 3 for trucks."""
    benchmark = explained_run.benchmark
    assert benchmark.predictions is not None
    predictions = benchmark.predictions.copy()
    predictions[(benchmark.labels == 1) & (explained_run.features()[:, 3] > 1.2)] = 2
    other = Run.create(tmp_path / "other", benchmark.with_predictions(predictions))
    other.features_path.write_bytes(explained_run.features_path.read_bytes())
    record = explained_run.require("extract")
    other.record("extract", key=record["key"], settings={}, seconds=0.0, extractor=record["extractor"])
    explain_run(other, workers=1)
    return [explained_run, other]


# --- Table 1 on trees whose counts are worked out by hand

VALID = [(20, 10), (80, 10)]  # BER 0.2; best leaf ER 0.5, EC 0.5, IV 0.25
NOT_THE_BEST = [(82, 29), (18, 11)]  # BER 0.4; best leaf (IV 0.256) has ER 0.354; the other ER 0.611, EC 0.275, IV 0.168
JUST_DELTA = [(50, 15), (50, 5)]  # BER 0.2, and the best leaf's ER is 0.3: not more than BER + 0.1
JUST_TAU = [(2, 2), (98, 8)]  # BER 0.1; the best leaf (IV 0.2) has ER 1 and EC 0.2: not more than tau
NOTHING = [(40, 0)]


def test_table_1_counts_classes_whose_best_leaf_is_valid(with_trees: Callable[..., Run]) -> None:
    trees = {"a": VALID, "b": NOT_THE_BEST, "c": JUST_DELTA, "d": JUST_TAU}
    results = [result(f"label:{name}", leaves) for name, leaves in trees.items()]
    results.append(result("label:e", NOTHING, reason="the classifier never fails here"))
    results.append(result("prediction:a", VALID))
    evaluation = evaluate([with_trees(results)])

    groups = evaluation.groups.set_index("group")
    assert groups["valid"].to_dict() == {
        "label:a": True,
        **dict.fromkeys(("label:b", "label:c", "label:d", "label:e"), False),
        "prediction:a": True,
    }
    assert groups["n_failure_modes"].tolist() == [1, 1, 0, 0, 0, 1]
    best = groups.loc["label:b"]
    assert (best["leaf"], best["leaf_n_images"], best["leaf_n_failures"]) == (1, 82, 29)
    assert (best["error_rate"], best["error_coverage"]) == (29 / 82, 29 / 40)
    assert best["importance_value"] == pytest.approx(29 / 82 * 29 / 40)
    assert best["increase"] == pytest.approx(29 / 82 - 0.4)
    assert best["rule"] == "feature[7] < 0.5000"
    assert groups.loc["label:a", "aler"] == pytest.approx(0.5 * 0.5 + 0.125 * 0.5)
    assert groups.loc["label:a", "aler_increase"] == pytest.approx(0.3125 - 0.2)
    assert groups.loc["label:e", ["aler", "ber", "n_leaves"]].tolist() == [0, 0, 1]

    label, prediction = evaluation.summary.itertuples()
    assert (label.grouping, label.n_groups, label.n_explained, label.n_valid) == ("label", 5, 4, 1)
    assert (label.valid_share, label.any_valid_share) == (1 / 5, 2 / 5)
    increases = groups["aler_increase"].iloc[:4]
    assert label.mean_aler_increase == pytest.approx(increases.mean())
    assert label.median_aler_increase == pytest.approx(increases.median())
    assert label.mean_ber == pytest.approx((0.2 + 0.4 + 0.2 + 0.1) / 4)
    assert (prediction.grouping, prediction.n_groups, prediction.valid_share) == ("prediction", 1, 1)
    assert label.n_held_out == 0
    assert np.isnan(label.held_out_valid_share)


def test_valid_by_other_thresholds(with_trees: Callable[..., Run]) -> None:
    run = with_trees([result("label:a", VALID), result("label:c", JUST_DELTA), result("label:d", JUST_TAU)])
    assert evaluate([run], delta=0.09).groups["valid"].tolist() == [True, True, False]
    assert evaluate([run], tau=0.19).groups["valid"].tolist() == [True, False, True]
    assert evaluate([run], delta=0.31).groups["valid"].tolist() == [False, False, False]


def test_held_out_validity_is_that_of_the_best_leaf_on_held_out_images(with_trees: Callable[..., Run]) -> None:
    run = with_trees(
        [
            result("label:a", VALID, held_out([(10, 4), (30, 4)], 0.03)),  # ER 0.4 over BER 0.2, EC 0.5
            result("label:b", VALID, held_out([(10, 2), (30, 6)], -0.01)),  # ER 0.2, as the rest
            result("label:c", VALID, held_out([(0, 0), (40, 8)], 0.0)),  # no held-out image in the leaf
            result("label:d", VALID, held_out([(10, 0), (30, 0)], 0.0)),  # no held-out failure
            result("label:e", VALID, {"method": "cross-fit", "folds": 0, "reason": "one failure only", "trees": []}),
        ]
    )
    evaluation = evaluate([run])
    groups = evaluation.groups.set_index("class_name")
    assert groups["held_out_valid"].tolist() == [True, False, False, False, pd.NA]
    assert groups.loc["a", ["held_out_error_rate", "held_out_error_coverage", "held_out_ber"]].tolist() == [0.4, 0.5, 0.2]
    assert groups.loc["a", "leaf_held_out_n_images"] == 10
    assert np.isnan(groups.loc["c", "held_out_error_rate"])
    summary = evaluation.summary.iloc[0]
    assert (summary["valid_share"], summary["n_held_out"], summary["held_out_valid_share"]) == (1, 4, 1 / 4)
    assert summary["mean_held_out_aler_increase"] == pytest.approx(0.02 / 4)
    assert summary["median_held_out_aler_increase"] == 0


# --- on a run that was really explained


def test_every_tree_of_a_run_is_measured(two_runs: list[Run]) -> None:
    evaluation = evaluate(two_runs, names=["standard", "other"])
    groups = evaluation.groups
    assert len(groups) == 2 * 6 * 3
    assert evaluation.held_out == {"standard": "cross-fit", "other": "cross-fit"}
    for run, name in zip(two_runs, ("standard", "other"), strict=True):
        stored, modes = run.groups().set_index("group"), run.failure_modes()
        for row in groups[groups["run"] == name].itertuples():
            analysis = load_analysis(run, row.group, depth=row.depth)
            best = analysis.leaves[0]
            assert (row.ber, row.aler) == (analysis.ber, analysis.aler)
            assert (row.leaf, row.rule, row.leaf_n_failures) == (best.number, best.rule, best.n_failures)
            assert row.n_failure_modes == len(analysis.failure_modes)
            assert row.valid == (best in analysis.failure_modes)
            kept = stored.loc[row.group, f"held_out_aler_increase_depth_{row.depth}"]
            assert row.held_out_aler_increase == pytest.approx(kept, abs=0, nan_ok=True)
            if row.valid:
                mode = modes[(modes["group"] == row.group) & (modes["depth"] == row.depth)].iloc[0]
                for column in ("held_out_error_rate", "held_out_error_coverage", "held_out_increase"):
                    assert getattr(row, column) == pytest.approx(mode[column], abs=0, nan_ok=True)
    assert (evaluation.summary["n_groups"] == 3).all()
    assert list(evaluation.summary["run"].unique()) == ["standard", "other"]


def test_only_what_is_asked_for(two_runs: list[Run]) -> None:
    evaluation = evaluate(two_runs[:1], depths=[1, 3], groupings=["label"])
    assert evaluation.summary[["grouping", "depth"]].to_numpy().tolist() == [["label", 1], ["label", 3]]
    assert set(evaluation.comparisons["compared"]) == {"depth"}


def test_without_held_out_images_nothing_is_made_up(make_explained: Callable[..., Run]) -> None:
    evaluation = evaluate([make_explained(checks=Checks(held_out="none"))])
    assert evaluation.held_out == {"run": "none"}
    assert evaluation.groups.filter(like="held_out").isna().all(axis=None)
    assert set(evaluation.comparisons["measured_on"]) == {"searched"}
    assert "  -" in repr(evaluation)


def test_comparisons_are_paired_by_class(with_trees: Callable[..., Run]) -> None:
    rng = np.random.default_rng(0)
    results = []
    for grouping in ("label", "prediction"):
        for i in range(20):
            results.append(result(f"{grouping}:{i}", [(50, int(rng.integers(20, 40))), (50, int(rng.integers(1, 20)))]))
    results.append(result("label:20", VALID))
    results.append(result("prediction:20", NOTHING, reason="never fails"))  # nothing to compare with
    evaluation = evaluate([with_trees(results)], confidence=0.9)
    groups = evaluation.groups.set_index("group")["aler_increase"]
    labels, predictions = (np.array([groups[f"{grouping}:{i}"] for i in range(20)]) for grouping in ("label", "prediction"))
    (row,) = evaluation.comparisons.itertuples()
    assert (row.compared, row.first, row.second, row.measured_on) == ("grouping", "label", "prediction", "searched")
    assert (row.run, row.depth, row.n_classes) == ("run", 1, 20)
    assert row.difference == pytest.approx((predictions - labels).mean())
    oracle = ttest_1samp(predictions - labels, 0).confidence_interval(0.9)
    assert (row.difference_low, row.difference_high) == pytest.approx((oracle.low, oracle.high))
    assert row.share_higher == (predictions > labels).mean()


def test_all_pairs_of_runs_groupings_and_depths_are_compared(two_runs: list[Run]) -> None:
    comparisons = evaluate(two_runs, names=["standard", "other"]).comparisons
    searched = comparisons[comparisons["measured_on"] == "searched"]
    counts = searched["compared"].value_counts()
    # 2 groupings x 3 depths; 2 runs x 3 depths; 2 runs x 2 groupings x 3 pairs of depths
    assert counts.to_dict() == {"run": 6, "grouping": 6, "depth": 12}
    depths = searched[searched["compared"] == "depth"]
    # A deeper tree has seen the same images and splits them further.
    assert (depths["difference"] >= 0).all()
    assert depths["depth"].isna().all()


def test_one_class_has_no_interval(with_trees: Callable[..., Run]) -> None:
    (row,) = evaluate([with_trees([result("label:a", VALID), result("prediction:a", JUST_DELTA)])]).comparisons.itertuples()
    assert row.n_classes == 1
    assert np.isnan(row.difference_low)


# --- names and mistakes


def test_runs_are_called_by_as_much_of_their_path_as_tells_them_apart(tmp_path: Path, two_runs: list[Run]) -> None:
    class At(Run):
        def __init__(self, path: Path):
            self.path = path

    assert run_names(two_runs) == ["run", "other"]
    assert run_names([At(Path("/a/x/run")), At(Path("/a/y/run"))]) == ["x/run", "y/run"]
    assert run_names([At(Path("/a/x/run")), At(Path("/b/x/run"))]) == ["a/x/run", "b/x/run"]
    assert run_names(two_runs, ["one", "two"]) == ["one", "two"]


def test_mistakes_are_answered_with_what_to_do(two_runs: list[Run], planted_benchmark: Any, tmp_path: Path) -> None:
    one, two = two_runs
    with pytest.raises(BarlowError, match="No run to evaluate"):
        evaluate([])
    with pytest.raises(BarlowError, match="given twice"):
        evaluate([one, Run(one.path)])
    with pytest.raises(BarlowError, match="nothing from `barlow explain` yet"):
        evaluate([one, Run.create(tmp_path / "new", planted_benchmark)])
    with pytest.raises(BarlowError, match=r"run has no tree of depth 7, only of depth 1, 2, 3.*--depth"):
        evaluate([one], depths=[7])
    with pytest.raises(BarlowError, match=r"run has no tree of grouping union, only of grouping label, prediction"):
        evaluate([one], groupings=["union"])
    with pytest.raises(BarlowError, match=r"names is \['a'\] for 2 runs"):
        evaluate(two_runs, names=["a"])
    with pytest.raises(BarlowError, match="delta is -1"):
        evaluate([one], delta=-1)
    with pytest.raises(BarlowError, match="confidence is 0"):
        evaluate([one], confidence=0)
    explain_run(two, workers=1, tau=0.3)
    with pytest.raises(BarlowError, match=r"different tau: 0.2 in run, 0.3 in other"):
        evaluate(two_runs)
    assert evaluate(two_runs, tau=0.2).tau == 0.2


# --- what is saved

FIGURES = [
    *(f"groupings-depth_{depth}" for depth in (1, 2, 3)),
    *(f"runs-depth_{depth}" for depth in (1, 2, 3)),
    *(f"{kind}-{run}" for kind in ("depths", "classes") for run in ("run", "other")),
]


def test_saved_twice_it_is_the_same_bytes(two_runs: list[Run], tmp_path: Path) -> None:
    evaluation = evaluate(two_runs, depths=[1, 2], groupings=["label", "prediction"])
    written = evaluation.save(tmp_path / "one")
    again = evaluate(two_runs, depths=[1, 2]).save(tmp_path / "two")
    names = [path.name for path in written]
    expected = [name for name in FIGURES if not name.endswith("_3")]
    assert sorted(names) == sorted(
        [f"{name}.{suffix}" for name in ("summary", "groups", "comparisons") for suffix in ("csv", "parquet")]
        + [f"{name}.{suffix}" for name in expected for suffix in ("png", "svg")]
    )
    assert [path.name for path in again] == names
    for one, two in zip(written, again, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name
    for path in written:
        if path.suffix == ".png":
            with Image.open(path) as picture:
                pixels = np.asarray(picture.convert("RGB"))
                assert picture.info["dpi"] == pytest.approx((200, 200), abs=0.1)
            assert abs(pixels.shape[1] - 1300) <= 20, "as wide as a page of text, 6.5 inches"
            coloured = (pixels.max(axis=2).astype(int) - pixels.min(axis=2) > 60).sum()
            assert coloured > 500, f"{path.name} has marks in colour"
        elif path.suffix == ".svg":
            assert ET.parse(path).getroot().tag.endswith("svg")


def test_tables_come_back_from_disk(two_runs: list[Run], tmp_path: Path) -> None:
    evaluation = evaluate(two_runs)
    written = evaluation.save(tmp_path / "out", figures=False)
    assert len(written) == 6
    for name in ("summary", "groups", "comparisons"):
        table: pd.DataFrame = getattr(evaluation, name)
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out" / f"{name}.parquet"), table)
        text = pd.read_csv(tmp_path / "out" / f"{name}.csv")
        assert list(text.columns) == list(table.columns)
        assert len(text) == len(table)


def layer(facet: Spec, mark: str) -> Spec:
    """The last layer of a facet that draws such marks."""
    return [one for one in facet["layer"] if one["mark"]["type"] == mark][-1]


def marks(facet: Spec) -> dict[str, list[list[float]]]:
    """The places of the marks of a facet, by series."""
    found: dict[str, list[list[float]]] = {}
    for row in layer(facet, "point")["data"]["values"]:
        found.setdefault(row["series"], []).append([row["x"], row["y"]])
    return found


def title(facet: Spec) -> str:
    return str(layer(facet, "text")["mark"]["text"])


def caption(figure: Spec) -> str:
    return " ".join(figure["title"]["text"])


def drawn(evaluation: Evaluation) -> dict[str, Spec]:
    return dict(figures(evaluation.groups, evaluation.held_out))


def test_marks_are_the_classes(two_runs: list[Run]) -> None:
    evaluation = evaluate(two_runs)
    shown = drawn(evaluation)
    assert sorted(shown) == sorted(FIGURES)
    explained = evaluation.groups[evaluation.groups["reason"].isna()]
    # Figures 16 and 19: a panel a grouping, searched above held out; a series a run.
    figure = shown["runs-depth_3"]
    facets = figure["concat"]
    titles = [title(facet) for facet in facets]
    assert titles == [f"{grouping}, {on} images" for on in ("searched", "held-out") for grouping in ("label", "prediction")]
    measured = [("aler_increase", "ber")] * 2 + [("held_out_aler_increase", "held_out_ber")] * 2
    for facet, (increase, ber) in zip(facets, measured, strict=True):
        cell = explained[(explained["depth"] == 3) & (explained["grouping"] == title(facet).split(",")[0])]
        assert list(marks(facet)) == ["run", "other"]
        for run, places in marks(facet).items():
            known = cell[cell["run"] == run][[ber, increase]].dropna()
            assert places == known.to_numpy().tolist()
    # The same classes on searched and on held-out images are joined by a line.
    first = shown["classes-run"]["concat"][0]
    joined = layer(first, "rule")["data"]["values"]
    searched, held_out = marks(first).values()
    assert len(joined) > 0
    assert all([line["x"], line["y"]] in searched and [line["x2"], line["y2"]] in held_out for line in joined)
    points = [layer(facet, "point")["encoding"] for facet in facets]
    assert [encoding["x"]["axis"].get("title", encoding["x"]["title"]) for encoding in points] == [None] * 2 + [
        "BER (base error rate)"
    ] * 2
    assert points[0]["y"]["title"] == "ALER − BER"
    assert points[0]["color"]["scale"]["domain"] == ["run", "other"]
    assert points[0]["color"]["legend"] == points[0]["shape"]["legend"] is not None
    assert caption(figure).startswith("Trees of depth 3. A mark is a class with something to explain; n ")
    assert "cross-fitting" in caption(figure)


def test_captions_say_how_many(with_trees: Callable[..., Run]) -> None:
    results = [result(f"label:{i}", VALID) for i in range(3)]
    results += [result(f"prediction:{i}", JUST_DELTA) for i in range(2)]
    shown = drawn(evaluate([with_trees(results)]))
    assert sorted(shown) == ["classes-run", "groupings-depth_1"]
    words = caption(shown["groupings-depth_1"])
    assert "n in the order of the legend: run: 3, 2." in words
    assert "Measured on the images that were searched, where every tree also gains by luck." in words
    assert "n: label: 3; prediction: 2." in caption(shown["classes-run"])
    even = drawn(evaluate([with_trees([result(f"{g}:a", VALID) for g in ("label", "prediction")])]))
    assert "n = 1 of every kind in every plot." in caption(even["groupings-depth_1"])


def test_many_classes_get_medians(with_trees: Callable[..., Run]) -> None:
    rng = np.random.default_rng(0)
    results = [result(f"label:{i}", [(50, int(rng.integers(20, 40))), (50, int(rng.integers(1, 20)))]) for i in range(120)]
    evaluation = evaluate([with_trees(results)])
    (figure,) = drawn(evaluation).values()
    (facet,) = figure["concat"]
    medians = layer(facet, "line")["data"]["values"]
    assert len(medians) == 12
    ordered = evaluation.groups.sort_values(["ber", "aler_increase"], kind="stable")[["ber", "aler_increase"]]
    first = ordered.iloc[:10].median()
    assert (medians[0]["x"], medians[0]["y"]) == (first["ber"], first["aler_increase"])
    assert "medians of equally many classes" in caption(figure)


def test_nothing_explained_draws_nothing(with_trees: Callable[..., Run], tmp_path: Path) -> None:
    evaluation = evaluate([with_trees([result("label:a", NOTHING, reason="never fails")])])
    assert drawn(evaluation) == {}
    assert np.isnan(evaluation.summary["mean_aler_increase"]).all()
    assert len(evaluation.save(tmp_path / "out")) == 6


def test_names_with_signs_make_safe_files_and_plain_text(two_runs: list[Run]) -> None:
    evaluation = evaluate(two_runs, names=["a/b $x^2$", "A_b x 2"], depths=[1])
    shown = drawn(evaluation)
    assert sorted(name for name in shown if name.startswith("classes")) == ["classes-A_b_x_2_2", "classes-a_b_x_2"]
    drawn_text = svg(shown["runs-depth_1"]).decode()
    assert "a/b $x^2$" in drawn_text
    assert "A_b x 2" in drawn_text


def test_stump_is_a_tree_as_it_is_stored() -> None:
    """The helper of these tests, against the tree's own measures."""
    tree = FailureTree(Node.from_dict(stump(VALID)))
    assert tree.ber == 0.2
    assert tree.aler == pytest.approx(0.3125)
    assert tree.leaves[0].error_coverage == 0.5
