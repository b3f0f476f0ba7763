"""Who comes by a link, and from where: guesses at invite codes from one network are slowed down."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping

from study.errors import NotSavedError, UnknownInviteError
from study.participants.platforms import Identity, identify, unknown_visitor
from study.store import StudyStore

_log = logging.getLogger("barlow.annotate")


def arrive(query: Mapping[str, str], store: StudyStore, address: str | None) -> Identity:
    """Who opens the study with these parameters in the link (`identify`).

    Args:
        address: of the visitor; None: unknown, and nobody is slowed down by what others do.

    Raises:
        UnknownVisitorError: the link names nobody, or many invite codes that are none came from this address.
    """
    code = query.get("invite")
    if not code or address is None:
        return identify(query, store.settings)
    if wait := store.seconds_to_wait(address):
        raise unknown_visitor("visitor.slowed", n=math.ceil(wait / 60))
    try:
        return identify(query, store.settings)
    except UnknownInviteError:
        try:
            store.note_guess(address, code)
        except NotSavedError as error:
            _log.warning("A wrong invite code was not noted: %s", error)
        raise
