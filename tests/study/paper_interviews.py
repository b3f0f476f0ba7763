"""The paper's own interviews as far as it tells of them (Tables 8 and 9), in the tables that the analysis takes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from study.protocol import Protocol
from study.store.interviews.frames import InterviewTables

TYPED = Path(__file__).parent / "paper_practitioners.csv"
# Table 9: class, grouping, top-1 error of the robust ResNet-50.
FIRST = [
    ("Barbershop", "prediction", 0.6832),
    ("Park Bench", "label", 0.3331),
    ("Seat Belt", "label", 0.3323),
    ("Steam Locomotive", "label", 0.0669),
    ("Tiger Cat", "label", 0.7715),
]


def paper_interviews() -> InterviewTables:
    """14 participants with roles, experience and first groupings, and nothing else."""
    typed = pd.read_csv(TYPED)
    protocol = Protocol()
    value = {label: name for name, label in (*protocol.roles, *protocol.experience)}
    n = len(typed)
    when = pd.Series(pd.to_datetime(["2020-11-01"] * n, utc=True))
    people = pd.DataFrame(
        {
            **{"participant": typed["participant"], "state": "finished", "guided": True, "simulated": False},
            **{"role": typed["role"].map(value), "experience": typed["experience"].map(value)},
            **{"invited_at": when, "consented_at": when, "finished_at": when, "minutes": 60.0, "surveyed": True},
        }
    )
    groupings = pd.DataFrame(FIRST, columns=["class_name", "by", "ber"])
    groupings["grouping"] = groupings["by"] + ":" + groupings["class_name"]
    groupings["easy"] = True
    groupings["features"] = [[] for _ in FIRST]
    first = pd.DataFrame(
        {"participant": typed["participant"], "place": 1, "grouping": typed["first_grouping"] + ":" + typed["first_class"]}
    )
    features = [
        "participant",
        "grouping",
        "feature",
        "describes",
        "description",
        "difficulties",
        "difficulty",
        "necessity",
        "reason",
    ]
    empty = {
        "features": pd.DataFrame(columns=features),
        "actions": pd.DataFrame(columns=["participant", "grouping", "actions", "text"]),
        "quotes": pd.DataFrame(columns=["quote", "participant", "at", "seconds", "author", "part", "grouping", "theme", "text"]),
        "codings": pd.DataFrame(columns=["what", "participant", "grouping", "feature", "coder", "codes", "at"]),
        "statements": pd.DataFrame(columns=["statement", "level", "n"]),
    }
    return InterviewTables(
        protocol=protocol, participants=people, groupings=groupings, assignments=first, n_opinions=0, n_waiting=0, **empty
    )
