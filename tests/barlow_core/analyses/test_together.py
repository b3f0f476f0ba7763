"""Images that belong together, in a run: by a column, by near-duplicates, with a split; what is stale; what people are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import PLANTED, with_features

from barlow_core import views
from barlow_core.analyses import Checks, explain_run, explore, load_result
from barlow_core.analyses.together import parts_of
from barlow_core.benchmark import Benchmark
from barlow_core.cli import cli
from barlow_core.errors import BarlowError
from barlow_core.run import Run

SHOTS = 4


@pytest.fixture
def filmed_run(planted_benchmark: Benchmark, planted_folder: Path, tmp_path: Path) -> Run:
    """Thirty scenes of four frames: a frame has the features of its scene, but for a little noise, and fails as the scene does."""
    scene = np.arange(120) // SHOTS
    features = np.load(planted_folder / "features.npy")[scene]
    features = (features + 0.001 * np.random.default_rng(0).random(features.shape)).astype(np.float32)
    truck = planted_benchmark.class_names.index("truck")
    fails = (planted_benchmark.labels == truck) & (features[:, PLANTED] < np.median(features[80:, PLANTED]))
    predictions = np.where(fails, 0, planted_benchmark.labels)
    attributes = pd.DataFrame({"scene": np.where(np.arange(120) == 7, np.nan, scene), "all_one": 1})
    benchmark = replace(planted_benchmark, predictions=predictions, attributes=attributes)
    return with_features(Run.create(tmp_path / "run", benchmark), features)


def test_a_column_keeps_images_together(filmed_run: Run) -> None:
    explain_run(filmed_run, workers=1, checks=Checks(keep_together="SCENE", folds=3, permutations=19, resamples=2))
    record = filmed_run.require("explain")["settings"]["checks"]
    assert record["keep_together"] == "scene"  # as the benchmark spells it
    modes = filmed_run.failure_modes()
    assert modes["held_out_n_blocks"].notna().all()
    assert (modes["held_out_n_blocks"] < modes["held_out_n_images"]).all()
    apart = explain_run(filmed_run, workers=1, checks=Checks(folds=3))
    width = {
        name: (table["held_out_increase_high"] - table["held_out_increase_low"]).mean()
        for name, table in (("kept", modes), ("not", apart))
    }
    assert width["kept"] > 1.3 * width["not"]
    assert apart["held_out_n_blocks"].isna().all()
    assert (apart["held_out_n_seen"] > 0.9 * apart["held_out_n_images"]).all()


def test_images_without_a_value_stand_for_themselves(filmed_run: Run) -> None:
    blocks = Checks(keep_together="scene").resolved(filmed_run.benchmark).blocks(filmed_run.benchmark)
    assert blocks is not None
    assert blocks[4] == blocks[5] == blocks[6]
    assert (blocks == blocks[7]).sum() == 1
    assert Checks().blocks(filmed_run.benchmark) is None


def test_near_duplicates_are_found_and_kept_together(filmed_run: Run) -> None:
    modes = explain_run(filmed_run, workers=1, checks=Checks(keep_together="duplicates"))
    result = load_result(filmed_run, "label:truck")
    assert result.duplicates is not None
    assert (result.duplicates.n_images, result.duplicates.n_blocks) == (40, 10)
    assert (modes["held_out_n_seen"] == 0).all()
    assert (modes["held_out_n_blocks"] <= 10).all()
    assert filmed_run.groups().set_index("group")["n_duplicates"]["label:truck"] == 40


def test_nobody_looks_for_near_duplicates_when_told_so(filmed_run: Run) -> None:
    modes = explain_run(filmed_run, workers=1, checks=Checks(duplicates=False))
    assert modes["held_out_n_seen"].isna().all()
    assert load_result(filmed_run, "label:truck").duplicates is None
    assert views.duplicates_words(filmed_run.groups(), modes) is None


def test_a_split_leaves_out_what_belongs_to_searched_images(filmed_run: Run) -> None:
    split = np.where(np.arange(120) % 5 == 0, "test", "search").astype(object)  # frames of every scene on both sides
    split[100:] = "test"
    filmed_run.save_benchmark(replace(filmed_run.benchmark, split=split))
    explain_run(filmed_run, workers=1, checks=Checks(held_out="split", keep_together="scene"))
    group, parts = parts_of(filmed_run, "label:truck")
    scene = np.arange(120) // SHOTS
    measured = group.indices[parts.measured]
    assert not set(scene[measured]) & set(scene[split == "search"])
    assert measured.tolist() == list(range(100, 120))
    tree = load_result(filmed_run, "label:truck").held_out_tree(3)
    assert tree is not None
    assert tree.n_images == 20
    # The app counts every node on the same images.
    nodes = views.node_rates(filmed_run, "label:truck", views.re_evaluate(filmed_run, "label:truck", depth=3)).set_index("node")
    for leaf in tree.leaves:
        assert nodes.loc[leaf.leaf, "held_out_n_images"] == leaf.n_images
        assert nodes.loc[leaf.leaf, "held_out_increase_low"] == pytest.approx(leaf.increase_low)


def test_another_tree_in_the_app_and_explore_keep_together_too(filmed_run: Run) -> None:
    explain_run(filmed_run, workers=1, checks=Checks(keep_together="scene"))
    stored = load_result(filmed_run, "label:truck").held_out_tree(2)
    again = views.re_evaluate(filmed_run, "label:truck", depth=2, min_leaf=2)
    assert again.refitted
    assert again.held_out is not None
    assert {leaf.n_blocks is not None for leaf in again.held_out.values()} == {True}
    assert stored is not None
    explored = explore(filmed_run, depth=[3], workers=1).iloc[0]
    modes = filmed_run.failure_modes()
    assert explored["held_out_increase"] == pytest.approx(modes[modes["depth"] == 3]["held_out_increase"].mean())


def test_a_changed_column_makes_the_checks_stale(filmed_run: Run) -> None:
    explain_run(filmed_run, workers=1, checks=Checks(keep_together="scene"))
    attributes = filmed_run.benchmark.attributes
    filmed_run.save_benchmark(replace(filmed_run.benchmark, attributes=attributes.assign(all_one=2)))
    assert filmed_run.is_current("explain")
    filmed_run.save_benchmark(replace(filmed_run.benchmark, attributes=attributes.assign(scene=np.arange(120))))
    assert not filmed_run.is_current("explain")
    modes = explain_run(filmed_run, workers=1, checks=Checks(keep_together="scene"))
    plain = explain_run(filmed_run, workers=1)
    ignored = ["held_out_n_blocks"]
    pd.testing.assert_frame_equal(modes.drop(columns=ignored), plain.drop(columns=ignored))  # every image its own block


@pytest.mark.parametrize(
    ("column", "message"), [("scenes", "Did you mean scene"), ("", "No column of the metadata is called ''")]
)
def test_unknown_columns(filmed_run: Run, column: str, message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        explain_run(filmed_run, workers=1, checks=Checks(keep_together=column))


def test_a_column_called_duplicates_is_not_guessed_about(filmed_run: Run) -> None:
    filmed_run.save_benchmark(replace(filmed_run.benchmark, attributes=pd.DataFrame({"Duplicates": np.arange(120)})))
    with pytest.raises(BarlowError, match="Rename the column"):
        explain_run(filmed_run, workers=1, checks=Checks(keep_together="duplicates"))


def test_the_command_counts_near_duplicates_and_says_where_they_matter(filmed_run: Run) -> None:
    said = CliRunner().invoke(cli, ["explain", str(filmed_run.path), "--quiet", "--workers", "1"]).output
    assert "Near-duplicates: 240 images in 6 groups" in said or "look like another image of the same group" in said
    assert "may be too good" in said
    shown = CliRunner().invoke(cli, ["show", str(filmed_run.path)])
    assert "may be too good" in shown.output
    assert "near-duplicates" in shown.output
    kept = (
        CliRunner()
        .invoke(cli, ["explain", str(filmed_run.path), "--quiet", "--workers", "1", "--keep-together", "duplicates"])
        .output
    )
    assert "look like another image of the same group" in kept
    assert "may be too good" not in kept


def test_pages_say_what_belongs_together(filmed_run: Run) -> None:
    modes = explain_run(filmed_run, workers=1)
    words = views.held_out_words(filmed_run, modes.iloc[0])
    assert words is not None
    assert "have a near-duplicate among the images that were searched" in words.how
    modes = explain_run(filmed_run, workers=1, checks=Checks(keep_together="scene"))
    words = views.held_out_words(filmed_run, modes.iloc[0])
    assert words is not None
    assert "With images of one scene kept together, these are" in words.how
