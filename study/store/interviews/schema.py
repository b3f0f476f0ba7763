"""The tables of the interviews in a study file.

The answers of the closing survey lie in `interview_opinion` under a token that only the study can make (`opinions.token_of`): no
column leads from them to a participant, no time and no row number tells in which order they came.

The text is that of schema 3, for new files and for the step that brings earlier ones there. A later schema leaves it as it is and
adds what it changes.
"""

from __future__ import annotations

TABLES_3 = """
CREATE TABLE interview_grouping (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 200),
  position INTEGER NOT NULL UNIQUE,
  easy INTEGER NOT NULL CHECK (easy IN (0, 1)),
  data TEXT NOT NULL CHECK (json_valid(data))
) STRICT;

CREATE TABLE interview_participant (
  id INTEGER PRIMARY KEY,
  code TEXT UNIQUE,
  state TEXT NOT NULL DEFAULT 'invited' CHECK (state IN ('invited', 'registered', 'running', 'finished', 'screened_out', 'withdrawn')),
  guided INTEGER NOT NULL CHECK (guided IN (0, 1)),
  simulated INTEGER NOT NULL DEFAULT 0 CHECK (simulated IN (0, 1)),
  invited_at TEXT NOT NULL CHECK (invited_at GLOB '????-??-??T??:??:??.???Z'),
  consented_at TEXT CHECK (consented_at GLOB '????-??-??T??:??:??.???Z'),
  role TEXT,
  experience TEXT,
  plan TEXT CHECK (plan IS NULL OR json_valid(plan)),
  part TEXT,
  looks_at TEXT CHECK (looks_at IS NULL OR json_valid(looks_at)),
  elapsed REAL NOT NULL DEFAULT 0 CHECK (elapsed >= 0),
  running_at TEXT CHECK (running_at GLOB '????-??-??T??:??:??.???Z'),
  running_ticks REAL,
  running_boot TEXT,
  surveyed INTEGER NOT NULL DEFAULT 0 CHECK (surveyed IN (0, 1)),
  finished_at TEXT CHECK (finished_at GLOB '????-??-??T??:??:??.???Z'),
  CHECK ((running_at IS NULL) = (running_ticks IS NULL)),
  CHECK (running_at IS NULL OR state = 'running')
) STRICT;

CREATE TABLE interview_assignment (
  participant INTEGER NOT NULL REFERENCES interview_participant (id),
  place INTEGER NOT NULL CHECK (place IN (1, 2)),
  grouping TEXT NOT NULL REFERENCES interview_grouping (id),
  PRIMARY KEY (participant, place),
  UNIQUE (participant, grouping)
) STRICT;

CREATE TABLE interview_feature_answer (
  participant INTEGER NOT NULL,
  grouping TEXT NOT NULL,
  feature INTEGER NOT NULL CHECK (feature >= 0),
  describes TEXT CHECK (describes IN ('yes', 'partly', 'no')),
  description TEXT,
  difficulties TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(difficulties)),
  difficulty TEXT,
  necessity TEXT CHECK (necessity IN ('necessary', 'spurious', 'unsure')),
  reason TEXT,
  answered_at TEXT NOT NULL CHECK (answered_at GLOB '????-??-??T??:??:??.???Z'),
  edited_at TEXT CHECK (edited_at GLOB '????-??-??T??:??:??.???Z'),
  PRIMARY KEY (participant, grouping, feature),
  FOREIGN KEY (participant, grouping) REFERENCES interview_assignment (participant, grouping)
) STRICT;

CREATE TABLE interview_action_answer (
  participant INTEGER NOT NULL,
  grouping TEXT NOT NULL,
  actions TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(actions)),
  text TEXT,
  answered_at TEXT NOT NULL CHECK (answered_at GLOB '????-??-??T??:??:??.???Z'),
  edited_at TEXT CHECK (edited_at GLOB '????-??-??T??:??:??.???Z'),
  PRIMARY KEY (participant, grouping),
  FOREIGN KEY (participant, grouping) REFERENCES interview_assignment (participant, grouping)
) STRICT;

CREATE TABLE interview_quote (
  id INTEGER PRIMARY KEY,
  participant INTEGER NOT NULL REFERENCES interview_participant (id),
  at TEXT NOT NULL CHECK (at GLOB '????-??-??T??:??:??.???Z'),
  seconds REAL NOT NULL CHECK (seconds >= 0),
  author TEXT NOT NULL CHECK (author IN ('interviewer', 'participant')),
  part TEXT,
  grouping TEXT REFERENCES interview_grouping (id),
  theme TEXT,
  text TEXT NOT NULL
) STRICT;
CREATE INDEX interview_quote_participant ON interview_quote (participant);

CREATE TABLE interview_opinion (
  token TEXT NOT NULL PRIMARY KEY,
  answers TEXT NOT NULL CHECK (json_valid(answers)),
  sent INTEGER NOT NULL DEFAULT 0 CHECK (sent IN (0, 1)),
  released INTEGER NOT NULL DEFAULT 0 CHECK (released IN (0, 1) AND released <= sent)
) STRICT, WITHOUT ROWID;

CREATE TABLE interview_coding (
  what TEXT NOT NULL CHECK (what IN ('actions', 'difficulties')),
  participant INTEGER NOT NULL REFERENCES interview_participant (id),
  grouping TEXT NOT NULL REFERENCES interview_grouping (id),
  feature INTEGER NOT NULL,
  coder TEXT NOT NULL CHECK (length(coder) BETWEEN 1 AND 200),
  codes TEXT NOT NULL CHECK (json_valid(codes)),
  at TEXT NOT NULL CHECK (at GLOB '????-??-??T??:??:??.???Z'),
  PRIMARY KEY (what, participant, grouping, feature, coder)
) STRICT;
"""
