from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from conftest import with_features

from barlow_core.errors import BarlowError
from barlow_core.run import Run
from barlow_core.views.judgements import FILE, Judgements, judgement_words

NOBODY = 65534


@pytest.fixture
def judgements(planted_run: Run) -> Judgements:
    return Judgements(planted_run)


def names(judgements: Judgements) -> list[str]:
    return judgements.table()["name"].tolist()


def test_what_is_said_is_kept_with_author_and_time(judgements: Judgements, planted_run: Run) -> None:
    before = datetime.now(UTC)
    said = judgements.record(
        7,
        author=" Ada ",
        group="label:truck",
        rule="feature[7] < 0.5000",
        name="  wheels ",
        verdict="necessary",
        comment="Müde Räder",
        action="data collection",
    )
    assert said[:1] + said[2:] == (
        1,
        "Ada",
        7,
        "label:truck",
        "feature[7] < 0.5000",
        "wheels",
        "necessary",
        "Müde Räder",
        "data collection",
        True,
    )
    assert abs((datetime.fromisoformat(said.at) - before).total_seconds()) < 60
    again = Judgements(Run(planted_run.path))
    assert again.of_feature(7) == [said]
    assert judgement_words(said) == f"“wheels”: necessary; data collection. Müde Räder (Ada, {said.at[:10]})"


def test_only_the_last_word_of_an_author_on_a_subject_stands(judgements: Judgements) -> None:
    judgements.record(7, author="Ada", name="wheels")
    judgements.record(7, author="Ada", group="label:truck", name="tyres")
    judgements.record(7, author="Bob", name="rubber")
    judgements.record(7, author="Ada", name="round things")
    assert names(judgements) == ["round things", "rubber", "tyres"]
    history = judgements.history()
    assert history["name"].tolist() == ["wheels", "tyres", "rubber", "round things"]
    assert history["replaced"].tolist() == [True, False, False, False]
    assert not history["undone"].any()
    assert judgements.history(3).empty


def test_what_is_closest_to_the_place_is_shown(judgements: Judgements) -> None:
    assert judgements.latest(7, "label:truck") is None
    elsewhere = judgements.record(7, author="Ada", group="label:cat", name="elsewhere")
    assert judgements.latest(7, "label:truck", "rule") == elsewhere
    anywhere = judgements.record(7, author="Ada", name="anywhere")
    judgements.record(7, author="Ada", group="label:dog", name="elsewhere again")
    assert judgements.latest(7, "label:truck", "rule") == anywhere
    group = judgements.record(7, author="Ada", group="label:truck", name="group")
    assert judgements.latest(7, "label:truck", "rule") == group
    rule = judgements.record(7, author="Ada", group="label:truck", rule="rule", name="rule")
    judgements.record(7, author="Ada", group="label:truck", name="group, later")
    assert judgements.latest(7, "label:truck", "rule") == rule
    assert judgements.latest(3) is None


def test_undo_and_redo_go_back_and_forth(judgements: Judgements) -> None:
    assert judgements.undo(author="Ada") is None
    for name in ("one", "two", "three"):
        judgements.record(7, author="Ada", name=name)
    judgements.record(7, author="Bob", name="rubber")
    assert [getattr(judgements.undo(author="Ada"), "name", None) for _ in range(2)] == ["three", "two"]
    assert names(judgements) == ["rubber", "one"], "the word before stands again, and the other's stays"
    assert getattr(judgements.redo(author="Ada"), "name", None) == "two"
    assert names(judgements) == ["rubber", "two"]
    assert (judgements.can_undo("Ada"), judgements.can_redo("Ada")) == (True, True)
    judgements.record(7, author="Ada", name="four")
    assert not judgements.can_redo("Ada"), "whoever says something new gives up what was taken back"
    assert judgements.redo(author="Ada") is None
    assert judgements.history().query("undone")["name"].tolist() == ["three"]
    assert judgements.undo(author="Nobody") is None
    while judgements.undo(author="Ada"):
        pass
    assert names(judgements) == ["rubber"]
    assert len(judgements.history()) == 5, "the history only grows"


def test_one_s_own_word_can_be_taken_back_by_its_number(judgements: Judgements) -> None:
    first = judgements.record(7, author="Ada", name="one")
    judgements.record(3, author="Ada", name="two")
    assert judgements.undo(author="Ada", number=first.number) == first
    assert names(judgements) == ["two"]
    for author, number in (("Ada", first.number), ("Bob", 2), ("Ada", 99)):
        with pytest.raises(BarlowError, match=f"Judgement {number} is not one of {author}'s"):
            judgements.undo(author=author, number=number)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"author": " ", "name": "wheels"}, "needs an author"),
        ({"name": "  "}, "says nothing"),
        ({"verdict": "good"}, "'good'.*necessary, spurious, unsure"),
        ({"action": "pray"}, "'pray'.*data collection"),
        ({"name": "wheels", "rule": "feature[7] < 1"}, "without its group"),
        ({"name": "wheels", "feature": 12}, "Feature 12 does not exist.*0 to 11"),
    ],
)
def test_what_makes_no_judgement_is_refused(judgements: Judgements, said: dict[str, str], message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        judgements.record(**{"feature": 7, "author": "Ada"} | said)  # type: ignore[arg-type]
    assert not judgements.path.exists()


def test_after_another_extraction_they_are_about_earlier_features(judgements: Judgements, planted_run: Run) -> None:
    judgements.record(7, author="Ada", name="wheels")
    other = with_features(planted_run, np.zeros((120, 12), dtype=np.float32))
    (old,) = Judgements(other).of_feature(7)
    assert not old.current
    assert judgement_words(old).endswith("; about earlier features)")


def test_a_line_that_a_killed_writer_left_is_passed_over_and_cut_off(judgements: Judgements) -> None:
    judgements.record(7, author="Ada", name="one")
    whole = judgements.path.read_bytes()
    for cut in (1, 20, len(whole) - 1):
        judgements.path.write_bytes(whole + whole[:cut])
        assert names(judgements) == ["one"]
    judgements.record(7, author="Bob", name="two")
    assert names(judgements) == ["two", "one"]
    assert [json.loads(line)["name"] for line in judgements.path.read_text("utf-8").splitlines()] == ["one", "two"]


def test_a_damaged_line_is_named_and_can_be_emptied(judgements: Judgements) -> None:
    for name in ("one", "two", "three"):
        judgements.record(7, author=name, name=name)
    lines = judgements.path.read_bytes().splitlines(keepends=True)
    for damage in (b"{]\n", b"[1]\n", b'{"event": "judge"}\n', b"\xff\n"):
        judgements.path.write_bytes(lines[0] + damage + lines[2])
        with pytest.raises(BarlowError, match=r"judgements\.jsonl, line 2 is damaged"):
            judgements.table()
    judgements.path.write_bytes(lines[0] + b"\n" + lines[2])
    assert names(judgements) == ["three", "one"]
    assert getattr(judgements.undo(author="three"), "number", None) == 3


WRITER = """
import sys
from barlow_core.views.judgements import Judgements
from barlow_core.run import Run
judgements = Judgements(Run(sys.argv[1]))
print("ready", flush=True)
i = 0
while i < int(sys.argv[3]):
    judgements.record(i % 12, author=sys.argv[2], name=f"{sys.argv[2]} {i}")
    print(i, flush=True)
    i += 1
"""


def test_writers_at_the_same_time_lose_nothing_and_one_that_is_killed_harms_nobody(planted_run: Run) -> None:
    writers = {
        name: subprocess.Popen([sys.executable, "-c", WRITER, str(planted_run.path), name, n], stdout=subprocess.PIPE, text=True)
        for name, n in (("Ada", "60"), ("Bob", "60"), ("Eve", "1000000"))
    }
    said = dict.fromkeys(writers, 0)
    for line in iter(writers["Eve"].stdout.readline, ""):  # type: ignore[union-attr]
        if line.strip() == "25":
            break
    writers["Eve"].kill()
    for name, writer in writers.items():
        out, _ = writer.communicate(timeout=60)
        said[name] = 26 * (name == "Eve") + len([line for line in out.split() if line != "ready"])
    history = Judgements(Run(planted_run.path)).history()
    counts = history["author"].value_counts()
    assert (counts["Ada"], counts["Bob"]) == (60, 60)
    # The last one may be on the disk without having been reported.
    assert said["Eve"] <= counts["Eve"] <= said["Eve"] + 1
    for name, own in history.groupby("author"):
        assert own["name"].tolist() == [f"{name} {i}" for i in range(len(own))], "in the order in which each wrote"


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that other users can reach; pytest's own are private."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_folder_that_cannot_be_written_says_so_and_can_be_read(planted_run: Run, shared_folder: Path) -> None:
    Judgements(planted_run).record(7, author="Ada", name="wheels")
    path = Path(shutil.copytree(planted_run.path, shared_folder / "run"))
    for each in (path, *path.rglob("*")):
        each.chmod(0o555 if each.is_dir() else 0o444)
    root = os.geteuid() == 0  # who may write everywhere, and so steps down for this test
    judgements = Judgements(Run(path))
    try:
        if root:
            os.seteuid(NOBODY)
        assert not judgements.writable
        assert names(judgements) == ["wheels"]
        for attempt in (lambda: judgements.record(7, author="Ada", name="tyres"), lambda: judgements.undo(author="Ada")):
            with pytest.raises(BarlowError, match=rf"{FILE} cannot be written.*not kept"):
                attempt()
    finally:
        if root:
            os.seteuid(0)
        path.chmod(0o755)
    assert names(judgements) == ["wheels"]
    assert Judgements(planted_run).writable
