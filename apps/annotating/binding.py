"""Whether a visitor is the worker that their link names: a worker's id alone, which others may know, opens nothing of that worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from study.participants.platforms import Identity, unknown_visitor
from study.store import StudyStore
from study.store.workers import Worker

KEY = "key"  # of the link that a worker's first visit becomes: the study's signature of their id
SESSIONS = "sessions"  # among a worker's details: the visits that were theirs


def is_theirs(store: StudyStore, identity: Identity, key: object) -> bool:
    """Whether the visitor may see what the worker sent before.

    They may with an invite or a guest's link (which nobody else has), on a first visit, with the signature that the first visit's
    link was given, and in a session of the platform that began so. In a session that nobody has heard of they may go on, as a
    platform can send the same person again, but see only what is sent in it.

    Args:
        key: what the link holds as its signature, if anything.

    Raises:
        UnknownVisitorError: the worker has taken part, and the link holds neither signature nor session.
    """
    if identity.platform == "link":
        return True
    known = store.worker(identity.worker_id)
    if known is None or store.is_signed(identity.worker_id, key):
        return True
    if identity.visit is None:
        raise unknown_visitor("visitor.again")
    return identity.visit in _sessions(known)


def details_of(identity: Identity, known: Worker | None, *, theirs: bool) -> dict[str, Any]:
    """What to remember of a visit beside the worker: what the platform said, and that this session is theirs."""
    details: dict[str, Any] = dict(identity.details)
    if theirs and identity.visit is not None:
        details[SESSIONS] = list(dict.fromkeys([*(_sessions(known) if known is not None else ()), identity.visit]))
    elif known is not None and SESSIONS not in known.details:
        details[SESSIONS] = _sessions(known)  # before the names of an earlier session are overwritten
    return details


def _sessions(known: Worker) -> list[str]:
    details: Mapping[str, Any] = known.details
    if SESSIONS in details:
        return list(details[SESSIONS])
    return [details[name] for name in ("session_id", "assignment") if name in details]  # of a file of an earlier version
