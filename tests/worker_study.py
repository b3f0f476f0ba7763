"""A small study for the worker's page: practice, tasks with made-up pictures, and what a good answer to them is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from analysis_study import draw_panel

from study.setup.frozen_panels import freeze, panels_folder
from study.store import StudyStore

ANSWERS = {"short": "striped fur", "long": "black stripes on orange fur", "ease": 4, "confidence": 5, "useful": "B"}
FEEDBACK = "The bright regions show *stripes* & <b>fur</b>."
NOTICE = "This task checks that you read: please choose 2 for how easy it was."


def make_worker_study(
    path: Path,
    *,
    practice: int = 1,
    tasks: int = 3,
    attention: int = 0,
    pictures: bool = True,
    open_link: bool = True,
    answers_per_item: int = 500,
    **settings: Any,
) -> StudyStore:
    """Make a study at `path`: by default a practice task and three tasks, open to everybody, with room for all who come."""
    rng = np.random.default_rng(0)
    kinds = ["practice"] * practice + ["attention"] * attention + ["item"] * tasks
    items: list[dict[str, Any]] = []
    for number, kind in enumerate(kinds):
        item: dict[str, Any] = {"id": f"{kind}-{number}", "kind": kind}
        if kind == "practice":
            item |= {"expected": {"useful": ["B", "both"]}, "feedback": FEEDBACK}
        if kind == "attention":
            item |= {"expected": {"ease": 2}, "notice": NOTICE}
        if pictures:
            about = {"class_name": "tiger", "group": "label:tiger", "feature": number, "rank": 1}
            panel = draw_panel(path.parent / f"{path.name}.drawn-{number}", about, rng)
            item |= freeze(panel, panels_folder(path), f"panel-{number}")
        items.append(item)
    given: dict[str, Any] = {
        "completion_code": "C0DE123",
        "platforms": ("link", "prolific", "mturk"),
        "contact": "study@example.org",
    }
    return StudyStore.create(path, items=items, open_link=open_link, answers_per_item=answers_per_item, **given | settings)
