"""What happens at a worker's visit: which page comes, and what becomes of every message of the form.

Nothing here knows Streamlit. A `Visit` belongs to one open page; the study file knows everything that must outlive it. The form
sends messages, each under an id of its own, until it finds their receipts; a message that comes twice is acted on once, and one
that comes again to another visit (after a crash) finds its answer in the file.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from annotating.binding import details_of
from barlow_core.errors import BarlowError
from study.errors import InvalidAnswersError, NotSavedError, RefusedError
from study.participants.platforms import Identity
from study.store import StudyStore
from study.store.answering import StoredAnswer
from study.store.assignment import ClaimedItem
from study.store.progress import Standing
from study.store.settings import StudySettings
from study.texts import Texts

RECEIPTS = 30  # the form waits for one at a time
READ = "instructions_read"
_log = logging.getLogger("barlow.annotate")


@dataclass
class Visit:
    """Where a worker is.

    Attributes:
        theirs: whether the visitor may see what this worker sent before (`annotating.binding`).
        language: of the study's ones, the visitor's.
        device: a name of the visitor's device, where the study looks for people who take part twice; else None.
        page: "consent", "instructions", "quiz", "task", "end" or "trouble" (the file cannot be used at the moment).
        mode: of a task: "answer", "edit" (an answer that was sent before) or "feedback" (after a practice task).
        claimed: the task to be answered; answer: the one that is edited, or that the feedback is about.
        outcome: at the end, why; see `study.participants.platforms.completion`.
        consent: the text of consent that is on the screen.
        failed: what could not be saved, to be tried again.
        notice: what happened that the worker did not expect, for the next page.
        elsewhere: the answer that is edited was sent in another tab, while something else was typed in this one.
        receipts: by id of the message, what became of it.
    """

    store: StudyStore
    identity: Identity
    theirs: bool = True
    language: str = ""
    device: str | None = None
    page: str = "consent"
    mode: str = "answer"
    claimed: ClaimedItem | None = None
    answer: StoredAnswer | None = None
    outcome: str | None = None
    consent: str | None = None
    failed: Callable[[], None] | None = None
    notice: str = ""
    elsewhere: bool = False
    standing: Standing | None = None
    receipts: OrderedDict[str, dict[str, Any]] = field(default_factory=OrderedDict)

    @property
    def worker(self) -> str:
        return self.identity.worker_id

    @property
    def settings(self) -> StudySettings:
        """Those of the study, in the visitor's language."""
        return self.store.settings.in_language(self._language)

    @property
    def texts(self) -> Texts:
        return self.store.settings.texts_in(self._language)

    @property
    def _language(self) -> str:
        offered = self.store.settings.languages
        return self.language if self.language in offered else offered[0]

    @property
    def item(self) -> str | None:
        """The item on the screen."""
        if self.mode != "answer":
            return None if self.answer is None else self.answer.item
        return None if self.claimed is None else self.claimed.id


def begin(store: StudyStore, identity: Identity, *, theirs: bool = True, device: str | None = None, language: str = "") -> Visit:
    """Let a visitor in: a new one is asked for consent, if there is a place for them; one who was here before goes on where they stopped."""
    visit = Visit(store, identity, theirs, language, device)
    known = store.worker(identity.worker_id)
    if known is None:
        try:
            _keep_place(visit)
        except NotSavedError as error:
            _log.warning("No place was held for a visitor: %s", error)  # they can read and agree all the same
        return visit
    if known.state != "active":
        end(visit, "refused")
        return visit

    def go_on() -> None:
        details = details_of(identity, known, theirs=theirs)
        if any(known.details.get(name) != value for name, value in details.items()):
            # Another session or HIT of the same person: the platform pays by it.
            store.register(identity.worker_id, platform=identity.platform, details=details)
        visit.page = "instructions"
        if known.details.get(READ):
            advance(visit)

    _at_peace(visit, go_on)
    return visit


def agree(visit: Visit) -> None:
    """The worker takes part. Before this, nothing of them is kept."""

    def join() -> None:
        visit.notice = ""
        if visit.consent not in (None, visit.settings.consent):
            visit.page, visit.notice = "consent", visit.texts("consent.changed")
            return
        if not _keep_place(visit):
            return
        details = details_of(visit.identity, None, theirs=visit.theirs)
        if visit.device is not None and visit.store.settings.duplicates != "off":
            details["device"] = visit.device
        visit.store.register(visit.worker, platform=visit.identity.platform, details=details)
        visit.page = "instructions"

    _at_peace(visit, join)


def _keep_place(visit: Visit) -> bool:
    """Hold a place for somebody new; False, and the last page, where there is none."""
    if not visit.store.settings.recruiting:
        visit.page, visit.outcome = "end", "paused"
        return False
    state = visit.store.hold_place(visit.worker).state
    if state != "open":
        visit.page, visit.outcome = "end", state
    return state == "open"


def start(visit: Visit) -> None:
    """The worker has read the instructions."""

    def note() -> None:
        visit.store.register(visit.worker, details={READ: True})
        advance(visit)

    _at_peace(visit, note)


def take_quiz(visit: Visit, chosen: Sequence[int | None]) -> None:
    """A try at the questions about the instructions: on to the tasks, to another try, or to the end."""

    def take() -> None:
        state = visit.store.take_quiz(visit.worker, chosen)
        visit.notice = "" if state.state != "open" else visit.texts("quiz.wrong", n=state.tries_left)
        advance(visit)

    _at_peace(visit, take)


def decline(visit: Visit) -> None:
    """The worker does not take part."""
    visit.page, visit.outcome = "end", "declined"
    try:
        visit.store.let_place_go(visit.worker)
    except BarlowError as error:
        _log.warning("A place stays held until its time is up: %s", error)


def advance(visit: Visit) -> None:
    """Go to the task that comes next, or to the end."""

    def claim() -> None:
        visit.mode, visit.answer = "answer", None
        if visit.store.quiz(visit.worker).state == "open":
            visit.page = "quiz"
            return
        visit.claimed = visit.store.claim(visit.worker, visit=visit.identity.visit)
        if visit.claimed is not None and visit.claimed.held and not visit.theirs:
            visit.claimed = replace(visit.claimed, draft={})  # typed in another visit, perhaps by somebody else
        visit.standing = visit.store.standing(visit.worker, visit=visit.identity.visit)
        if visit.claimed is None:
            end(visit, visit.standing.outcome or "complete")
        else:
            visit.page = "task"

    _at_peace(visit, claim)


def end(visit: Visit, outcome: str) -> None:
    """Show the last page. What the worker holds stays theirs for a while: they may come back."""
    visit.page, visit.outcome, visit.claimed = "end", outcome, None
    try:
        visit.standing = visit.store.standing(visit.worker, visit=visit.identity.visit)
        visit.outcome = visit.store.finish(visit.worker, outcome, visit=visit.identity.visit, reward=visit.identity.reward)
        if visit.outcome == "full" and visit.store.places().taken:
            visit.outcome = "reserved"
    except BarlowError as error:
        # The end is the end, also where the file cannot note it: answers and pay are in there already.
        _log.warning("The end of a visit was not noted: %s", error)


def _at_peace(visit: Visit, act: Callable[[], None]) -> None:
    """Do it; where the worker may not, or the file cannot, the next page says so."""
    try:
        act()
    except RefusedError as error:
        _log.warning("%s", error)
        end(visit, "refused")
    except NotSavedError as error:
        _log.error("%s", error)
        visit.page, visit.notice, visit.failed = "trouble", cannot_save(visit, error), act


def try_again(visit: Visit) -> None:
    """Do once more what could not be saved."""
    act, visit.failed = visit.failed, None
    if act is None:
        advance(visit)
    else:
        visit.notice = ""
        _at_peace(visit, act)


def cannot_save(visit: Visit, error: NotSavedError) -> str:
    """Why nothing was saved, for the worker; the researcher finds more in the log of the server."""
    known = ("busy", "full", "read_only", "damaged")
    return visit.texts(f"trouble.{error.reason if error.reason in known else 'other'}")


# --- messages of the form


def handle(visit: Visit, message: object) -> None:
    """Act on a message and leave its receipt. Whatever is wrong with it ends up in the receipt, never as an exception.

    Args:
        message: as the page sent it, so anything; expected: {"id", "kind", "item", "token", "answers", "text"}.
    """
    if not isinstance(message, Mapping) or not isinstance(message.get("id"), str) or len(message["id"]) > 100:
        return
    if message["id"] in visit.receipts:
        return
    message = {**message, "item": visit.store.item_of(message.get("item"))}
    act = _ACTIONS.get(str(message.get("kind")))
    try:
        if act is None:
            raise BarlowError(visit.texts("receipt.unexpected"))
        receipt = {"ok": True, "text": ""} | (act(visit, message) or {})
    except InvalidAnswersError as error:
        receipt = {"ok": False, "text": "", "problems": _problems(visit, message, error)}
    except NotSavedError as error:
        _log.error("%s", error)
        receipt = {"ok": False, "text": cannot_save(visit, error), "again": True}
    except RefusedError as error:
        _log.warning("%s", error)
        receipt = {"ok": False, "text": _refused(visit, message), "gone": True}
    except BarlowError as error:
        receipt = {"ok": False, "text": str(error)}
    except Exception:
        # A mistake of ours. What was typed must stay on the screen, so the form has to hear of it like of any other failure.
        _log.exception("A message of kind %r failed", message.get("kind"))
        receipt = {"ok": False, "text": visit.texts("receipt.mistake")}
    visit.receipts[message["id"]] = receipt
    while len(visit.receipts) > RECEIPTS:
        visit.receipts.popitem(last=False)


def _problems(visit: Visit, message: Mapping[str, Any], error: InvalidAnswersError) -> dict[str, str]:
    """What is wrong with answers, in the visitor's language where there are words for it."""
    if error.rule:
        return {"": visit.texts(f"rule.{error.rule}")}
    answers = message.get("answers")
    if not isinstance(answers, Mapping):
        return error.problems
    questions, texts = visit.settings.questionnaire, visit.texts
    said = {question.id: question.problem(answers.get(question.id), texts) for question in questions.questions}
    return {name: said.get(name) or problem for name, problem in error.problems.items()}


def _refused(visit: Visit, message: Mapping[str, Any]) -> str:
    """The file did not take it: look anew where this worker stands, and say it in their words."""
    known = visit.store.worker(visit.worker)
    if known is None or known.state != "active":
        end(visit, "refused")
        return visit.texts("receipt.closed")
    if message.get("item") == visit.item:
        advance(visit)
    return visit.texts("receipt.gone")


def _item(visit: Visit, message: Mapping[str, Any]) -> str:
    item = message.get("item")
    if not isinstance(item, str):
        raise BarlowError(visit.texts("receipt.unexpected"))
    return item


def _submit(visit: Visit, message: Mapping[str, Any]) -> dict[str, Any]:
    item = _item(visit, message)
    signs = message.get("signs")
    kept = visit.store.submit(
        visit.worker, item, message.get("answers") or {}, message.get("token"), signs=signs if isinstance(signs, Mapping) else {}
    )
    if not kept.as_sent:
        return _sent_elsewhere(visit, kept.item)
    if item != visit.item or visit.mode != "answer":
        return {}
    if kept.kind == "practice":
        visit.mode, visit.answer = "feedback", kept
        visit.standing = visit.store.standing(visit.worker, visit=visit.identity.visit)
    else:
        advance(visit)
    return {"stored": True}


def _sent_elsewhere(visit: Visit, item: str) -> dict[str, Any]:
    """Another answer to it is in the file already, from another tab perhaps: what is typed here stays, as a change that is not made yet."""
    receipt = {"ok": False, "gone": True}
    earlier = [one for one in changeable(visit) if one.item == item]
    if not earlier:
        if item == visit.item:
            advance(visit)
        return receipt | {"text": visit.texts("receipt.elsewhere_next")}
    if item == visit.item and visit.mode == "answer":
        visit.mode, visit.answer, visit.page, visit.elsewhere = "edit", earlier[0], "task", True
    return receipt | {"text": visit.texts("receipt.elsewhere"), "kept": True}


def _edit(visit: Visit, message: Mapping[str, Any]) -> dict[str, Any]:
    item = _item(visit, message)
    if all(one.item != item for one in changeable(visit)):
        raise RefusedError(item)
    visit.store.edit(visit.worker, item, message.get("answers") or {}, message.get("token"))
    if visit.mode == "edit" and item == visit.item:
        _to_current(visit)
    return {"stored": True}


def _draft(visit: Visit, message: Mapping[str, Any]) -> dict[str, Any]:
    item = _item(visit, message)
    if visit.store.save_draft(visit.worker, item, message.get("answers") or {}):
        return {}
    return _sent_elsewhere(visit, item)


def _active(visit: Visit, message: Mapping[str, Any]) -> None:
    visit.store.active(visit.worker, _item(visit, message))


def _report(visit: Visit, message: Mapping[str, Any]) -> dict[str, Any]:
    text, item = message.get("text"), _item(visit, message)
    try:
        visit.store.report(visit.worker, item, text if isinstance(text, str) else "")
    except (NotSavedError, RefusedError):
        raise
    except BarlowError as error:
        _log.warning("%s", error)
        raise BarlowError(visit.texts("receipt.no_report")) from error
    return {"text": visit.texts("receipt.reported")}


def _skip(visit: Visit, message: Mapping[str, Any]) -> None:
    item = _item(visit, message)
    if visit.claimed is not None and item == visit.claimed.id and visit.claimed.kind != "item":
        raise BarlowError(visit.texts("receipt.no_skip"))
    visit.store.give_back(visit.worker, item)
    if item == visit.item:
        advance(visit)


def _next(visit: Visit, message: Mapping[str, Any]) -> None:
    """On from the feedback, or back from editing to the task that waits."""
    if visit.mode == "feedback":
        advance(visit)
    elif visit.mode == "edit":
        _to_current(visit)


def _back(visit: Visit, message: Mapping[str, Any]) -> None:
    """To the answer before the one on the screen."""
    earlier = before(visit)
    if not earlier:
        raise BarlowError(visit.texts("receipt.no_earlier"))
    visit.mode, visit.answer, visit.page, visit.elsewhere = "edit", earlier[0], "task", False


def changeable(visit: Visit) -> list[StoredAnswer]:
    """The answers that the visitor may look at again and change, the last one first: no checks, no practice."""
    sent = visit.store.history(visit.worker, visit=None if visit.theirs else visit.identity.visit)
    return [one for one in sent if one.kind == "item"]


def before(visit: Visit) -> list[StoredAnswer]:
    """Those of them that came before what is on the screen, the last one first."""
    sent = changeable(visit)
    places = [place for place, one in enumerate(sent) if visit.mode == "edit" and one.item == visit.item]
    return sent[places[0] + 1 :] if places else sent


def _to_current(visit: Visit) -> None:
    if visit.claimed is None or any(one.item == visit.claimed.id for one in visit.store.history(visit.worker)):
        advance(visit)
        return
    visit.mode, visit.answer = "answer", None
    draft = visit.store.draft(visit.worker, visit.claimed.id)
    visit.claimed = ClaimedItem(**{**visit.claimed.__dict__, "draft": draft})


def _stop(visit: Visit, message: Mapping[str, Any]) -> None:
    standing = visit.store.standing(visit.worker, visit=visit.identity.visit)
    end(visit, standing.if_stopped)


_ACTIONS: dict[str, Callable[[Visit, Mapping[str, Any]], dict[str, Any] | None]] = {
    "submit": _submit,
    "edit": _edit,
    "draft": _draft,
    "active": _active,
    "report": _report,
    "skip": _skip,
    "next": _next,
    "back": _back,
    "stop": _stop,
}
