"""A run searched group by group, corrected for all groups together; the verb prints what the function finds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from barlow_core.analyses import search_run
from barlow_core.cli import cli
from barlow_core.errors import BarlowError
from barlow_core.examples import synthetic
from barlow_core.run import Run
from barlow_core.search import holm


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made, _ = synthetic.make(
        tmp_path_factory.mktemp("search") / "run",
        classes=3,
        images_per_class=400,
        n_features=24,
        share=0.25,
        error_rate=0.9,
        base_error_rate=0.05,
        seed=1,
    )
    return made


def test_planted_modes_are_confirmed_with_one_correction(run: Run) -> None:
    found = search_run(run)
    assert found["q"].to_numpy() == pytest.approx(holm(found["p"].to_numpy()))
    confirmed = found[found["confirmed"]]
    assert set(confirmed["group"]) == {f"label:{name}" for name in run.benchmark.class_names}
    assert (confirmed["held_out_error_rate"] > 0.6).all()
    assert (confirmed["q"] <= 0.05).all()
    assert not found["confirmed"].to_numpy()[len(confirmed) :].any(), "the confirmed ones come first"


def test_counts_of_a_rule_are_those_of_its_weights(run: Run) -> None:
    first = search_run(run).iloc[0]
    rows = np.flatnonzero(np.asarray(run.benchmark.labels) == run.benchmark.class_names.index(first["group"].split(":")[1]))
    weights = np.zeros(24)
    for feature, weight in first["weights"].items():
        weights[int(feature)] = weight
    assert (np.asarray(run.features()[rows], dtype=float) @ weights > first["threshold"]).sum() == first["n_images"]


def test_no_group_and_unknown_groups_are_named(run: Run) -> None:
    with pytest.raises(BarlowError, match="No group to search"):
        search_run(run, groupings=())
    with pytest.raises(BarlowError, match="nonsense"):
        search_run(run, groupings=(), keys=["label:nonsense"])


def test_verb_prints_and_gives_json(run: Run) -> None:
    written = CliRunner().invoke(cli, ["search", str(run.path), "--json"])
    assert written.exit_code == 0, written.output
    expected = search_run(run)
    assert [row["rule"] for row in json.loads(written.output)] == expected["rule"][expected["confirmed"]].tolist()
    table = CliRunner().invoke(cli, ["search", str(run.path)])
    assert "held-out ER" in table.output
    assert "feature[" in table.output


def test_verb_says_when_nothing_is_confirmed(tmp_path: Path) -> None:
    made, _ = synthetic.make(tmp_path / "run", classes=2, images_per_class=40, n_features=8, modes_per_class=0, seed=2)
    said = CliRunner().invoke(cli, ["search", str(made.path)])
    assert said.exit_code == 0, said.output
    assert "No rule is confirmed" in said.output


def test_verb_names_mistakes(run: Run) -> None:
    said = CliRunner().invoke(cli, ["search", str(run.path), "--alpha", "2"])
    assert said.exit_code == 2
    assert "alpha is 2" in said.stderr
