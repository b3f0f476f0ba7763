from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from conftest import PLANTED

from barlow_core import views
from barlow_core.analyses import load_analysis
from barlow_core.analyses.checks import Checks
from barlow_core.failure_modes import explain
from barlow_core.failure_tree import Condition
from barlow_core.run import Run
from barlow_core.wording import percent


def test_summary_before_and_after_extraction(planted_run: Run) -> None:
    summary = views.summary(planted_run)
    assert (summary.name, summary.n_images, summary.n_classes, summary.extractor) == ("run", 120, 3, "planted")
    assert summary.n_failures == planted_run.benchmark.failure.sum()
    assert summary.error_rate == planted_run.benchmark.failure.mean()


def test_groupings_and_depths_are_those_of_the_search(explained_run: Run) -> None:
    assert views.groupings(explained_run) == ["label", "prediction"]
    assert views.depths(explained_run) == [1, 2, 3]


def test_node_images_are_those_that_the_tree_counted(explained_run: Run) -> None:
    """Counts of a node come from fitting, membership from its rule on the stored features: two ways to one number."""
    failure = explained_run.benchmark.failure
    for key in explained_run.groups()["group"]:
        for node in load_analysis(explained_run, key).tree.root:
            images = views.node_images(explained_run, key, node)
            assert (len(images), failure[images].sum()) == (node.n_images, node.n_failures)
            assert (np.diff(images) > 0).all()


def test_node_failures_are_the_planted_ones(explained_run: Run) -> None:
    (mode,) = load_analysis(explained_run, "label:truck", depth=1).failure_modes
    table = views.node_failures(explained_run, "label:truck", mode)
    assert len(table) == mode.n_failures
    assert set(table["label"]) == {"truck"}
    assert set(table["prediction"]) == {"cat"}
    assert (table["confidence"] == 0.9).all()
    assert (table[f"feature[{PLANTED}]"] < 0.5).all()
    assert all(path.name == name and path.is_file() for path, name in zip(table["path"], table["name"], strict=True))


def test_more_failures_begin_with_the_fewer(explained_run: Run) -> None:
    (mode,) = load_analysis(explained_run, "label:truck", depth=1).failure_modes
    everything = views.node_failures(explained_run, "label:truck", mode)
    assert everything["position"].is_unique
    for n in (1, 5, 10_000):
        assert views.node_failures(explained_run, "label:truck", mode, n=n).equals(everything.head(n))
    other = views.node_failures(explained_run, "label:truck", mode, seed=1)
    assert sorted(other["position"]) == sorted(everything["position"])
    assert other["position"].tolist() != everything["position"].tolist()


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ([(12, "<", 0.3412)], "feature 12 is weak (below 0.3412)"),
        ([(12, ">", 0.0052)], "feature 12 is strong (above 0.0052)"),
        ([(12, "<", 2.0), (12, ">", 0.5)], "feature 12 is between 0.5000 and 2.0000"),
        ([(3, ">", 1.0), (12, "<", 2.0)], "feature 3 is strong (above 1.0000) and feature 12 is weak (below 2.0000)"),
        (
            [(3, ">", 1.0), (12, "<", 2.0), (7, "<", 3.0)],
            "feature 3 is strong (above 1.0000), feature 12 is weak (below 2.0000) and feature 7 is weak (below 3.0000)",
        ),
        ([], "any image"),
    ],
)
def test_rule_in_words(conditions: list[tuple[int, str, float]], words: str) -> None:
    assert views.rule_words([Condition(*condition) for condition in conditions]) == words


def test_reasons_for_no_failure_mode() -> None:
    rng = np.random.default_rng(0)
    features = rng.random((100, 3))
    assert "never fails" in str(views.no_failure_mode(explain(features, np.zeros(100, dtype=bool))))
    assert "always fails" in str(views.no_failure_mode(explain(features, np.ones(100, dtype=bool))))
    # A feature that says nothing: 10 failures on either side of every threshold.
    useless = explain(np.repeat([[0.0], [1.0]], 50, axis=0), np.arange(100) % 5 == 0, depth=1)
    said = str(views.no_failure_mode(useless)).replace("\N{NO-BREAK SPACE}", " ")
    assert "more than 10 points above the group's 20.0 %" in said
    assert "more than 20.0 % of its failures" in said
    planted = explain(features, features[:, 0] < 0.2)
    assert planted.failure_modes
    assert views.no_failure_mode(planted) is None


@pytest.mark.parametrize("grouping", ["label", "prediction", "union", "pair", "mask"])
def test_every_grouping_has_words(grouping: str) -> None:
    words = views.group_words(grouping, "cat+dog")
    assert "cat" in words.title
    assert words.failures.endswith(".")


def test_groups_of_a_run_with_pairs(make_explained: Callable[..., Run]) -> None:
    run = make_explained(groupings=("pair", "union"))
    assert views.groupings(run) == ["pair", "union"]
    assert views.find_groups(views.group_table(run, depth=1), grouping="pair")["class_name"].str.contains("+", regex=False).all()


def test_held_out_numbers_in_words(explained_run: Run) -> None:
    mode = views.mode_table(explained_run, grouping="label", depth=1).query("group == 'label:truck'").iloc[0]
    words = views.held_out_words(explained_run, mode)
    assert words is not None
    assert words.failures == f"{int(mode['held_out_n_failures'])} of {int(mode['held_out_n_images'])}"
    assert words.error_rate.startswith(percent(mode["held_out_error_rate"]))
    assert "Cross-fitted in 5 parts" in words.how
    assert "other rules" not in words.how
    assert "other rules" in getattr(
        views.held_out_words(explained_run, pd.Series({**mode, "held_out_agreement": 0.2})), "how", ""
    )
    assert views.luck_words(mode) is None
    again = views.failure_mode(explained_run, "label:truck", depth=1, leaf=mode["leaf"])
    assert again["rule"] == mode["rule"]
    with pytest.raises(KeyError):
        views.failure_mode(explained_run, "label:truck", depth=1, leaf=99)


def test_nothing_is_said_of_what_was_not_measured(make_explained: Callable[..., Run]) -> None:
    run = make_explained(checks=Checks(held_out="none", permutations=9))
    mode = views.failure_mode(run, "label:truck", depth=1, leaf=1)
    assert views.held_out_words(run, mode) is None
    assert views.luck_words(mode) == f"p 0.1, q {mode['q']:.2g}"
