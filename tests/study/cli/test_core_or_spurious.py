"""Core or spurious from the command line: every command of docs/core_or_spurious.md works, in order, and what comes of it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from small_run import small_extractor, small_run

from barlow_core.benchmark import Benchmark
from barlow_core.cli import cli
from barlow_core.run import Run
from barlow_core.views.marks import FILE, read_marks, study_marks
from study.cli.analyze import analyze
from study.store import StudyStore

TEXT = (Path(__file__).parents[3] / "docs" / "core_or_spurious.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```bash\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line
]


@pytest.fixture(scope="module")
def folder(planted_benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("marking")
    small_run(folder / "runs" / "mine", planted_benchmark, small_extractor())
    return folder


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In that folder, with pages that end at once, a network that is there, attacks that take no time, and no PDF."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("barlow_core.cli.serve.serve_app", lambda *_, **__: None)
    monkeypatch.setattr("study.cli.serving.subprocess.Popen", _Nothing)
    monkeypatch.setattr(Run, "extractor", lambda self, **_: small_extractor())
    monkeypatch.setattr("barlow_core.panels.render.default_steps", lambda side: 1)
    monkeypatch.setattr("study.setup.making.default_steps", lambda side: 1)
    monkeypatch.setattr("study.setup.making.IMAGES_PER_PANEL", 1)
    return folder


class _Nothing:
    def __init__(self, *_: object, **__: object): ...

    def terminate(self) -> None: ...

    def wait(self) -> None: ...


def barlow(*words: object) -> Result:
    return CliRunner().invoke(cli, list(map(str, words)))


@pytest.mark.parametrize("command", COMMANDS)
def test_command_works(here: Path, command: str) -> None:
    words = shlex.split(command)
    if words[1] == "rely":  # has tests of its own; what it takes are the marks
        marks = read_marks(Run(here / words[2]))
        assert set(marks.values()) == {"core", "spurious"}
        return
    if "--top" in words:  # fewer of everything
        words[words.index("--top") + 1] = "2"
        words += ["--practice", "0", "--attention", "0", "--quiet"]
    if words[2] == "create" and "same-feature" in words:
        words += ["--practice", "0", "--attention", "0", "--answers", "3", "--quiet"]
    if "--out" in words:  # drawing takes a while, and has tests of its own
        assert analyze.make_context("analyze", words[3:]).params["out"] == Path(words[-1])
        words = [*words[:-2], "--json"]
    result = barlow(*words[1:])
    assert result.exit_code == 0, result.output
    if words[2:4] == ["export", "trial.sqlite"]:
        # What the report says is what a hand count of the exported answers says.
        table = pd.read_csv(here / "answers.csv")
        votes = table["part"].eq("object").groupby(table["item"]).sum()
        numbers = json.loads(barlow("study", "analyze", "trial.sqlite", "--json").stdout)["sections"]["core_or_spurious"][
            "numbers"
        ]
        said = {one["label"]: one["value"] for one in numbers}
        assert (said["Core"], said["Spurious"]) == (str((votes >= 3).sum()), str((votes < 3).sum()))
    if "--marks-to" in words:
        assert " marks (" in result.output
        marks = study_marks("runs/mine").values()
        assert all(mark.simulated for mark in marks)
        assert {mark.confirmed_by is not None for mark in marks} == {"again.sqlite" in words}


def test_a_study_of_both_languages_a_quiz_and_own_words_is_made_whole(here: Path, tmp_path: Path) -> None:
    printed = barlow("study", "texts", "--questionnaire", "core-or-spurious", "--language", "de")
    assert 'title = "Teil des Objekts' in printed.output
    (tmp_path / "mine.toml").write_text('language = "de"\n[study]\ntitle = "Unsere Frage"\n', encoding="utf-8")
    given = ("--per-tier", 1, "--top", 1, "--practice", 1, "--attention", 1, "--quiz", "--quiet")
    both = ("--language", "en", "--language", "de", "--texts", tmp_path / "mine.toml")
    path = tmp_path / "s.sqlite"
    made = barlow("study", "create", "runs/mine", "--study", path, "--questionnaire", "core-or-spurious", *given, *both)
    assert made.exit_code == 0, made.output
    with StudyStore(path) as store:
        settings, items = store.settings, store.item_list()
        assert {item["grouping"] for item in items} == {"label"}
        (attention,) = [item for item in items if item["kind"] == "attention"]
        assert attention["expected"] == {"part": "separate", "confidence": 1}
        assert "A separate object" in attention["notice"]["en"]
        assert "Ein anderes Objekt" in attention["notice"]["de"]
        assert settings.in_language("de").title == "Unsere Frage"
        assert [len(one.quiz) for one in (settings, settings.in_language("de"))] == [3, 3]
        (practice,) = [item for item in items if item["kind"] == "practice"]
        assert "main object" in practice["feedback"]["en"]
    changed = barlow("study", "set", path, "--texts", tmp_path / "mine.toml")
    assert changed.exit_code == 0, changed.output  # what the questionnaire says stays below it


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("create", "runs/mine", "--study", "x.sqlite", "--questionnaire", "core-or-spurious", "--grouping", "pair"),
            "No group of",
        ),
        (("analyze", "plain.sqlite", "--marks-to", "runs/mine"), "did not ask whether features are core or spurious"),
        (("analyze", "open.sqlite", "--marks-to", "runs/mine"), "No feature of open.sqlite is decided yet"),
        (("analyze", "trial.sqlite", "--marks-to", "runs/mine", "--json"), "--json prints the findings"),
        (("analyze", "trial.sqlite", "--marks-to", "."), "is not a run folder"),
    ],
)
def test_mistakes_are_one_message(here: Path, words: tuple[str, ...], said: str) -> None:
    if words[1] == "plain.sqlite" and not Path("plain.sqlite").exists():
        with StudyStore.create("plain.sqlite", items=["a"]) as store:
            item = store.claim("anna")
            assert item is not None
            store.submit("anna", item.id, {"short": "fur", "long": "striped fur", "ease": 4, "confidence": 4, "useful": "B"})
    if words[1] == "open.sqlite":
        made = barlow("study", "create", "runs/mine", "--study", "open.sqlite", "--questionnaire", "core-or-spurious", "--quiet",
                      "--per-tier", 1, "--top", 1, "--practice", 0, "--attention", 0)  # fmt: skip
        assert made.exit_code == 0, made.output
    result = barlow("study", *words)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert result.stderr.count("Error: ") == 1


def test_marks_of_another_networks_features_are_refused_and_own_files_stay(here: Path) -> None:
    run = Run(here / "runs" / "mine")
    own = (run.path / FILE).read_text()
    (run.path / FILE).write_text("group,feature,mark\nlabel:a,3,core\n")
    refused = barlow("study", "analyze", "trial.sqlite", "--marks-to", run.path)
    assert refused.exit_code == 2
    assert "was not written by a study" in refused.stderr
    (run.path / FILE).write_text(own)
    info = (run.path / "run.json").read_text()
    fingerprint = run.require("extract")["extractor"]["fingerprint"]
    try:
        (run.path / "run.json").write_text(info.replace(fingerprint, "0" * len(fingerprint)))
        refused = barlow("study", "analyze", "trial.sqlite", "--marks-to", run.path)
    finally:
        (run.path / "run.json").write_text(info)
    assert refused.exit_code == 2
    assert "does not describe its images by the network" in refused.stderr
