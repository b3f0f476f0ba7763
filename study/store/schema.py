"""The tables of a study file: plain SQLite that Datasette, pandas or R can open.

The rules that must hold whatever happens stand here and not only in Python: an item never gets more answers than wanted (CHECK),
nobody gets an item twice (UNIQUE), nobody holds two items at a time (a partial unique index), an answer belongs to an assignment
(FOREIGN KEY), and the number of places taken on an item follows the assignments by itself (triggers). Money in `payment` is counted in
cents; `bonus` is how much of what the worker had earned by then was the bonus for checks.
"""

from __future__ import annotations

from barlow_core.errors import BarlowError
from study.questionnaire import Question, Questionnaire
from study.store.interviews.schema import TABLES_3

APPLICATION_ID = 0x42724C77  # "BrLw": tells a study from any other SQLite file
TABLES = ("study", "item", "worker", "assignment", "answer", "event")  # of every version
ITEM_KINDS = ("item", "practice", "gold", "attention")
WORKER_STATES = ("active", "blocked", "withdrawn")
# reserved: given out; accepted: answered and counted; surplus: answered late, when nobody was needed any more (paid; counted as soon
# as a place becomes free); discarded: answered by a worker who was blocked for it; expired: ran out without an answer; returned: given
# back by the worker; withdrawn: the worker took part no longer and the answer is gone.
ASSIGNMENT_STATES = ("reserved", "accepted", "surplus", "discarded", "expired", "returned", "withdrawn")
TAKES_A_PLACE = ("reserved", "accepted")
# made: written, perhaps sent to the platform; paid: the platform has paid it; void: it was not paid and never will be.
PAYMENT_FILE_STATES = ("made", "paid", "void")
EVENT_KINDS = (
    "joined",
    "shown",
    "started",
    "active",
    "draft",
    "submitted",
    "edited",
    "reported",
    "expired",
    "returned",
    "finished",
    "accepted",
    "discarded",
    "blocked",
    "reopened",
    "withdrawn",
    "configured",
    "backup",
    "restored",
    "payment",
    "rejected",
    "flagged",
    "quizzed",
    "interview",
)
# The columns of `answer` that are not questions.
ANSWER_COLUMNS = ("id", "item", "worker", "submitted_at", "edited_at", "late", "passed", "seconds", "elapsed_seconds", "token")
RESERVED_IDS = (*ANSWER_COLUMNS, "kind", "state", "simulated", "platform", "payable", "rowid", "oid")


def quoted(values: tuple[str, ...]) -> str:
    """Texts as a list of SQL literals: 'a', 'b'."""
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)


def _utc(column: str) -> str:
    return f"{column} GLOB '????-??-??T??:??:??.???Z'"


def question_column(question: Question) -> str:
    """The definition of the column that keeps the answers to `question`.

    Raises:
        BarlowError: the table needs this name for itself.
    """
    if question.id in RESERVED_IDS:
        raise BarlowError(
            f"A question cannot be called {question.id!r}: the study file uses that name itself. Choose another id."
        )
    name = f'"{question.id}"'
    if question.kind == "text":
        kind, rule = "TEXT", f"length({name}) <= {question.max_length}"
    elif question.kind == "scale":
        kind, rule = "INTEGER", f"{name} BETWEEN {question.low} AND {question.high}"
    else:
        kind, rule = "TEXT", f"{name} IN ({quoted(tuple(value for value, _ in question.options))})"
    return f"{name} {kind}{' NOT NULL' if question.required else ''} CHECK ({rule})"


def tables(questionnaire: Questionnaire) -> str:
    """The SQL that makes the tables of the newest schema; `answer` has one column a question."""
    questions = ",\n  ".join(question_column(question) for question in questionnaire.questions)
    return (
        f"""
CREATE TABLE study (
  key TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL CHECK (json_valid(value))
) STRICT;

CREATE TABLE item (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 200),
  position INTEGER NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ({quoted(ITEM_KINDS)})),
  data TEXT NOT NULL CHECK (json_valid(data)),
  expected TEXT CHECK (expected IS NULL OR json_valid(expected)),
  wanted INTEGER CHECK (wanted >= 1),
  filled INTEGER NOT NULL DEFAULT 0 CHECK (filled >= 0 AND (wanted IS NULL OR filled <= wanted)),
  tie INTEGER NOT NULL
) STRICT;
CREATE INDEX item_open ON item (filled, tie) WHERE kind = 'item' AND filled < wanted;
CREATE INDEX item_kind ON item (kind, position) WHERE kind <> 'item';

CREATE TABLE worker (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 200),
  pseudonym TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ({quoted(WORKER_STATES)})),
  simulated INTEGER NOT NULL DEFAULT 0 CHECK (simulated IN (0, 1)),
  joined_at TEXT NOT NULL CHECK ({_utc("joined_at")}),
  platform TEXT,
  details TEXT NOT NULL DEFAULT '{{}}' CHECK (json_valid(details))
) STRICT;

CREATE TABLE assignment (
  id INTEGER PRIMARY KEY,
  item TEXT NOT NULL REFERENCES item (id),
  worker TEXT NOT NULL REFERENCES worker (id) ON UPDATE CASCADE,
  state TEXT NOT NULL CHECK (state IN ({quoted(ASSIGNMENT_STATES)})),
  token TEXT NOT NULL UNIQUE,
  shown_at TEXT NOT NULL CHECK ({_utc("shown_at")}),
  active_at TEXT NOT NULL CHECK ({_utc("active_at")}),
  deadline REAL,
  shown_ticks REAL,
  active_ticks REAL,
  active_seconds REAL NOT NULL DEFAULT 0 CHECK (active_seconds >= 0),
  draft TEXT CHECK (draft IS NULL OR json_valid(draft)),
  payable INTEGER NOT NULL DEFAULT 0 CHECK (payable IN (0, 1)),
  visit TEXT CHECK (length(visit) BETWEEN 1 AND 200),
  rejected INTEGER NOT NULL DEFAULT 0 CHECK (rejected IN (0, 1)),
  UNIQUE (item, worker),
  CHECK ((state = 'reserved') = (deadline IS NOT NULL))
) STRICT;
CREATE INDEX assignment_worker ON assignment (worker, state);
CREATE UNIQUE INDEX assignment_held ON assignment (worker) WHERE state = 'reserved';
CREATE INDEX assignment_deadline ON assignment (deadline) WHERE state = 'reserved';
CREATE INDEX assignment_surplus ON assignment (item) WHERE state = 'surplus';

CREATE TABLE answer (
  id INTEGER PRIMARY KEY,
  item TEXT NOT NULL,
  worker TEXT NOT NULL,
  {questions},
  submitted_at TEXT NOT NULL CHECK ({_utc("submitted_at")}),
  edited_at TEXT CHECK ({_utc("edited_at")}),
  late INTEGER NOT NULL CHECK (late IN (0, 1)),
  passed INTEGER CHECK (passed IN (0, 1)),
  seconds REAL NOT NULL CHECK (seconds >= 0),
  elapsed_seconds REAL CHECK (elapsed_seconds >= 0),
  token TEXT UNIQUE,
  UNIQUE (item, worker),
  FOREIGN KEY (item, worker) REFERENCES assignment (item, worker) ON UPDATE CASCADE
) STRICT;
CREATE INDEX answer_worker ON answer (worker);

CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  at TEXT NOT NULL CHECK ({_utc("at")}),
  kind TEXT NOT NULL CHECK (kind IN ({quoted(EVENT_KINDS)})),
  worker TEXT REFERENCES worker (id) ON UPDATE CASCADE,
  item TEXT REFERENCES item (id),
  seconds REAL CHECK (seconds >= 0),
  data TEXT CHECK (data IS NULL OR json_valid(data))
) STRICT;
CREATE INDEX event_worker ON event (worker, item);

CREATE TABLE payment_file (
  id INTEGER PRIMARY KEY,
  made_at TEXT NOT NULL CHECK ({_utc("made_at")}),
  platform TEXT NOT NULL,
  currency TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'made' CHECK (state IN ({quoted(PAYMENT_FILE_STATES)})),
  settled_at TEXT CHECK ({_utc("settled_at")}),
  CHECK ((state = 'made') = (settled_at IS NULL))
) STRICT;

CREATE TABLE payment (
  id INTEGER PRIMARY KEY,
  file INTEGER NOT NULL REFERENCES payment_file (id),
  worker TEXT NOT NULL REFERENCES worker (id) ON UPDATE CASCADE,
  cents INTEGER NOT NULL CHECK (cents > 0),
  bonus INTEGER NOT NULL CHECK (bonus >= 0),
  items TEXT NOT NULL CHECK (json_valid(items)),
  visit TEXT,
  token TEXT NOT NULL UNIQUE,
  UNIQUE (file, worker)
) STRICT;
CREATE INDEX payment_worker ON payment (worker);

CREATE TABLE place (token TEXT NOT NULL PRIMARY KEY, deadline REAL NOT NULL) STRICT;

CREATE TABLE guess (network TEXT NOT NULL, code TEXT NOT NULL, deadline REAL NOT NULL, PRIMARY KEY (network, code)) STRICT, WITHOUT ROWID;
"""
        + _triggers()
        + TABLES_3
    )


def _triggers() -> str:
    """Keep `item.filled` at the number of assignments that take a place, and draw a new `tie` whenever it changes.

    `tie` orders the items that are equally filled. It is the state of Lehmer's generator (multiplier 48271, modulus 2**31 - 1), so
    the draw needs nobody but the file itself: the same calls give the same order in every process.
    """
    takes = f"IN ({quoted(TAKES_A_PLACE)})"
    draw = "tie = tie * 48271 % 2147483647"
    return f"""
CREATE TRIGGER assignment_added AFTER INSERT ON assignment WHEN NEW.state {takes}
BEGIN
  UPDATE item SET filled = filled + 1, {draw} WHERE id = NEW.item;
END;
CREATE TRIGGER assignment_changed AFTER UPDATE OF state ON assignment WHEN (OLD.state {takes}) <> (NEW.state {takes})
BEGIN
  UPDATE item SET filled = filled + CASE WHEN NEW.state {takes} THEN 1 ELSE -1 END, {draw} WHERE id = NEW.item;
END;
CREATE TRIGGER assignment_removed AFTER DELETE ON assignment WHEN OLD.state {takes}
BEGIN
  UPDATE item SET filled = filled - 1, {draw} WHERE id = OLD.item;
END;
"""
