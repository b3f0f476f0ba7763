"""A group of images of one's own choice, from the file that names them to what the run keeps of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from barlow_core import groups
from barlow_core.analyses import explain_run, load_analysis
from barlow_core.cli import cli
from barlow_core.errors import BarlowError
from barlow_core.failure_modes import explain
from barlow_core.run import Run

CHOSEN = np.arange(120) % 2 == 0


def barlow(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def even(folder: Path) -> Path:
    path = folder / "even.txt"
    path.write_text("".join(f"{i:03d}.png\n" for i in np.flatnonzero(CHOSEN)))
    return path


def test_the_command_explains_a_mask_and_the_run_keeps_it(planted_run: Run, tmp_path: Path) -> None:
    path = even(tmp_path)
    result = barlow("explain", planted_run.path, "--mask", f"even={path}", "--workers", "1", "--held-out", "none", "--quiet")
    assert result.exit_code == 0, result.output
    path.unlink()  # the run does without it from now on
    run = Run(planted_run.path)
    expected = explain(run.features()[CHOSEN], run.benchmark.failure[CHOSEN], min_leaf=None)
    assert load_analysis(run, "mask:even").tree == expected.tree
    assert run.groups().set_index("group").loc["mask:even", "n_images"] == 60
    assert groups.parse(run.benchmark, "mask:even").indices.tolist() == np.flatnonzero(CHOSEN).tolist()
    about = run.info["masks"]["even"]
    assert (about["source"], about["n_images"]) == (str(path), 60)
    again = barlow("explain", run.path, "--group", "mask:even", "--workers", "1", "--held-out", "none", "--quiet", "--depth", "2")
    assert again.exit_code == 0, again.output
    shown = json.loads(barlow("show", run.path, "mask:even", "--depth", "1", "--json").output)
    assert shown["n_images"] == 60


def test_a_mask_survives_what_leaves_the_images_as_they_are(planted_run: Run) -> None:
    planted_run.add_mask("even", CHOSEN, source="notebook")
    benchmark = planted_run.benchmark
    plain = dataclasses.replace(benchmark, masks={})
    assert benchmark.predictions is not None
    for same in (plain, plain.with_predictions((benchmark.predictions + 1) % 3)):
        run = Run.create(planted_run.path, same, overwrite=True)
        assert run.benchmark.masks["even"].tolist() == CHOSEN.tolist()
        assert Run(run.path).benchmark.masks["even"].tolist() == CHOSEN.tolist()
        assert run.info["masks"]["even"]["source"] == "notebook"
    fewer = dataclasses.replace(
        plain,
        attributes=plain.attributes[:60],
        **{name: getattr(plain, name)[:60] for name in ("names", "labels", "digests", "predictions", "confidence")},
    )
    run = Run.create(planted_run.path, fewer, overwrite=True)
    assert Run(run.path).benchmark.masks == {}, "it was a choice among other images"


def test_only_what_was_explained_with_a_mask_that_changed_is_done_again(
    planted_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted_run.add_mask("even", CHOSEN)
    planted_run.add_mask("first", np.arange(120) < 60)
    explain_run(planted_run, keys=["mask:even", "mask:even"], workers=1, depth=1)
    planted_run.add_mask("even", CHOSEN)
    planted_run.add_mask("first", np.arange(120) < 70)
    assert planted_run.is_current("explain"), "nothing that it was made from has changed"
    planted_run.add_mask("even", ~CHOSEN)
    assert not planted_run.is_current("explain")
    assert not Run(planted_run.path).is_current("explain")
    done: list[str] = []
    analyse = explain_run.__globals__["analyse_group"]
    monkeypatch.setitem(
        explain_run.__globals__, "analyse_group", lambda rows, group, *rest: done.append(group.key) or analyse(rows, group, *rest)
    )
    explain_run(planted_run, keys=["mask:even"], workers=1, depth=1)
    assert done == ["mask:even"]
    failure = planted_run.benchmark.failure
    assert load_analysis(planted_run, "mask:even").n_failures == failure[~CHOSEN].sum() != failure[CHOSEN].sum()


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros(120, dtype=bool), "and 0 values that are not 0"),
        (np.ones(12, dtype=bool), r"shape \(12,\)"),
        (np.ones(120, dtype=np.int64), "an array of int64"),
    ],
)
def test_what_is_no_mask_is_refused(planted_run: Run, mask: np.ndarray, message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        planted_run.add_mask("odd", mask)
    with pytest.raises(BarlowError, match="called ' '"):
        planted_run.add_mask(" ", CHOSEN)
    assert "masks" not in planted_run.info


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--mask", "even.txt"), "'even.txt' is not NAME=FILE, such as night=night.txt"),
        (("--mask", "=even.txt"), "is not NAME=FILE"),
        (("--mask", "even=nowhere.txt"), "nowhere.txt: no such file"),
        (("--group", "mask:odd"), "No mask is called 'odd'. Available: even. Add one: barlow explain RUN --mask odd=FILE"),
    ],
)
def test_mistakes_with_masks_are_told(planted_run: Run, options: tuple[str, ...], message: str) -> None:
    planted_run.add_mask("even", CHOSEN)
    result = barlow("explain", planted_run.path, *options)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


def test_a_mask_that_is_gone_is_named_with_where_it_came_from(planted_run: Run) -> None:
    planted_run.add_mask("even", CHOSEN, source="even.txt")
    for path in (planted_run.path / "masks").iterdir():
        path.unlink()
    with pytest.raises(BarlowError, match="the mask 'even', is missing or damaged .*--mask even=even.txt"):
        _ = Run(planted_run.path).benchmark
