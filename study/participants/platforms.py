"""Where workers come from and where they go at the end: a plain link, Prolific, Mechanical Turk.

Everything that a link says about a person is checked before it is believed to be an id. That the person is who the link says cannot
be checked: the platforms sign nothing. Whoever invents an id gains nothing, as only ids that the platform knows are paid.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from urllib.parse import quote, urlencode, urlsplit
from xml.sax.saxutils import escape

from barlow_core.wording import count
from study.errors import UnknownInviteError, UnknownVisitorError
from study.store.pay import PAYING
from study.store.settings import GUEST_PREFIX, INVITE, PLATFORMS, StudySettings
from study.texts import ENGLISH, Texts

OUTCOMES = (
    "complete",
    "partial",
    "returned",
    "screened_out",
    "unqualified",
    "settled",
    "declined",
    "refused",
    "full",
    "reserved",
    "paused",
)
PROLIFIC_COMPLETE = "https://app.prolific.com/submissions/complete?cc="
MTURK_HOSTS = ("www.mturk.com", "workersandbox.mturk.com")
MTURK_FRAMES = ("worker.mturk.com", "workersandbox.mturk.com", "www.mturk.com")  # sites that show HITs in a frame
NOT_ACCEPTED = "ASSIGNMENT_ID_NOT_AVAILABLE"  # what MTurk says instead of an assignment while a worker looks at a HIT
CODE_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # no letters that are taken for others
_PROLIFIC_ID = re.compile(r"[0-9a-f]{24}\Z")
_MTURK_ID = re.compile(r"[A-Za-z0-9]{5,128}\Z")
_GUEST = re.compile(rf"{GUEST_PREFIX}[{CODE_ALPHABET}]{{20}}\Z")
_PROLIFIC_KEYS = ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID")
_MTURK_KEYS = ("assignmentId", "hitId", "workerId", "turkSubmitTo")


@dataclass(frozen=True)
class Identity:
    """Who a link says that its visitor is.

    Attributes:
        platform: "link", "prolific", "mturk", or "preview" for somebody who looks at a HIT that they have not accepted.
        worker_id: the platform's id of the person; empty for a preview.
        visit: this arrival of theirs: Prolific's session, MTurk's assignment; None for a plain link.
        reward: what the platform pays for once, however often the person comes: Prolific's study, MTurk's assignment; None for a plain link.
        details: what else the platform said, for `StudyStore.register`.
        query: the parameters of the personal link, by which the same person comes back from any device.
        new: the id was drawn just now, for a visitor of an open link.
    """

    platform: str
    worker_id: str
    visit: str | None = None
    reward: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    new: bool = False

    @property
    def preview(self) -> bool:
        return self.platform == "preview"


@dataclass(frozen=True)
class Completion:
    """The way out.

    Attributes:
        outcome: one of `OUTCOMES`.
        title, text: for the page, plain text.
        code: to be copied by the worker; None: there is none.
        url: to go to; None: nowhere.
        action, fields: a form to be posted (MTurk); None and empty elsewhere.
    """

    outcome: str
    title: str
    text: str
    code: str | None = None
    url: str | None = None
    action: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    """A link to hand out: who it is for, where it leads, and what to do with it."""

    audience: str
    url: str
    advice: str


def unknown_visitor(key: str, kind: type[UnknownVisitorError] = UnknownVisitorError, **values: object) -> UnknownVisitorError:
    """Why a link lets nobody in; `key` of the text, see `UnknownVisitorError`."""
    return kind(visitor_message(ENGLISH, key, values), key, values)


def visitor_message(texts: Texts, key: str, values: Mapping[str, object]) -> str:
    """What the visitor is told, in their language."""
    said = {name: texts(f"platform.{value}") if value in PLATFORMS else value for name, value in values.items()}
    ask = "" if key in ("visitor.again", "visitor.slowed") else f" {texts('visitor.ask')}"
    return f"{texts(key, **said)}{ask}"


def identify(query: Mapping[str, str], settings: StudySettings) -> Identity:
    """Who opens the study with these parameters in the link.

    Args:
        query: parameters by name, each with one value; those that no platform knows are ignored.

    Raises:
        UnknownVisitorError: the link names nobody, or somebody that this study does not take; the message is for the visitor.
    """
    found = {name: str(value) for name, value in query.items() if value}
    kinds = {
        "prolific": [name for name in _PROLIFIC_KEYS if name in found],
        "mturk": [name for name in _MTURK_KEYS if name in found],
        "link": [name for name in ("invite",) if name in found],
    }
    named = [kind for kind, names in kinds.items() if names]
    if len(named) > 1:
        raise unknown_visitor("visitor.mixed", first=named[0], second=named[1])
    platform = named[0] if named else "link"
    if platform not in settings.platforms:
        if named:
            raise unknown_visitor("visitor.platform", platform=platform)
        raise unknown_visitor("visitor.nobody")
    identity = {"prolific": _prolific, "mturk": _mturk, "link": _link}[platform](found, settings)
    listed = settings.allowed_workers
    if listed and identity.platform in PAYING and identity.worker_id not in listed:
        raise unknown_visitor("visitor.unlisted")
    return identity


def _prolific(query: Mapping[str, str], settings: StudySettings) -> Identity:
    for name in _PROLIFIC_KEYS:
        value = query.get(name)
        if value is None and name != "PROLIFIC_PID":
            continue
        if value is None:
            raise unknown_visitor("visitor.prolific_missing", name=name)
        if "{" in value or "%" in value:
            raise unknown_visitor("visitor.prolific_unfilled", name=name)
        if not _PROLIFIC_ID.match(value):
            raise unknown_visitor("visitor.prolific_wrong", name=name)
    details = {name.lower(): query[name] for name in ("STUDY_ID", "SESSION_ID") if name in query}
    kept = {name: query[name] for name in _PROLIFIC_KEYS if name in query}
    return Identity("prolific", query["PROLIFIC_PID"], query.get("SESSION_ID"), query.get("STUDY_ID"), details, kept)


def _mturk(query: Mapping[str, str], settings: StudySettings) -> Identity:
    kept = {name: query[name] for name in _MTURK_KEYS if name in query}
    if query.get("assignmentId") == NOT_ACCEPTED:
        return Identity("preview", "", query=kept)
    for name in ("assignmentId", "hitId", "workerId"):
        if not _MTURK_ID.match(query.get(name, "")):
            raise unknown_visitor("visitor.mturk_wrong", name=name)
    _submit_host(query.get("turkSubmitTo", ""))
    details = {"hit": query["hitId"], "assignment": query["assignmentId"]}
    return Identity("mturk", query["workerId"], query["assignmentId"], query["assignmentId"], details, kept)


def _submit_host(url: str) -> str:
    """The address that takes a HIT back; only Amazon's own are believed, or the answers would go to whoever wrote the link."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme == "https" and parts.hostname in MTURK_HOSTS and parts.port in (None, 443) and parts.username is None
    except ValueError:
        fine = False
    if not fine:
        raise unknown_visitor("visitor.mturk_address")
    return f"https://{parts.hostname}/mturk/externalSubmit"


def _link(query: Mapping[str, str], settings: StudySettings) -> Identity:
    code = query.get("invite")
    if code is None:
        if not settings.link_is_open:
            raise unknown_visitor("visitor.invitation")
        code = new_guest()
        return Identity("link", code, query={"invite": code}, new=True)
    if (settings.link_is_open and _GUEST.match(code)) or (INVITE.match(code) and code in settings.invite_codes):
        return Identity("link", code, query={"invite": code})
    raise unknown_visitor("visitor.invite_wrong", UnknownInviteError)


def new_guest() -> str:
    """An id for a visitor of an open link; 20 random characters, so that nobody comes upon another's."""
    return GUEST_PREFIX + _random(20)


def new_invite_codes(n: int) -> list[str]:
    """`n` different invite codes that can be read out on the telephone and not be guessed."""
    codes: dict[str, None] = {}
    while len(codes) < n:
        codes[_random(10)] = None
    return list(codes)


def _random(length: int) -> str:
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(length))


def completion(identity: Identity, settings: StudySettings, outcome: str, texts: Texts = ENGLISH) -> Completion:
    """Where somebody goes who is at the end.

    Args:
        outcome: "complete" (everything that there is for them), "partial" (some of it), "returned" (nothing that is paid),
            "screened_out" (failed too many checks), "unqualified" (failed the quiz, before sending anything), "settled" (paid by bonuses, as a part of it was already), "declined" (no consent), "refused" (blocked or withdrawn), "full" (there was
            nothing for them at all), "reserved" (all places are taken for the moment), "paused" (nobody new is let in).
    """
    made = Completion(outcome, texts(f"outcome.{outcome}.title"), texts(f"outcome.{outcome}.text"))
    if identity.platform == "prolific":
        return _to_prolific(settings, made, texts)
    if identity.platform == "mturk":
        return _to_mturk(identity, made, texts)
    if identity.platform == "link":
        return _from_link(identity, settings, made, texts)
    return made


def _code(settings: StudySettings, outcome: str) -> str:
    """The code by which a platform learns how it ended; empty where the study has none for that."""
    names = {
        "complete": "completion_code",
        "returned": "declined_code",
        "unqualified": "screened_out_code",
        "reserved": "full_code",
    }
    return getattr(settings, names.get(outcome, f"{outcome}_code"), "")


def _from_link(identity: Identity, settings: StudySettings, made: Completion, texts: Texts) -> Completion:
    code = _code(settings, made.outcome)
    more = ["end.copy_code"] if code and made.outcome in ("complete", "partial") else []
    values = {"worker": quote(identity.worker_id, safe=""), "code": quote(code, safe=""), "outcome": made.outcome}
    leads_back = made.outcome == "complete" or "{outcome}" in settings.completion_url
    url = settings.completion_url.format(**values) if leads_back else ""
    return replace(made, text=_with(made, texts, *more), code=code or None, url=url or None)


def _to_prolific(settings: StudySettings, made: Completion, texts: Texts) -> Completion:
    code = _code(settings, made.outcome)
    if code:
        url = f"{PROLIFIC_COMPLETE}{quote(code, safe='')}"
        return replace(made, text=_with(made, texts, "end.prolific_back"), code=code, url=url)
    if made.outcome == "complete":
        return replace(made, text=_with(made, texts, "end.prolific_done"))
    bonus = ["end.prolific_bonus"] if made.outcome in ("partial", "screened_out", "settled", "refused") else []
    return replace(made, text=_with(made, texts, *bonus, "end.prolific_return"))


def _to_mturk(identity: Identity, made: Completion, texts: Texts) -> Completion:
    if made.outcome not in ("complete", "partial", "screened_out"):
        return replace(made, text=_with(made, texts, "end.mturk_return"))
    fields = {"assignmentId": identity.query["assignmentId"], "worker": identity.worker_id, "outcome": made.outcome}
    action = _submit_host(identity.query["turkSubmitTo"])
    return replace(made, text=_with(made, texts, "end.mturk_send"), action=action, fields=fields)


def _with(made: Completion, texts: Texts, *keys: str) -> str:
    """The text of an ending, followed by others."""
    return " ".join([made.text, *(texts(key) for key in keys)])


def links(settings: StudySettings, base_url: str) -> list[Link]:
    """The links to hand out, for a study that is reached at `base_url`."""
    base = base_url.rstrip("/") + "/"
    found = []
    if "prolific" in settings.platforms:
        parameters = "&".join(f"{name}={{{{%{name}%}}}}" for name in _PROLIFIC_KEYS)
        advice = "the study's URL on Prolific, with 'I'll use URL parameters' chosen for recording IDs"
        found.append(Link("Prolific", f"{base}?{parameters}", advice))
    if "mturk" in settings.platforms:
        found.append(Link("Mechanical Turk", base, "ExternalURL of an ExternalQuestion; must begin with https://"))
    if "link" in settings.platforms:
        if settings.link_is_open:
            found.append(Link("everybody", base, "whoever opens it takes part, and gets a personal link to come back by"))
        for code in settings.invite_codes:
            found.append(Link(f"invited person {code}", f"{base}?{urlencode({'invite': code})}", "for one person, on any device"))
    return found


def external_question(url: str, *, height: int = 0) -> str:
    """What CreateHIT of Mechanical Turk takes as its Question; `height` in pixels, 0 for the whole window."""
    schema = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2006-07-14/ExternalQuestion.xsd"
    return (
        f'<ExternalQuestion xmlns="{schema}"><ExternalURL>{escape(url)}</ExternalURL>'
        f"<FrameHeight>{height}</FrameHeight></ExternalQuestion>"
    )


def missing(settings: StudySettings) -> list[str]:
    """What a study still needs before workers of its platforms can finish properly and are paid right, one sentence each."""
    found = []
    if "prolific" in settings.platforms and not settings.completion_code:
        found.append("Prolific needs a completion code: barlow study set STUDY completion_code=CODE")
    paying = [ENGLISH(f"platform.{name}") for name in settings.platforms if name in PAYING]
    if paying and settings.pay and not Decimal(settings.base_pay):
        found.append(
            f"The reward that {' or '.join(paying)} pays by itself is not known, so all that people earn would be due once more: "
            "barlow study set STUDY base_pay=AMOUNT"
        )
    limit = settings.items_per_worker or settings.items_per_visit
    if paying and limit and Decimal(settings.base_pay) > settings.pay * limit:
        found.append(
            f"base_pay is {settings.base_pay}, but {count(limit, 'item')} earn {settings.pay * limit:.2f} at most: whoever does all is paid more "
            "than was earned. Change one of them with barlow study set"
        )
    if "link" in settings.platforms and not settings.link_is_open and not settings.invite_codes:
        found.append(
            "Nobody can take part by a link: there are no invite codes, and the link is not open. barlow study set STUDY open_link=true"
        )
    return found
