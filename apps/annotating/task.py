"""A task as the form shows it: its pictures, its questions, what has been typed, how far the worker is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from annotating.visit import Visit, before
from barlow_core.panels import Panel
from study.questionnaire import MAX_LENGTH, NO_WORD, WORD_BREAK, Question
from study.setup.more_pictures import MorePictures
from study.store.settings import StudySettings
from study.texts import Texts

SECTIONS = {"A": "image", "B": "overlay", "C": "attack"}  # letter → which file of a picture
# Further pictures: letter → what the texts call the section, and which pictures it shows. They stand where a panel has its C.
FURTHER = {"C": ("further", "images"), "D": ("further_bright", "overlays")}
Served = Callable[[Path], Mapping[str, Any] | None]


def form_data(
    visit: Visit, panel: Panel | None, served: Served, *, more: Mapping[str, Any] | None = None, trouble: str = ""
) -> dict[str, Any]:
    """What the form needs to show the task that the visit is at.

    Args:
        panel: its pictures; None where it has none.
        more: see `more_data`.
        served: gives the address and size of a picture, None for one that is missing.
        trouble: why the pictures cannot be shown.
    """
    settings, texts = visit.settings, visit.texts
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
        "notice": _notice(visit, data),
        "feedback": feedback(visit) if visit.mode == "feedback" else None,
        "answers": dict(shown.answers) if shown is not None else dict(claimed.draft) if claimed is not None else {},
        "progress": progress(visit),
        "earlier": bool(before(visit)),
        "contact": texts("page.contact", contact=settings.contact) if settings.contact else "",
        "receipts": dict(visit.receipts),
        **_pictures(panel_data(panel, served, trouble, texts), more or {}),
        **form_settings(settings, texts),
    }


def _notice(visit: Visit, data: Mapping[str, Any]) -> str:
    """What stands out above the questions."""
    if visit.mode == "answer":
        return said(data.get("notice"), visit)
    return visit.texts("receipt.elsewhere") if visit.mode == "edit" and visit.elsewhere else ""


def said(text: object, visit: Visit) -> str:
    """A text of an item, which may be given by language."""
    if isinstance(text, Mapping):
        text = text.get(visit.texts.language) or next(iter(text.values()), "")
    return str(text or "")


def example_data(
    settings: StudySettings,
    texts: Texts,
    panel: Panel | None,
    served: Served,
    *,
    more: Mapping[str, Any] | None = None,
    trouble: str = "",
) -> dict[str, Any]:
    """A task to look at: the form without anywhere to send it."""
    return {
        "view": "preview",
        "mode": "preview",
        "item": None,
        "title": texts("task.preview"),
        "answers": {},
        "progress": [],
        "receipts": {},
        "contact": texts("page.contact", contact=settings.contact) if settings.contact else "",
        **_pictures(panel_data(panel, served, trouble, texts), more or {}),
        **form_settings(settings, texts),
    }


def form_settings(settings: StudySettings, texts: Texts) -> dict[str, Any]:
    """What is the same for all tasks of a study."""
    return {
        "questions": [question_data(question) for question in settings.questionnaire.questions],
        "words": {"pause": WORD_BREAK, "none": NO_WORD},
        "max_length": MAX_LENGTH,
        "language": texts.language,
        "direction": texts.direction,
        "texts": texts.within("form", "answer", "example"),
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


def panel_data(panel: Panel | None, served: Served, trouble: str, texts: Texts) -> dict[str, Any]:
    """The sections A, B and C; `trouble` where the pictures cannot be shown, `sections` empty where there are none."""
    if panel is None:
        return {"sections": [], "trouble": trouble}
    of = len(panel.images)
    sections = []
    for letter, file in SECTIONS.items():
        pictures = [
            {**(served(panel.path / getattr(image, file)) or {}), "alt": texts(f"section.{letter}.alt", n=n, of=of)}
            for n, image in enumerate(panel.images, 1)
        ]
        title, note = texts(f"section.{letter}.title"), texts(f"section.{letter}.note")
        sections.append({"letter": letter, "title": title, "note": note, "pictures": pictures})
    missing = any("src" not in picture for section in sections for picture in section["pictures"])
    return {"sections": sections, "trouble": trouble or (texts("task.missing") if missing else "")}


def _pictures(of_panel: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """A panel and what is shown beside it. Further pictures are compared with what is bright, and take the place of C."""
    kept = [section for section in of_panel["sections"] if "after" not in more or section["letter"] not in FURTHER]
    return {**of_panel, "sections": kept, **more}


def more_data(
    more: Mapping[str, MorePictures], class_name: str, served: Served, texts: Texts
) -> dict[str, list[list[dict[str, Any]]]]:
    """What is shown beside the panel, as sets of sections: `before` it pictures of the main object, `after` it further pictures.

    Args:
        more: by "object" and "further".
        class_name: what the main object is called.
    """

    def section(letter: str, key: str, files: Sequence[Path], title: str, note: str) -> dict[str, Any]:
        of = len(files)
        pictures = [{**(served(file) or {}), "alt": texts(f"section.{key}.alt", n=n, of=of)} for n, file in enumerate(files, 1)]
        return {"letter": letter, "title": title, "note": note, "pictures": pictures}

    found: dict[str, list[list[dict[str, Any]]]] = {}
    if "object" in more:
        found["before"] = [[section("", "object", more["object"].images, texts("section.object.title", name=class_name), "")]]
    if "further" in more:
        found["after"] = [
            [
                section(letter, key, getattr(more["further"], files), texts(f"section.{key}.title"), texts(f"section.{key}.note"))
                for letter, (key, files) in FURTHER.items()
            ]
        ]
    return found


def title(visit: Visit, kind: str) -> str:
    """What the worker is at. Checks look like any other task."""
    texts, standing = visit.texts, visit.standing
    if visit.mode == "edit":
        return texts("task.edit")
    if kind == "practice":
        if standing is None or standing.practice_total <= 1:
            return texts("task.practice")
        done = standing.practice_done + (visit.mode == "answer")
        return texts("task.practice_number", n=min(done, standing.practice_total), of=standing.practice_total)
    number = standing.answered + 1 if standing is not None else 1
    if standing is not None and standing.limit is not None:
        return texts("task.number_of", n=number, most=standing.limit)
    return texts("task.number", n=number)


def progress(visit: Visit) -> list[str]:
    """Short facts about how far the worker is."""
    texts, standing = visit.texts, visit.standing
    if standing is None:
        return []
    earned = texts.money(standing.amount, standing.currency)
    return [texts("task.sent", n=standing.answered), texts("task.earned", amount=earned)]


def feedback(visit: Visit) -> dict[str, Any]:
    """What a worker hears about the practice task that they have just sent."""
    texts, answer, claimed = visit.texts, visit.answer, visit.claimed
    text = "" if claimed is None else said(claimed.data.get("feedback"), visit)
    passed = None if answer is None else answer.passed
    heading = {True: "task.passed", False: "task.not_passed", None: "task.thanks"}[passed]
    return {"passed": passed, "heading": texts(heading), "text": text or texts("task.feedback")}
