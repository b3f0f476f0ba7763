"""The interviews in the study file: who sees what, the clock, what is kept, who can read it, and taking it back."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_clock import FakeClock
from interviewed import STATEMENTS, go_through, join, prepared

from barlow_core.errors import BarlowError
from study.errors import RefusedError
from study.protocol import Protocol, read_protocol
from study.store import StudyStore
from study.store.interviews import drawing
from study.store.interviews.opinions import LAST_TOGETHER, TOGETHER

Make = Callable[..., StudyStore]


# --- who sees what


def test_a_thousand_participants_are_spread_evenly_over_both_places(store: StudyStore) -> None:
    prepared(store, n=12, easy=5, seed=7)
    first: Counter[str] = Counter()
    second: Counter[str] = Counter()
    with store._file.writing() as (tx, now):
        for number in range(1, 1001):
            tx.execute("INSERT INTO interview_participant (id, guided, invited_at) VALUES (?, 1, ?)", (number, now.utc))
            drawn = drawing.draw(tx, number, 7)
            assert drawn["first"] != drawn["second"]
            first[drawn["first"]] += 1
            second[drawn["second"]] += 1
            if number % 5 == 0:
                assert set(first.values()) == {number // 5}
    assert dict(first) == {f"label:class {i}": 200 for i in range(5)}
    assert len(second) == 12
    assert max(second.values()) - min(second.values()) <= 2
    pairs = Counter()
    for row in store.interviews.tables().assignments.pivot(index="participant", columns="place", values="grouping").itertuples():  # type: ignore[union-attr]
        pairs[row[1], row[2]] += 1
    assert len(pairs) > 50  # of 55 possible: the second place does not depend on the first


def test_the_draw_follows_the_seed_and_is_in_the_trail(make_store: Make) -> None:
    drawn = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        store = make_store(f"{name}.sqlite")
        interviews = prepared(store, seed=seed)
        numbers = [join(interviews) for _ in range(8)]
        drawn.append([interviews.participant(number).groupings for number in numbers])
        events = store.events()
        logged = [json.loads(data) for data in events.loc[events["kind"] == "interview", "data"]]
        assigned = [one for one in logged if one["did"] == "assigned"]
        assert [(one["first"], one["second"]) for one in assigned] == drawn[-1]
        assert {one["seed"] for one in assigned} == {seed}
        assert assigned[0]["first_out_of"] == 2
        assert assigned[1]["first_out_of"] == 1
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_place_of_somebody_who_withdrew_goes_to_others(store: StudyStore) -> None:
    interviews = prepared(store)
    number = join(interviews)
    first = interviews.participant(number).groupings[0]
    interviews.withdraw(number)
    again = [interviews.participant(join(interviews)).groupings[0] for _ in range(2)]
    assert first in again
    assert len(set(again)) == 2


# --- the session


def test_the_clock_runs_without_breaks_through_set_clocks_and_restarts(store: StudyStore, clock: FakeClock) -> None:
    interviews = prepared(store)
    number = join(interviews, start=False)
    clock.advance(500)
    assert interviews.participant(number).seconds == 0
    interviews.start(number)
    clock.advance(60)
    clock.set_wall(-7200)
    assert interviews.participant(number).seconds == pytest.approx(60)
    interviews.take_break(number)
    clock.advance(300)
    assert interviews.participant(number).seconds == pytest.approx(60)
    assert interviews.participant(number).on_break
    interviews.go_on(number)
    clock.advance(30)
    clock.reboot(10)
    assert interviews.participant(number).seconds == pytest.approx(100)
    interviews.finish(number)
    clock.advance(50)
    assert interviews.participant(number).seconds == pytest.approx(100)
    interviews.reopen(number)
    clock.advance(5)
    assert interviews.participant(number).seconds == pytest.approx(105)
    assert store.check() == []


def test_parts_can_be_moved_and_given_other_lengths(store: StudyStore) -> None:
    interviews = prepared(store)
    number = join(interviews)
    assert interviews.participant(number).part == "introduction"
    interviews.move(number, "first")
    interviews.move(number, "scenario")
    plan = [("introduction", 5), ("first", 30), ("scenario", 2), ("second", 16), ("survey", 7)]
    interviews.set_plan(number, plan)
    assert interviews.participant(number).plan == tuple((part, float(minutes)) for part, minutes in plan)
    assert interviews.participant(number).part == "scenario"
    with pytest.raises(BarlowError, match="every part once"):
        interviews.set_plan(number, plan[:-1])
    with pytest.raises(BarlowError, match="expected a number from 1 to 240"):
        interviews.set_plan(number, [*plan[:-1], ("survey", 0)])
    with pytest.raises(BarlowError, match="no part 'lunch'"):
        interviews.move(number, "lunch")
    interviews.finish(number)
    with pytest.raises(RefusedError, match="P1 is over"):
        interviews.move(number, "first")


# --- what is kept


def test_answers_are_kept_piece_by_piece_and_what_stood_there_before_is_in_the_trail(store: StudyStore) -> None:
    interviews = prepared(store)
    number = join(interviews)
    grouping = interviews.participant(number).groupings[0]
    feature = interviews.grouping(grouping)["features"][1]
    interviews.answer_feature(number, grouping, feature, describes=None, description="", difficulties=[])
    interviews.answer_actions(number, grouping, actions=[], text="")
    assert interviews.tables().features.empty  # type: ignore[union-attr]
    assert interviews.tables().actions.empty  # type: ignore[union-attr]
    interviews.answer_feature(number, grouping, feature, describes="no", difficulties=["several_concepts", "other"])
    interviews.answer_feature(number, grouping, feature, difficulty="sky and =wires")
    interviews.answer_feature(number, grouping, feature, describes="partly")
    interviews.answer_feature(number, grouping, feature, describes="partly")  # nothing new
    row = interviews.tables().features.iloc[0]  # type: ignore[union-attr]
    assert (row["describes"], row["difficulties"], row["difficulty"]) == (
        "partly",
        ["several_concepts", "other"],
        "sky and =wires",
    )
    assert row["description"] is None
    logged = [json.loads(data) for data in store.events().query("kind == 'interview'")["data"]]
    answered = [one for one in logged if one["did"] == "answered"]
    assert [one["questions"] for one in answered] == [["describes", "difficulties"], ["difficulty"], ["describes"]]
    assert answered[-1]["before"] == {"describes": "no"}
    assert store.check() == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"describes": "maybe"}, "'maybe' is none of the possible describes: yes, partly, no"),
        ({"difficulties": ["colour"]}, "'colour' is none of the possible difficulties: several_concepts"),
        ({"difficulties": "other"}, "difficulties is a list out of"),
        ({"reason": "a\0b"}, "NUL"),
        ({"description": "x" * 10_001}, "at most 10,000 characters"),
        ({"mood": "fine"}, "no question 'mood' about a feature"),
    ],
)
def test_an_answer_that_is_none_is_refused_and_nothing_is_kept(store: StudyStore, given: dict, message: str) -> None:
    interviews = prepared(store)
    number = join(interviews)
    grouping = interviews.participant(number).groupings[0]
    with pytest.raises(BarlowError, match=message):
        interviews.answer_feature(number, grouping, interviews.grouping(grouping)["features"][0], **given)
    assert interviews.tables().features.empty  # type: ignore[union-attr]


def test_nobody_answers_what_they_were_not_shown(store: StudyStore) -> None:
    interviews = prepared(store)
    number = join(interviews)
    groupings = interviews.participant(number).groupings
    other = next(f"label:class {i}" for i in range(6) if f"label:class {i}" not in groupings)
    with pytest.raises(RefusedError, match="P1 was not given the grouping"):
        interviews.answer_actions(number, other, actions=["labels"])
    with pytest.raises(RefusedError, match="has no feature 99"):
        interviews.answer_feature(number, groupings[0], 99, describes="yes")
    invited = interviews.invite("somebody")
    with pytest.raises(RefusedError, match="P2 has not registered yet"):
        interviews.answer_actions(invited, other, actions=["labels"])
    with pytest.raises(RefusedError, match="no participant P9; 2 were invited"):
        interviews.start(9)
    interviews.screen_out(invited)
    with pytest.raises(RefusedError, match="does not fulfil the requirement"):
        interviews.register(invited, "researcher", "5-10")


KILLED = """
import os, sys
from study.store import StudyStore
interviews = StudyStore(sys.argv[1]).interviews
number = int(sys.argv[2])
grouping = interviews.participant(number).groupings[0]
feature = interviews.grouping(grouping)["features"][0]
for n in range(10_000):
    interviews.answer_feature(number, grouping, feature, description=f"version {n}")
    interviews.quote(number, f"quote {n}")
    os.write(1, f"{n}\\n".encode())
"""


def test_what_was_acknowledged_survives_a_kill(make_store: Make) -> None:
    store = make_store()
    number = join(prepared(store))
    store.close()
    server = subprocess.Popen([sys.executable, "-c", KILLED, str(store.path), str(number)], stdout=subprocess.PIPE)
    assert server.stdout is not None
    for _ in range(5):
        server.stdout.readline()
    server.send_signal(signal.SIGKILL)
    lines = server.stdout.read().decode().splitlines(keepends=True)
    assert server.wait() == -signal.SIGKILL
    last = int([line for line in ["4\n", *lines] if line.endswith("\n")][-1])
    with StudyStore(store.path) as again:
        tables = again.interviews.tables()
        assert tables is not None
        assert int(tables.features["description"].iloc[0].split()[1]) >= last
        assert set(tables.quotes["text"]) >= {f"quote {n}" for n in range(last + 1)}
        assert again.check() == []


# --- the closing survey


def test_the_survey_counts_in_groups_so_that_nobodys_own_can_be_told(store: StudyStore, tmp_path: Path) -> None:
    interviews = prepared(store)
    numbers = [join(interviews, role) for role in ["researcher"] * (TOGETHER + LAST_TOGETHER)]
    seen = []
    for place, number in enumerate(numbers, 1):
        go_through(interviews, number, level=1 + place % 5)
        tables = interviews.tables(survey=True)
        assert tables is not None
        seen.append((tables.n_opinions, tables.n_waiting))
        assert tables.statements["n"].sum() == tables.n_opinions * len(STATEMENTS)
        interviews.export(tmp_path / str(place))
        counted = (tmp_path / str(place) / "statements.csv").read_text()
        assert counted == (tmp_path / str(place - 1) / "statements.csv").read_text() if place not in (1, 5, 8) else counted
    assert seen == [(0, 1), (0, 2), (0, 3), (0, 4), (5, 0), (5, 1), (5, 2), (8, 0)]
    assert sorted(path.name for path in (tmp_path / "8").iterdir()) == [
        f"{name}.csv"
        for name in ("actions", "assignments", "codings", "features", "groupings", "participants", "quotes", "statements")
    ]
    for path in (tmp_path / "8").iterdir():
        text = path.read_text()
        assert ("useful" in text) == (path.name == "statements.csv")
        if path.name == "statements.csv":
            assert text.splitlines()[0] == "statement,level,n"


def test_nothing_but_the_sums_reads_the_survey(store: StudyStore, tmp_path: Path) -> None:
    """SQLite itself says which tables are read: nothing that the interviewer's screen and the trail use looks at the opinions."""
    interviews = prepared(store)
    number = join(interviews)
    go_through(interviews, number)
    read: list[str] = []

    def note(action: int, table: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_READ and table:
            read.append(table)
        return sqlite3.SQLITE_OK

    with store._file.reading() as db:
        db.conn.set_authorizer(note)
    interviews.participant(number)
    interviews.tables()
    interviews.protocol, interviews.codes(), interviews.grouping("label:class 0")
    store.events()
    assert "interview_quote" in read
    assert "interview_opinion" not in read
    interviews.tables(survey=True)
    assert "interview_opinion" in read


def test_the_file_itself_leads_from_no_opinion_to_a_participant(store: StudyStore) -> None:
    interviews = prepared(store)
    for level in (1, 5):
        go_through(interviews, join(interviews), level)
    connection = sqlite3.connect(store.path)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(interview_opinion)")]
    assert columns == ["token", "answers", "sent", "released"]  # no number, no time
    with pytest.raises(sqlite3.OperationalError, match="no such column: rowid"):  # and no order
        connection.execute("SELECT rowid FROM interview_opinion")
    trail = [row[0] for row in connection.execute("SELECT data FROM event WHERE kind = 'interview'")]
    connection.close()
    assert not [data for data in trail if "useful" in data]


def test_a_survey_is_kept_while_it_is_filled_in_and_closed_when_it_is_sent(store: StudyStore) -> None:
    interviews = prepared(store)
    number = join(interviews)
    interviews.save_opinion(number, {"useful": 4}, "of this browser")
    assert interviews.opinion_draft(number, "of this browser") == {"useful": 4}
    for other in ("", "of another browser"):
        assert interviews.opinion_draft(number, other) == {}
    for wrong in ({"useful": 6}, {"useful": True}, {"nice": 3}):
        with pytest.raises(BarlowError):
            interviews.save_opinion(number, wrong, "of this browser")
    interviews.send_opinion(number)
    interviews.save_opinion(number, {"useful": 1}, "of this browser")
    assert interviews.opinion_draft(number, "of this browser") == {}
    assert interviews.participant(number).surveyed
    with store._file.reading() as db:
        assert [row[0] for row in db.conn.execute("SELECT answers FROM interview_opinion")] == ['{"useful": 4}']


# --- coding


def test_two_coders_read_the_texts_that_there_are(store: StudyStore) -> None:
    interviews = prepared(store)
    number = join(interviews)
    grouping = interviews.participant(number).groupings[0]
    feature = interviews.grouping(grouping)["features"][0]
    with pytest.raises(RefusedError, match="wrote no text about actions"):
        interviews.code("actions", number, grouping, None, coder="anna", codes=["labels"])
    interviews.answer_actions(number, grouping, text="relabel")
    interviews.answer_feature(number, grouping, feature, difficulty="two things")
    for coder, codes in (("anna", ["labels"]), ("bert", ["labels", "training"]), ("anna", ["labels", "none"])):
        interviews.code("actions", number, grouping, None, coder=coder, codes=codes)
    interviews.code("difficulties", number, grouping, feature, coder="anna", codes=["several_concepts"])
    with pytest.raises(BarlowError, match="none of the possible actions"):
        interviews.code("actions", number, grouping, None, coder="anna", codes=["sleep"])
    found = interviews.tables().codings  # type: ignore[union-attr]
    assert found[["what", "coder", "codes", "feature"]].values.tolist() == [
        ["actions", "anna", ["labels", "none"], -1],
        ["actions", "bert", ["labels", "training"], -1],
        ["difficulties", "anna", ["several_concepts"], feature],
    ]


# --- taking it back


def test_a_withdrawal_leaves_nothing_in_the_file_its_log_and_its_backups(store: StudyStore) -> None:
    interviews = prepared(store)
    number, other = join(interviews), join(interviews)
    go_through(interviews, other)
    grouping = interviews.participant(number).groupings[0]
    interviews.answer_actions(number, grouping, text="SECRET-ACTION")
    interviews.answer_actions(number, grouping, text="SECRET-CHANGED")
    interviews.quote(number, "SECRET-QUOTE")
    interviews.code("actions", number, grouping, None, coder="SECRET-CODER", codes=["labels"])
    interviews.save_opinion(number, {"useful": 1}, "key")
    copy = store.backup()
    done = interviews.withdraw(number)
    assert done.pseudonym == "P1"
    assert done.cleaned == (copy,)
    for path in (*store.path.parent.glob("study.sqlite*"), copy):
        if path.is_file():
            assert b"SECRET" not in path.read_bytes(), path
    assert store.check() == []
    tables = interviews.tables(survey=True)
    assert tables is not None
    assert tables.participants["state"].tolist() == ["withdrawn", "finished"]
    assert set(tables.features["participant"]) == {"P2"}
    with store._file.reading() as db:
        assert db.conn.execute("SELECT count(*) FROM interview_opinion").fetchone()[0] == 1
    with pytest.raises(RefusedError, match="P1 has withdrawn"):
        interviews.quote(number, "more")
    with StudyStore.restore(copy, store.path) as restored:
        assert restored.interviews.participant(number).state == "withdrawn"
        assert restored.check() == []


def test_going_back_says_what_would_be_lost_and_keeps_withdrawals_and_numbers(store: StudyStore) -> None:
    interviews = prepared(store)
    early = store.backup()
    first = join(interviews)
    copy = store.backup()
    interviews.quote(first, "later")
    second = join(interviews)
    interviews.withdraw(second)
    lost = store.would_lose(copy)
    assert (lost.answers, lost.interviewed) == (0, 2)
    store.close()
    with StudyStore.restore(early, store.path) as restored:
        assert restored.interviews.invite("next") == 3  # P2 stays gone and is nobody else
        assert restored.interviews.participant(2).state == "withdrawn"
        assert restored.check() == []


def test_check_finds_what_is_wrong_with_interviews(store: StudyStore) -> None:
    interviews = prepared(store)
    number = join(interviews)
    go_through(interviews, number)
    with store._file.writing() as (tx, _):
        tx.execute("UPDATE interview_feature_answer SET feature = 999 WHERE rowid = 1")
        tx.execute("DELETE FROM interview_opinion")
        tx.execute("UPDATE interview_participant SET state = 'screened_out' WHERE id = ?", (number,))
    found = " ".join(store.check())
    assert "feature 999 of label:class" in found
    assert "0 closing surveys are kept, but 1 participants" in found
    assert "P1 is screened_out, but something of theirs is still kept" in found


def test_the_fingerprint_follows_an_interview(store: StudyStore) -> None:
    interviews = prepared(store)
    before = store.fingerprint()
    number = join(interviews)
    after = store.fingerprint()
    assert before != after
    interviews.look(number, node=1)
    assert store.fingerprint() == after


# --- the protocol


def test_a_study_may_replace_what_is_asked(store: StudyStore, tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(
        'scenario = "Ours."\nactions = [["buy", "Buy data"], ["none", "Nothing"]]\n[statements]\nfine = "It is fine."\n'
    )
    protocol = read_protocol(path)
    assert protocol.statements == (("fine", "It is fine."),)
    interviews = store.interviews
    interviews.create(protocol, [{"id": "label:a", "easy": True}, {"id": "label:b", "easy": False}])
    assert interviews.protocol == protocol
    with pytest.raises(BarlowError, match="has interviews already"):
        interviews.create(Protocol(), [])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scenery": "x"}, "no 'scenery'. Available: title"),
        ({"actions": []}, "actions is empty"),
        ({"actions": [["Buy Data", "x"]]}, "'Buy Data' is not a value"),
        ({"roles": [["a", "x"], ["a", "y"]]}, "lists a value twice"),
        ({"parts": [{"id": "introduction", "title": "I", "minutes": 1}]}, "each once; found introduction"),
        ({"scenario": 3}, "scenario must be a text"),
    ],
)
def test_a_protocol_that_cannot_be_is_refused(given: dict, message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        Protocol().changed(given)


def test_interviews_need_groupings_and_one_of_them_easy(store: StudyStore) -> None:
    with pytest.raises(BarlowError, match="found 1, 1 of them easy"):
        store.interviews.create(Protocol(), [{"id": "label:a", "easy": True}])
    assert store.interviews.protocol is None
    with pytest.raises(BarlowError, match="no interviews yet"):
        store.interviews.invite("x")
