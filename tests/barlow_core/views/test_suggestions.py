from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import with_features

from barlow_core import views
from barlow_core.analyses import explain_run
from barlow_core.analyses.checks import Checks
from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError
from barlow_core.failure_tree import Condition, Node
from barlow_core.run import Run
from barlow_core.views.judgements import Judgements
from barlow_core.views.suggestions import gap_images, suggest


def leaf(*conditions: tuple[int, str, float]) -> Node:
    return Node(1, tuple(Condition(*condition) for condition in conditions), 0, 0, 0.0, 0.0)


def benchmark_of(
    folder: Path, confidence: list[float], split: list[str] | None = None, *, labels: str = "cccccccctt"
) -> Benchmark:
    """Eight cats, of which the first four are called dog, dog, dog, truck; two trucks, which are right."""
    table = pd.DataFrame(
        {
            "path": [f"{i}.png" for i in range(10)],
            "label": ["cdt".index(letter) for letter in labels],
            "prediction": [1, 1, 1, 2, 0, 0, 0, 0, 2, 2],
            "confidence": confidence,
            "digest": [f"{folder.name}{i}" for i in range(10)],
        }
    )
    if split:
        table["split"] = split
    return Benchmark.from_table(folder / "images", table, ["cat", "dog", "truck"])


CONFIDENCE = [0.99, 0.4, 0.96, 0.5, 0.8, 0.9, 1.0, 0.7, 0.9, 0.9]
FEATURES = np.array([[0, 1], [1, 1], [2, 1], [3, 1], [5, 1], [6, 1], [7, 1], [8, 2], [1.5, 1], [5, 1]], dtype=np.float32)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = with_features(Run.create(tmp_path / "cats", benchmark_of(tmp_path, CONFIDENCE)), FEATURES)
    explain_run(run, depth=1, delta=0.0, tau=0.0, workers=1)
    return run


def said(run: Run, **options: object) -> dict[str, str]:
    evaluation = views.re_evaluate(run, "label:cat", depth=1)
    (mode,) = evaluation.analysis.failure_modes
    return {one.kind: one.text for one in suggest(run, "label:cat", evaluation, mode.number, unconfirmed=True, **options)}  # type: ignore[arg-type]


def test_facts_by_hand(run: Run) -> None:
    found = {kind: text.replace("\N{NO-BREAK SPACE}", " ") for kind, text in said(run).items()}
    assert found["gain"] == (
        "100.0 % of the group's failures are here. If all of them were classified correctly, its error rate would be 0.0 % instead of 50.0 %."
    )
    assert found["confusion"] == "These failures are predicted as dog (3), truck (1)."
    assert found["confidence"] == "The median confidence of these failures is 0.73. 1 of 4 failures have less than 0.5."
    assert found["labels"].startswith("In 2 failures the classifier disagrees with the label with a confidence of 0.95 or more")
    assert found["gap"] == (
        "2 images outside of the group come closest to this rule; it holds for 1 of them. They are in other groups: compare."
    )
    assert "held-out" in found
    assert "luck" not in found, "no permutation test was made"
    assert "judgement" not in found


def test_images_behind_the_facts(run: Run) -> None:
    evaluation = views.re_evaluate(run, "label:cat", depth=1)
    found = {
        one.kind: one
        for one in suggest(run, "label:cat", evaluation, evaluation.analysis.failure_modes[0].number, unconfirmed=True)
    }
    labels, gap = found["labels"].images, found["gap"].images
    assert labels is not None
    assert gap is not None
    assert labels["position"].tolist() == [0, 2], "the surest first"
    assert gap["position"].tolist() == [8, 9]
    assert labels["path"].iloc[0] == run.benchmark.images_dir / "0.png"
    assert found["gap"].measured_on == "Among the 2 images of the benchmark outside of label:cat."
    assert found["confusion"].measured_on == "4 failures of the 4 searched images of this node"


def test_a_group_of_a_prediction_says_what_its_images_are(run: Run) -> None:
    evaluation = views.re_evaluate(run, "prediction:truck", depth=1)
    (mode,) = evaluation.analysis.failure_modes
    found = {one.kind: one.text for one in suggest(run, "prediction:truck", evaluation, mode.number, unconfirmed=True)}
    assert found["confusion"] == "These failures are labelled cat (1)."


def test_nothing_follows_from_what_is_not_confirmed(run: Run, explained_run: Run) -> None:
    """Three images confirm nothing; forty trucks, whose failures are planted, do."""
    evaluation = views.re_evaluate(run, "prediction:truck", depth=1)
    found = suggest(run, "prediction:truck", evaluation, evaluation.analysis.failure_modes[0].number)
    assert [one.kind for one in found] == ["verdict"]
    assert found[0].text.endswith("Nothing follows from it yet.")
    planted = suggest(explained_run, "label:truck", views.re_evaluate(explained_run, "label:truck", depth=1), 1)
    assert {"gain", "confusion", "gap"} <= {one.kind for one in planted}
    refitted = views.re_evaluate(explained_run, "label:truck", depth=1, min_leaf=2)
    assert refitted.refitted
    assert "gain" in {one.kind for one in suggest(explained_run, "label:truck", refitted, 1)}


def test_the_root_has_neither_gain_nor_gap(run: Run) -> None:
    found = {one.kind for one in suggest(run, "label:cat", views.re_evaluate(run, "label:cat", depth=1), 0)}
    assert found == {"confusion", "confidence", "labels"}
    with pytest.raises(BarlowError, match="no node 9.*0, 1, 2"):
        suggest(run, "label:cat", views.re_evaluate(run, "label:cat", depth=1), 9)


def test_nothing_is_said_of_what_is_not_known(tmp_path: Path) -> None:
    benchmark = replace(benchmark_of(tmp_path, CONFIDENCE), confidence=None)
    run = with_features(Run.create(tmp_path / "run", benchmark), FEATURES)
    explain_run(run, depth=1, delta=0.0, tau=0.0, checks=Checks(held_out="none"), workers=1)
    assert set(said(run, gap=0)) == {"gain", "confusion"}


def test_luck_and_the_action_item_are_repeated(run: Run, make_explained: Callable[..., Run]) -> None:
    judgements = Judgements(run)
    judgements.record(0, author="Ada", group="label:cat", name="fur", verdict="necessary", action="data collection")
    assert said(run, judgements=judgements)["judgement"].startswith("Feature 0: “fur”: necessary; data collection (Ada, ")
    tested = make_explained(checks=Checks(held_out="none", permutations=9))
    evaluation = views.re_evaluate(tested, "label:truck", depth=1)
    found = {one.kind: one.text for one in suggest(tested, "label:truck", evaluation, 1, gap=0)}
    row = tested.groups().set_index("group").loc["label:truck"]
    assert f"p {row['p_depth_1']:.2g}; q {row['q_depth_1']:.2g}" in found["luck"]
    assert "6 groups" in found["luck"]


def test_what_held_out_images_say(make_explained: Callable[..., Run]) -> None:
    run = make_explained()
    evaluation = views.re_evaluate(run, "label:truck", depth=1)

    def held_out(**changes: object) -> str:
        measured = {1: replace(evaluation.held_out[1], **changes)}  # type: ignore[index]
        found = suggest(run, "label:truck", evaluation._replace(held_out=measured), 1, gap=0)
        return next(one.text for one in found if one.kind == "held-out").replace("\N{NO-BREAK SPACE}", " ")

    assert held_out().startswith("It held on held-out images: error rate ")
    assert held_out(increase_low=-0.1).startswith("It is not certain that it holds")
    assert held_out(increase_low=-0.1, increase_high=-0.05).startswith("It did not hold")
    assert held_out(n_images=0).startswith("No held-out image follows")
    assert held_out(agreement=0.2).endswith("share only 20.0 % of their images with this one.")


# --- the gap


def test_the_closest_images_by_hand(run: Run) -> None:
    """The deviation of feature 0 over cats is that of 0, 1, 2, 3, 5, 6, 7, 8; image 9 misses 4 by 1."""
    gap = gap_images(run, "label:cat", leaf((0, "<", 4.0)))
    deviation = np.std([0, 1, 2, 3, 5, 6, 7, 8])
    assert gap.images["position"].tolist() == [8, 9]
    assert gap.images["violation"].tolist() == [0.0, pytest.approx(1 / deviation)]
    assert gap.images["distance"].tolist() == pytest.approx([0.0, 3.5 / deviation]), "from 1.5, the mean of the failures inside"
    assert (gap.source, gap.n_candidates, gap.n_inside) == ("outside", 2, 1)
    with pytest.raises(BarlowError, match="root of a tree"):
        gap_images(run, "label:cat", leaf())


def test_images_of_other_splits_come_before_those_of_other_groups(tmp_path: Path) -> None:
    split = ["search"] * 6 + ["test"] * 2 + ["search"] * 2
    run = with_features(Run.create(tmp_path / "run", benchmark_of(tmp_path, CONFIDENCE, split)), FEATURES)
    explain_run(run, depth=1, delta=0.0, tau=0.0, checks=Checks(held_out="split"), workers=1)
    gap = gap_images(run, "label:cat", leaf((0, "<", 7.5)))
    assert gap.images["position"].tolist() == [6, 7]
    assert gap.images["violation"].tolist()[0] == 0
    assert (gap.source, gap.what) == ("other splits", "Among the 2 images of label:cat in other splits.")


def test_a_pool_of_other_images(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    pool = benchmark_of(folder, CONFIDENCE, labels="tttttttttt")
    # Three of its images are among the searched ones: the very same bytes.
    pool = replace(pool, digests=np.array([*run.benchmark.digests[:3], *pool.digests[3:]], dtype=object))
    other = with_features(Run.create(folder / "run", pool), FEATURES[::-1].copy())
    gap = gap_images(run, "label:cat", leaf((0, "<", 4.0)), n=4, pool=other)
    assert gap.source == "pool"
    assert gap.n_candidates == 7
    assert gap.images["position"].tolist() == [7, 8, 6, 9], "2, 1, 3 and 0 of feature 0, around 1.5; equal ones by position"
    assert (gap.images["violation"] == 0).all()
    assert gap.images["path"].iloc[0] == folder / "images" / "7.png"
    # Feature 1 is not in the rule, but was selected for the group: who differs there is less like the failures.
    changed = FEATURES[::-1].copy()
    changed[7, 1] = 3
    np.save(other.features_path, changed)
    again = gap_images(run, "label:cat", leaf((0, "<", 4.0)), n=4, pool=other).images
    assert again["position"].tolist() == [8, 6, 9, 7]
    expected = np.hypot(0.5 / np.std(FEATURES[:8, 0]), 2 / np.std(FEATURES[:8, 1]))
    assert again["distance"].iloc[-1] == pytest.approx(expected, rel=1e-5)
    other.info["stages"]["extract"]["extractor"]["fingerprint"] = "another"
    with pytest.raises(BarlowError, match="another extractor"):
        gap_images(run, "label:cat", leaf((0, "<", 4.0)), pool=other)


def test_of_many_images_some_are_looked_through(run: Run) -> None:
    gap = gap_images(run, "label:truck", leaf((0, "<", 4.0)), sample=5, seed=1)
    assert gap.n_candidates == 5
    assert gap.what == "Among 5 images, drawn at random (seed 1) from the 8 images of the benchmark outside of label:truck."
    assert gap.images.equals(gap_images(run, "label:truck", leaf((0, "<", 4.0)), sample=5, seed=1).images)
