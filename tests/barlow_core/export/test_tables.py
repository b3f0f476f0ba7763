from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from barlow_core import views
from barlow_core.errors import BarlowError
from barlow_core.export import export_tables, frames
from barlow_core.run import Run
from barlow_core.views.feature_names import FeatureName
from barlow_core.views.judgements import Judgements


def test_every_format_holds_the_same(explained_run: Run, tmp_path: Path) -> None:
    Judgements(explained_run).record(7, author="Ada", name="wheels, „round“\nthings")
    written = export_tables(explained_run, tmp_path, formats=("csv", "parquet", "json"), judgements=Judgements(explained_run))
    names = ["images", "groups", "failure_modes", "failure_mode_images", "judgements"]
    assert [path.name for path in written] == [f"{name}.{form}" for name in names for form in ("csv", "parquet", "json")]
    for name in names:
        parquet = pd.read_parquet(tmp_path / f"{name}.parquet")
        csv = pd.read_csv(tmp_path / f"{name}.csv", dtype={"split": "str"})
        records = json.loads((tmp_path / f"{name}.json").read_text("utf-8"))
        assert list(csv.columns) == list(parquet.columns) == list(records[0])
        assert len(csv) == len(parquet) == len(records) > 0
        for column in parquet.select_dtypes("number"):
            as_json = pd.Series([record[column] for record in records])
            for values in (csv[column], as_json):
                np.testing.assert_allclose(values.astype("float64"), parquet[column].astype("float64"), rtol=1e-13, atol=1e-15)
    said = json.loads((tmp_path / "judgements.json").read_text("utf-8"))
    assert said[0]["name"] == pd.read_csv(tmp_path / "judgements.csv")["name"].iloc[0] == "wheels, „round“\nthings"


def test_the_lists_of_features(explained_run: Run, tmp_path: Path) -> None:
    export_tables(explained_run, tmp_path, formats=("csv", "parquet", "json"))
    stored = explained_run.failure_modes()["features"].map(list).tolist()
    assert [
        [int(part) for part in str(cell).split()] for cell in pd.read_csv(tmp_path / "failure_modes.csv")["features"]
    ] == stored
    assert [list(cell) for cell in pd.read_parquet(tmp_path / "failure_modes.parquet")["features"]] == stored
    assert [row["features"] for row in json.loads((tmp_path / "failure_modes.json").read_text("utf-8"))] == stored


def test_images_of_failure_modes_are_those_of_their_nodes(explained_run: Run) -> None:
    tables = dict(frames(explained_run, depth=1))
    table = tables["failure_mode_images"]
    modes = explained_run.failure_modes().query("depth == 1")
    assert len(table) == modes["n_images"].sum()
    assert table["failure"].sum() == modes["n_failures"].sum()
    trucks = table[table["group"] == "label:truck"]
    node = views.re_evaluate(explained_run, "label:truck", depth=1).analysis.tree.node(1)
    assert trucks["position"].tolist() == views.node_images(explained_run, "label:truck", node).tolist()
    assert (trucks["activation"] <= node.conditions[0].threshold).all()
    assert set(trucks["rule"]) == {node.rule}
    assert tables["images"]["failure"].sum() == explained_run.benchmark.failure.sum()
    assert "judgements" not in tables


def test_what_people_said_stands_beside_the_failure_modes(explained_run: Run) -> None:
    mode = views.failure_mode(explained_run, "label:truck", depth=1, leaf=1)
    judgements = Judgements(explained_run)
    judgements.record(int(mode["feature"]), author="Ada", verdict="spurious", action="augmentation or masking")
    names = {("label:truck", int(mode["feature"])): FeatureName("wheels", 3, 5, simulated=True)}
    table = dict(frames(explained_run, judgements=judgements, names=names))["failure_modes"]
    row = table[(table["group"] == "label:truck") & (table["depth"] == 1)].iloc[0]
    assert (row["judgement_verdict"], row["judgement_action"], row["judgement_author"]) == (
        "spurious",
        "augmentation or masking",
        "Ada",
    )
    assert (row["worker_name"], row["worker_support"], row["worker_n"]) == ("wheels", 3, 5)
    assert row["worker_simulated"], "nobody said it"
    assert row["rule_words"].startswith(f"feature {mode['feature']} is ")
    assert "judgement_name" not in table, "nobody gave one"
    bare = dict(frames(explained_run))["failure_modes"]
    assert list(bare.drop(columns="rule_words")) == list(explained_run.failure_modes())


def test_a_run_without_failure_modes_has_empty_tables(make_explained: object, tmp_path: Path) -> None:
    run = make_explained(tau=1.0, depth=1)  # type: ignore[operator]
    export_tables(run, tmp_path, formats=("csv", "parquet", "json"))
    assert pd.read_csv(tmp_path / "failure_mode_images.csv").empty
    assert pd.read_parquet(tmp_path / "failure_modes.parquet").empty
    assert json.loads((tmp_path / "failure_modes.json").read_text("utf-8")) == []


def test_mistakes_are_named(explained_run: Run, tmp_path: Path) -> None:
    for formats in (("csv", "xlsx"), ()):
        with pytest.raises(BarlowError, match="Expected one of: csv, parquet, json"):
            export_tables(explained_run, tmp_path, formats=formats)
    (tmp_path / "file").write_text("")
    with pytest.raises(BarlowError, match="cannot be written"):
        export_tables(explained_run, tmp_path / "file")
