"""Errors for the person who must act on them: what was wrong, what was expected, what to do."""

from __future__ import annotations


class BarlowError(Exception):
    """Something that a person did and can mend; the message is meant for that person, without a traceback."""


class ImageError(BarlowError):
    """An image file that is missing, unreadable or truncated; the message names the file."""


class BusyError(BarlowError):
    """Another process holds what is needed; the same may succeed later."""
