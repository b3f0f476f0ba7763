"""A task as the form shows it: its pictures, its questions, what has been typed, how far the worker is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from shared.money import amount

from annotating.visit import Visit, before
from barlow_core.panels import Panel
from barlow_core.wording import count
from study.questionnaire import MAX_LENGTH, NO_WORD, WORD_BREAK, Question
from study.store.settings import StudySettings

SECTIONS = (
    ("A", "Pictures", "They have something in common.", "Picture {n} of {of}"),
    (
        "B",
        "What is important",
        "The same pictures. What matters is bright.",
        "Picture {n} of {of} with its important regions bright",
    ),
    (
        "C",
        "Made stronger",
        "The same pictures, changed so that what matters stands out.",
        "Picture {n} of {of}, changed so that what matters stands out",
    ),
)

Served = Callable[[Path], Mapping[str, Any] | None]


def form_data(visit: Visit, panel: Panel | None, served: Served, *, trouble: str = "") -> dict[str, Any]:
    """What the form needs to show the task that the visit is at.

    Args:
        panel: its pictures; None where it has none.
        served: gives the address and size of a picture, None for one that is missing.
        trouble: why the pictures cannot be shown.
    """
    settings = visit.store.settings
    shown = visit.answer if visit.mode != "answer" else None
    claimed = visit.claimed
    kind = shown.kind if shown is not None else claimed.kind if claimed is not None else "item"
    data: Mapping[str, Any] = {} if claimed is None else claimed.data
    code = None if visit.item is None else visit.store.item_code(visit.item)  # an id may name the class, or give a check away
    return {
        "view": f"{visit.mode} {code}",
        "mode": visit.mode,
        "item": code,
        "token": claimed.token if claimed is not None and visit.mode == "answer" else None,
        "storage": f"barlow {visit.store.study_id} {visit.worker}",
        "title": title(visit, kind),
        "practice": kind == "practice",
        "notice": str(data.get("notice") or "") if visit.mode == "answer" else "",
        "feedback": feedback(visit) if visit.mode == "feedback" else None,
        "answers": dict(shown.answers) if shown is not None else dict(claimed.draft) if claimed is not None else {},
        "progress": progress(visit),
        "earlier": bool(before(visit)),
        "contact": settings.contact,
        "receipts": dict(visit.receipts),
        **panel_data(panel, served, trouble),
        **form_settings(settings),
    }


def example_data(settings: StudySettings, panel: Panel | None, served: Served, *, trouble: str = "") -> dict[str, Any]:
    """A task to look at: the form without anywhere to send it."""
    return {
        "view": "preview",
        "mode": "preview",
        "item": None,
        "title": "An example of the tasks",
        "answers": {},
        "progress": [],
        "receipts": {},
        "contact": settings.contact,
        **panel_data(panel, served, trouble),
        **form_settings(settings),
    }


def form_settings(settings: StudySettings) -> dict[str, Any]:
    """What is the same for all tasks of a study."""
    return {
        "questions": [question_data(question) for question in settings.questionnaire.questions],
        "words": {"pause": WORD_BREAK, "none": NO_WORD},
        "max_length": MAX_LENGTH,
        "instructions": list(settings.instructions),
        "examples": [{str(key): str(value) for key, value in example.items()} for example in settings.examples],
    }


def question_data(question: Question) -> dict[str, Any]:
    """A question with everything that its messages say, so that the page says what the store would."""
    data = {name: getattr(question, name) for name in ("id", "kind", "name", "text", "help", "required")}
    if question.kind == "text":
        return data | {"max_words": question.max_words, "max_length": question.max_length}
    if question.kind == "scale":
        options = [(n, str(n)) for n in range(question.low, question.high + 1)]
        return data | {"options": options, "low_label": question.low_label, "high_label": question.high_label}
    return data | {"options": [list(option) for option in question.options]}


def panel_data(panel: Panel | None, served: Served, trouble: str) -> dict[str, Any]:
    """The three sections; `trouble` where the pictures cannot be shown, `sections` empty where there are none."""
    if panel is None:
        return {"sections": [], "trouble": trouble}
    files = {"A": "image", "B": "overlay", "C": "attack"}
    of = len(panel.images)
    sections = []
    for letter, name, note, alt in SECTIONS:
        pictures = [
            {**(served(panel.path / getattr(image, files[letter])) or {}), "alt": alt.format(n=n, of=of)}
            for n, image in enumerate(panel.images, 1)
        ]
        sections.append({"letter": letter, "title": name, "note": note, "pictures": pictures})
    missing = any("src" not in picture for section in sections for picture in section["pictures"])
    return {"sections": sections, "trouble": trouble or ("Some pictures of this task are missing." if missing else "")}


def title(visit: Visit, kind: str) -> str:
    """What the worker is at. Checks look like any other task."""
    if visit.mode == "edit":
        return "Change an earlier answer"
    standing = visit.standing
    if kind == "practice":
        if standing is None or standing.practice_total <= 1:
            return "Practice"
        done = standing.practice_done + (visit.mode == "answer")
        return f"Practice {min(done, standing.practice_total)} of {standing.practice_total}"
    number = standing.answered + 1 if standing is not None else 1
    if standing is not None and standing.limit is not None:
        return f"Task {number} of at most {standing.limit}"
    return f"Task {number}"


def progress(visit: Visit) -> list[str]:
    """Short facts about how far the worker is."""
    standing = visit.standing
    if standing is None:
        return []
    return [f"{count(standing.answered, 'answer')} sent", f"{amount(standing.amount, standing.currency)} earned"]


def feedback(visit: Visit) -> dict[str, Any]:
    """What a worker hears about the practice task that they have just sent."""
    answer, claimed = visit.answer, visit.claimed
    text = "" if claimed is None else str(claimed.data.get("feedback") or "")
    passed = None if answer is None else answer.passed
    heading = {True: "Well done.", False: "Not quite what we expected.", None: "Thank you."}[passed]
    return {"passed": passed, "heading": heading, "text": text or "This was practice. Continue when you are ready."}
