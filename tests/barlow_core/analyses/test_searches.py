"""A run searched group by group, corrected for all groups together, kept in the run, read back and printed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import with_features

from barlow_core.analyses import (
    Checks,
    FoundRule,
    SearchRecord,
    found_rule,
    found_rules,
    rule_images,
    search_run,
    searched_groups,
    strongest_images,
)
from barlow_core.analyses.verdicts import CONFIRMED, NOT_CONFIRMED, TOO_FEW
from barlow_core.benchmark import Benchmark
from barlow_core.cli import cli
from barlow_core.errors import BarlowError
from barlow_core.examples import synthetic
from barlow_core.export.tables import export_tables
from barlow_core.run import Run
from barlow_core.search import holm


def small(folder: Path, **settings: object) -> Run:
    made, _ = synthetic.make(folder, **({"classes": 2, "images_per_class": 40, "n_features": 8, "seed": 2} | settings))
    return made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three classes with a planted mode each, searched; explained, for exports."""
    made = small(
        tmp_path_factory.mktemp("search") / "run",
        classes=3,
        images_per_class=400,
        n_features=24,
        share=0.25,
        error_rate=0.9,
        base_error_rate=0.05,
        seed=1,
    )
    search_run(made, workers=1)
    return made


def test_planted_modes_are_confirmed_with_one_correction(run: Run) -> None:
    found = found_rules(run)
    assert found["held_out_q"].to_numpy() == pytest.approx(holm(found["held_out_p"].to_numpy()))
    confirmed = found[found["verdict"] == CONFIRMED]
    assert set(confirmed["group"]) == {f"label:{name}" for name in run.benchmark.class_names}
    assert (confirmed["held_out_error_rate"] > 0.6).all()
    assert (confirmed["held_out_q"] <= 0.05).all()
    assert confirmed.index.tolist() == list(range(len(confirmed))), "the confirmed ones come first"
    assert set(found["verdict"]) <= {CONFIRMED, NOT_CONFIRMED, TOO_FEW}
    assert found["verdict_reason"].str.len().gt(10).all()


def test_counts_of_a_rule_are_those_of_its_direction(run: Run) -> None:
    row = found_rules(run).iloc[0]
    rule = found_rule(run, row["group"], row["number"])
    rows = np.flatnonzero(np.asarray(run.benchmark.labels) == run.benchmark.class_names.index(rule.group.split(":")[1]))
    inside = rule.direction.values(run.features()[rows]) > rule.threshold
    assert (inside.sum(), (inside & run.benchmark.failure[rows]).sum()) == (row["n_images"], row["n_failures"])
    assert rule.confirmed
    assert len(rule.short.features) <= 5
    assert 0 <= row["short_agreement"] <= 1
    with pytest.raises(BarlowError, match="found no rule 99"):
        found_rule(run, rule.group, 99)


def test_groups_add_up(run: Run) -> None:
    groups, rules = searched_groups(run), found_rules(run)
    assert groups["n_searched"].add(groups["held_out_n_images"]).tolist() == groups["n_images"].tolist()
    assert groups.set_index("group")["rules"].to_dict() == rules["group"].value_counts().to_dict()
    assert groups["confirmed"].sum() == (rules["verdict"] == CONFIRMED).sum()
    assert groups["reason"].isna().all()


def test_same_again_is_kept_and_other_settings_replace_it(tmp_path: Path) -> None:
    made = small(tmp_path / "run")
    search_run(made, workers=1)
    first = SearchRecord.of(made)
    stamp = (made.path / "search_rules.parquet").stat().st_mtime_ns
    search_run(made, workers=1)
    assert (made.path / "search_rules.parquet").stat().st_mtime_ns == stamp
    search_run(made, workers=1, seed=1)
    assert SearchRecord.of(made).key != first.key
    assert SearchRecord.of(made).settings.seed == 1
    (made.path / "search_rules.parquet").unlink()
    with pytest.raises(BarlowError, match="barlow search"):
        found_rules(made)
    search_run(made, workers=1, seed=1)
    found_rules(made)
    assert not (made.path / "search").exists()


def test_verb_says_how_often_a_rule_is_found_again(run: Run, tmp_path: Path) -> None:
    made = shutil.copytree(run.path, tmp_path / "run")
    group = f"label:{run.benchmark.class_names[0]}"
    command = ["search", str(made), "--grouping", "label", "--stability", "2", "--workers", "1", "--quiet", "--json"]
    said = CliRunner().invoke(cli, command)
    assert said.exit_code == 0, said.output
    rows = [row for row in json.loads(said.stdout) if row["group"] == group]
    assert rows
    assert all(row["stability"] in (0, 0.5, 1) for row in rows)
    assert SearchRecord.of(Run(made)).checks.resamples == 2
    assert "stability" in CliRunner().invoke(cli, ["show", str(made), "search"]).output


def test_is_stale_when_the_features_change(planted_run: Run) -> None:
    search_run(planted_run, workers=1)
    assert planted_run.is_current("search")
    with_features(planted_run, np.random.default_rng(1).random((120, 4)).astype(np.float32))
    with pytest.raises(BarlowError, match=r"out of date.*barlow search"):
        found_rules(planted_run)


def test_an_interrupted_search_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = small(tmp_path / "run")
    whole = search_run(made, workers=1, groupings=["label"])
    searched = []
    from barlow_core.analyses import searches

    own = searches.search_group

    def stop_at_second(rows: object, group: object, *others: object) -> object:
        searched.append(group)
        if len(searched) == 2:
            raise KeyboardInterrupt
        return own(rows, group, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(searches, "search_group", stop_at_second)
    made.forget("search")
    with pytest.raises(KeyboardInterrupt):
        search_run(made, workers=1)
    again = search_run(made, workers=1)
    assert len(searched) == 3, "the first group was not searched again"
    pd.testing.assert_frame_equal(whole, again)


def test_images_of_one_value_are_kept_together(planted_benchmark: Benchmark, planted_folder: Path, tmp_path: Path) -> None:
    table = planted_benchmark.table.assign(video=[f"v{i // 4}" for i in range(120)])
    benchmark = Benchmark.from_table(planted_benchmark.images_dir, table, planted_benchmark.class_names)
    made = with_features(Run.create(tmp_path / "run", benchmark), np.load(planted_folder / "features.npy"))
    found = search_run(made, groupings=["all"], checks=Checks(keep_together="video"), workers=1)
    assert SearchRecord.of(made).checks.keep_together == "video"
    assert found["held_out_n_blocks"].notna().all()
    groups = searched_groups(made)
    assert groups["held_out_n_images"].mod(4).eq(0).all()


def test_the_split_that_is_to_be_searched_is(planted_benchmark: Benchmark, planted_folder: Path, tmp_path: Path) -> None:
    table = planted_benchmark.table.assign(split=["train"] * 100 + ["test"] * 20)
    benchmark = Benchmark.from_table(planted_benchmark.images_dir, table, planted_benchmark.class_names)
    made = with_features(Run.create(tmp_path / "run", benchmark), np.load(planted_folder / "features.npy"))
    search_run(made, groupings=["label", "all"], workers=1)
    groups = searched_groups(made).set_index("group")
    assert groups.loc["all:images", ["n_searched", "held_out_n_images"]].tolist() == [100, 20]
    assert "split train" in groups.loc["label:cat", "reason"]


def test_no_group_and_unknown_groups_are_named(run: Run) -> None:
    with pytest.raises(BarlowError, match="No group to search"):
        search_run(run, groupings=())
    with pytest.raises(BarlowError, match="nonsense"):
        search_run(run, groupings=(), keys=["label:nonsense"])


def test_verb_prints_and_gives_json(run: Run) -> None:
    expected = found_rules(run)
    confirmed = expected["rule"][expected["verdict"] == CONFIRMED].tolist()
    for command in (["search", str(run.path)], ["show", str(run.path), "search"]):
        written = CliRunner().invoke(cli, [*command, "--json"])
        assert written.exit_code == 0, written.output
        assert [row["rule"] for row in json.loads(written.stdout)] == confirmed
        table = CliRunner().invoke(cli, command)
        assert "held-out ER" in table.output
        assert f"{len(confirmed)} confirmed" in table.output
    everything = CliRunner().invoke(cli, ["show", str(run.path), "search", "--all", "--json"])
    assert len(json.loads(everything.stdout)) == len(expected)


def test_verb_says_when_nothing_is_confirmed(tmp_path: Path) -> None:
    made = small(tmp_path / "run", modes_per_class=0)
    missing = CliRunner().invoke(cli, ["show", str(made.path), "search"])
    assert missing.exit_code == 2
    assert f"barlow search {made.path}" in missing.stderr
    said = CliRunner().invoke(cli, ["search", str(made.path), "--quiet", "--workers", "1"])
    assert said.exit_code == 0, said.output
    assert "No rule is confirmed" in said.output
    assert "could not be searched" in said.output


def test_verb_names_mistakes(run: Run) -> None:
    said = CliRunner().invoke(cli, ["search", str(run.path), "--alpha", "2"])
    assert said.exit_code == 2
    assert "alpha is 2" in said.stderr


def test_tables_are_exported(run: Run, tmp_path: Path) -> None:
    from barlow_core.analyses import explain_run

    explain_run(run, workers=1, depth=1, checks=Checks(held_out="none"))
    export_tables(run, tmp_path, formats=["csv"])
    rules = pd.read_csv(tmp_path / "search_rules.csv")
    assert rules["rule"].tolist() == found_rules(run)["rule"].tolist()
    assert len(rules["weights"].iloc[0].split()) == len(rules["features"].iloc[0].split())
    assert len(pd.read_csv(tmp_path / "search_groups.csv")) == 3
    images = pd.read_csv(tmp_path / "search_rule_images.csv")
    per_rule = images.groupby(["group", "number"])["failure"].agg(["size", "sum"])
    expected = rules.set_index(["group", "number"]).loc[per_rule.index, ["n_images", "n_failures"]]
    assert per_rule.to_numpy().tolist() == expected.to_numpy().tolist()
    assert (images["value"] > 0).all()


def test_the_images_of_a_rule_are_read_without_the_features(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As stored and as worked out from the features they are the same, in the same order; and each follows the rule."""
    rules = [FoundRule(row) for row in found_rules(run).to_dict("records")]
    with monkeypatch.context() as gone:
        gone.setattr(Run, "features", lambda self: pytest.fail("features were read"))
        stored = [rule_images(run, rule) for rule in rules]
        strongest = [strongest_images(run, rule) for rule in rules]
    (run.path / "search_images.parquet").rename(run.path / "away.parquet")
    computed = [rule_images(run, rule) for rule in rules]
    again = [strongest_images(run, rule) for rule in rules]
    (run.path / "away.parquet").rename(run.path / "search_images.parquet")
    for rule, one, other in zip(rules, stored, computed, strict=True):
        assert one.tolist() == other.tolist()
        assert len(one) == rule.row["n_images"]
        values = rule.direction.values(np.asarray(run.features()), one)
        assert (values > rule.threshold).all()
        assert (np.diff(values) <= 0).all()
        assert (run.benchmark.failure[one].sum()) == rule.row["n_failures"]
    for rule, one, other in zip(rules, strongest, again, strict=True):
        assert list(one) == list(other) == list(rule.short.features[:5])
        assert [images.tolist() for images in one.values()] == [images.tolist() for images in other.values()]
