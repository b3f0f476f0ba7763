"""From a run to interviews: trees and pictures frozen beside the study, and what participants see of them."""

from __future__ import annotations

import re
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image
from small_run import small_extractor, small_run

from barlow_core import views
from barlow_core.analyses import Checks
from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError
from barlow_core.run import Run
from study.cli import study as barlow_study
from study.participants.simulation import simulate
from study.protocol import Protocol
from study.setup.frozen_groupings import load_grouping
from study.setup.interviews import make_interviews, trees_of
from study.setup.making import make_study
from study.setup.selection import select
from study.store import StudyStore


@pytest.fixture(scope="module")
def made(planted_benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a study of all groups, answered by simulated workers, and interviews prepared from it."""
    extractor = small_extractor()
    benchmark = planted_benchmark.with_predictions(
        np.where(np.arange(120) % 3 == 0, (np.asarray(planted_benchmark.labels) + 1) % 3, planted_benchmark.labels)
    )
    run = small_run(
        tmp_path_factory.mktemp("interviews") / "run",
        benchmark,
        extractor,
        **{"depth": 2, "groupings": ["label"], "checks": Checks(held_out="none")},
    )
    chosen = select(run, groupings=["label"], top=3)
    with make_study(run, selection=chosen, extractor=extractor, images_per_panel=2, steps=1, answers_per_item=2) as store:
        simulate(store, seed=1)
        trees = trees_of(run, store)
        panels = {"extractor": extractor, "images_per_panel": 2, "steps": 1}
        make_interviews(run, store, trees, easy=list(trees.features)[:2], protocol=Protocol(), per_node=10, extremes=4, **panels)  # type: ignore[arg-type]
    return run.path


@pytest.fixture
def store(made: Path, tmp_path: Path) -> StudyStore:
    for name in ("study.sqlite", "study.sqlite.panels"):
        copy = shutil.copytree if (made / name).is_dir() else shutil.copyfile
        copy(made / name, tmp_path / name)
    return StudyStore(tmp_path / "study.sqlite")


def test_a_frozen_grouping_is_the_tree_of_the_run(store: StudyStore, made: Path) -> None:
    run = Run(made)
    tables = store.interviews.require_tables()
    assert len(tables.groupings) == 3
    assert tables.groupings["easy"].tolist() == [True, True, False]
    for row in tables.groupings.to_dict("records"):
        frozen = load_grouping(store.path, row)
        evaluation = views.re_evaluate(run, frozen.id, depth=2)
        nodes = views.node_rates(run, frozen.id, evaluation)
        for column in ("node", "n_images", "n_failures", "error_rate", "error_coverage", "split"):
            assert frozen.nodes[column].tolist() == pytest.approx(nodes[column].tolist()) if column != "split" else True
        assert frozen.nodes["split"].tolist() == nodes["split"].tolist()
        assert set(frozen.panels) == set(frozen.features) == set(row["features"])
        for node in evaluation.analysis.tree.root:
            inside = views.node_images(run, frozen.id, node)
            assert set(frozen.of_node[node.number]) <= set(inside)
            assert len(frozen.of_node[node.number]) == min(10, len(inside))
        group = views.node_images(run, frozen.id, evaluation.analysis.tree.root)
        for feature in frozen.features:
            values = np.asarray(run.features()[group, feature], dtype=np.float64)
            highest, lowest = frozen.extremes[feature]
            assert [frozen.images[p]["values"][feature] for p in highest] == pytest.approx(np.sort(values)[::-1][:4])
            assert [frozen.images[p]["values"][feature] for p in lowest] == pytest.approx(np.sort(values)[:4])
            # All of them have A, B and C: the panel of the study has the first two, another panel goes on where it ends.
            panels = [frozen.panels[feature], frozen.further[feature], frozen.lowest[feature]]
            assert [[image.index for image in panel.images] for panel in panels] == [
                list(highest[:2]),
                list(highest[2:]),
                list(lowest),
            ]
            assert panels[1].attack == panels[2].attack == panels[0].attack
            assert all(image.attacked > image.activation for image in panels[2].images)
            assert all((panel.path / image.overlay).is_file() for panel in panels for image in panel.images)
        one = frozen.images[highest[0]]
        with Image.open(one["path"]) as kept, Image.open(run.benchmark.images_dir / one["name"]) as original:
            assert np.array_equal(np.asarray(kept), np.asarray(original.convert("RGB")))
        root = frozen.nodes.iloc[0]
        assert frozen.split_of(int(root["node"])) == frozen.features[0]
        leaf = frozen.nodes[frozen.nodes["is_leaf"]].iloc[-1]
        assert frozen.split_of(int(leaf["node"])) in frozen.features


def test_pictures_that_somebody_changed_are_noticed(store: StudyStore) -> None:
    row = store.interviews.require_tables().groupings.iloc[0].to_dict()
    folder = store.path.parent / "study.sqlite.panels" / row["folder"]
    picture = next(folder.glob("i_*.png"))
    picture.write_bytes(b"x" + picture.read_bytes())
    with pytest.raises(BarlowError, match=f"{picture.name} has changed"):
        load_grouping(store.path, row)
    store.close()
    done = CliRunner().invoke(barlow_study, ["check", str(store.path)])
    assert done.exit_code == 1
    assert f"{row['grouping']} (interview) are not what was frozen" in done.output


def test_a_copy_with_pictures_has_the_groupings_too(store: StudyStore, tmp_path: Path) -> None:
    store.close()
    target = tmp_path / "copy" / "study.sqlite"
    done = CliRunner().invoke(barlow_study, ["backup", str(store.path), "--to", str(target), "--pictures"])
    assert done.exit_code == 0, done.output
    with StudyStore(target) as copy:
        for row in copy.interviews.require_tables().groupings.to_dict("records"):
            assert load_grouping(copy.path, row).panels


def test_interviews_are_prepared_once_and_for_the_run_of_the_study(store: StudyStore, made: Path) -> None:
    run = Run(made)
    trees = trees_of(run, store)
    with pytest.raises(BarlowError, match="has interviews already"):
        make_interviews(run, store, trees, easy=list(trees.features), protocol=Protocol())
    other = {"extractor": {"fingerprint": "of another network"}}
    with (
        StudyStore.create(store.path.with_name("other.sqlite"), items=store.item_list(), provenance=other) as foreign,
        pytest.raises(BarlowError, match="another network"),
    ):
        trees_of(run, foreign)


def test_a_group_that_cannot_be_easy_is_named(made: Path, tmp_path: Path) -> None:
    run = Run(made)
    with StudyStore.create(tmp_path / "other.sqlite", items=[{"id": "a", "group": "label:cat", "feature": 1}]) as other:
        trees = trees_of(run, other)
        for easy, message in (
            (["label:cow"], "'label:cow' cannot be in the easy set"),
            (["label:cat"], "there are 1 with a tree"),
        ):
            with pytest.raises(BarlowError, match=message):
                make_interviews(run, other, trees, easy=easy, protocol=Protocol())
        assert other.interviews.protocol is None
    with (
        StudyStore.create(tmp_path / "foreign.sqlite", items=["a"]) as foreign,
        pytest.raises(BarlowError, match="name no groups"),
    ):
        trees_of(run, foreign)


def test_the_command_line_from_create_to_export(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "run")
    with StudyStore(made / "study.sqlite") as whole:
        items, settings = whole.item_list(), whole.settings
    shutil.rmtree(tmp_path / "run" / "study.sqlite.panels")
    for file in (tmp_path / "run").glob("study.sqlite*"):
        file.unlink()
    study = tmp_path / "run" / "study.sqlite"
    kept = {name: getattr(settings, name) for name in ("provenance", "answers_per_item")}
    StudyStore.create(study, items=items, **kept).close()

    def barlow(*words: str, status: int = 0) -> str:
        done = CliRunner().invoke(barlow_study, ["interview", *words])
        assert done.exit_code == status, done.output
        return str(done.output)

    assert "nobody has described a feature" in barlow("create", str(tmp_path / "run"), "--quiet", status=2)
    with StudyStore(study) as store:
        simulate(store, seed=1)
    said = barlow("create", str(tmp_path / "run"), "--easiest", "2", "--dry-run")
    assert "3 groupings, 2 of them to begin with" in said
    assert "no interviews yet" in barlow("status", str(study), status=2)
    chosen = ("--easy", "label:cat", "--easy", "label:dog")
    panels = ("--extremes", "4", "--images-per-panel", "2", "--steps", "1")  # the run has these already
    said = barlow("create", str(tmp_path / "run"), *chosen, "--quiet", "--images", "5", *panels)
    assert "3 groupings, 2 of them to begin with: label:cat, label:dog." in said
    assert "The interviews are prepared." in said
    assert barlow("invite", str(study), "--n", "2").splitlines()[1].startswith("P2  http://localhost:8505/?code=")
    assert "people were invited" in barlow("simulate", str(study), status=2)
    assert "deleted" in barlow("withdraw", str(study), "p1", "--yes")
    with StudyStore(study) as store:
        number = 2
        store.interviews.register(number, "researcher", "5-10")
        first = store.interviews.participant(number).groupings[0]
        store.interviews.answer_actions(number, first, text="=more photos")
        assert first in ("label:cat", "label:dog")
    out = tmp_path / "texts.csv"
    assert "1 text in" in barlow("code", str(study), "--out", str(out))
    table = pd.read_csv(out, dtype=str, keep_default_na=False)
    assert table["choices"].iloc[0].startswith("data_collection; augmentation")
    for codes, message, status in (
        ("labels; data_collection", "1 text coded by anna", 0),
        ("sleep", "line 2: 'sleep' is none of the codes", 2),
    ):
        table.assign(codes=codes).to_csv(out, index=False)
        assert message in barlow("code", str(study), "--in", str(out), "--coder", "anna", status=status)
    assert '"P2"' in barlow("status", str(study), "--json")
    assert "Researcher" in barlow("status", str(study))
    barlow("export", str(study), str(tmp_path / "tables"))
    codings = pd.read_csv(tmp_path / "tables" / "codings.csv")
    assert codings["codes"].tolist() == ["labels; data_collection"]
    for verb in ("create", "invite", "serve", "interviewer", "status", "code", "export", "withdraw", "simulate"):
        assert "Example:" in barlow(verb, "--help")


def test_simulated_interviews_are_marked_and_whole(store: StudyStore) -> None:
    from study.participants.simulated_interviews import simulate_interviews

    simulate_interviews(store, 14, seed=2)
    tables = store.interviews.require_tables(survey=True)
    assert tables.participants["simulated"].all()
    assert set(tables.participants["state"]) == {"finished"}
    assert tables.participants["minutes"].between(30, 80).all()
    assert (tables.n_opinions, tables.n_waiting) == (14, 0)
    first = tables.assignments.query("place == 1")["grouping"].value_counts()
    assert first.tolist() == [7, 7]
    assert len(tables.actions) == 28
    assert store.check() == []


def test_a_replaced_protocol_is_simulated_as_well(store: StudyStore) -> None:
    from study.participants.simulated_interviews import simulate_interviews

    ours = replace(Protocol(), actions=(("buy", "Buy data"),), roles=(("boss", "Boss"),), statements=(("fine", "Fine."),))
    with store._file.writing() as (tx, _):
        from study.questionnaire import dumps

        tx.execute("UPDATE study SET value = ? WHERE key = 'interview'", (dumps(ours.to_data()),))
    simulate_interviews(store, 2)
    assert {tuple(actions) for actions in store.interviews.require_tables().actions["actions"]} == {("buy",)}


def test_the_commands_of_the_documentation_exist() -> None:
    page = (Path(__file__).parents[3] / "docs" / "running_interviews.md").read_text(encoding="utf-8")
    lines = [line.split() for line in re.findall(r"^barlow study interview (.*)$", page, flags=re.MULTILINE)]
    assert len(lines) >= 5
    for verb, *words in lines:
        command = barlow_study.get_command(click.Context(barlow_study), "interview")
        assert isinstance(command, click.Group)
        options = {name for parameter in command.commands[verb].params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options
    for fields in re.findall(r"^```toml\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL):
        assert Protocol().changed(tomllib.loads(fields)).actions[0] == ("new_photos", "Take new photos")


def test_a_study_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.sqlite")
    for verb, *more in (
        ["invite"],
        ["serve"],
        ["interviewer"],
        ["status"],
        ["code", "--out", "x"],
        ["export", "x"],
        ["withdraw", "P1"],
        ["simulate"],
    ):
        done = CliRunner().invoke(barlow_study, ["interview", verb, missing, *more])
        assert done.exit_code == 2, verb
        assert done.stderr.count("No study found at") == 1, verb
