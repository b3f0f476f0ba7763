"""What can go wrong with a study, for the person who must act on it."""

from __future__ import annotations

from collections.abc import Mapping

from barlow_core.errors import BarlowError


class InvalidAnswersError(BarlowError):
    """Answers that the questionnaire does not take; nothing was written.

    Attributes:
        problems: for every question that needs another look, what to do, in the order of the questions.
        rule: the rule that they break (see `study.store.rules`); empty: none, it is the questions that are not answered.
    """

    def __init__(self, problems: Mapping[str, str], *, rule: str = ""):
        self.problems = dict(problems)
        self.rule = rule
        super().__init__(" ".join(self.problems.values()))


class RefusedError(BarlowError):
    """Something that this worker may not do: an item they do not hold, a token of somebody else, a blocked worker."""


class DamagedError(BarlowError):
    """A file that is no study any more, or never was one."""


class NotSavedError(BarlowError):
    """The file could not take it (locked, full, read-only, damaged). Nothing was written, not even half of it.

    Attributes:
        reason: "busy" (somebody else holds the file), "full" (the disk is), "read_only", "damaged" or "other".
        try_again: whether the same call may work in a moment without anybody doing anything.
    """

    def __init__(self, message: str, *, reason: str = "other"):
        self.reason = reason
        self.try_again = reason == "busy"
        super().__init__(message)


class UnknownVisitorError(BarlowError):
    """Somebody whose link does not say who they are, or says what cannot be; the message is for them.

    Attributes:
        key: of the text that says so (`study.texts`), beginning with "visitor."; values: what is filled in, names of platforms as
            their keys.
    """

    def __init__(self, message: str, key: str, values: Mapping[str, object]):
        self.key = key
        self.values = dict(values)
        super().__init__(message)


class UnknownInviteError(UnknownVisitorError):
    """An invite code that is none of this study."""
