"""What runs in the browser: the form, and what is around it; components of Streamlit without frames, made of the files in form/."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent / "form"
# One module: each file uses what those before it define.
SCRIPTS = ("basics.js", "guard.js", "drafts.js", "post.js", "pictures.js", "questions.js", "dialogs.js", "form.js")
AROUND = ("guard.js", "page.js")
NAME = "barlow_task"
KEY = "task"


def show_form(data: Mapping[str, Any], on_message: Callable[[object], None]) -> None:
    """Show the task.

    Args:
        data: see `annotating.task.form_data`.
        on_message: hears what the form sends, before the page is made anew.
    """

    def hear() -> None:
        # Asked for by name: a page of somebody else's making may send anything, or nothing.
        state = st.session_state.get(KEY) or {}
        on_message(state.get("message"))

    _component()(key=KEY, data=dict(data), on_message_change=hear)


def show_around(page: str, link: Mapping[str, str], *, language: str = "en", direction: str = "ltr") -> None:
    """Look after what is around the form: language, focus, and the address.

    Args:
        page: its name; where it changes, the focus goes to the new heading.
        link: parameters that the address in the browser is to have, so that it leads back to this visitor.
        direction: "ltr" or "rtl".
    """
    _around()(key="around", data={"page": page, "link": dict(link), "language": language, "direction": direction})


def script(names: Sequence[str] = SCRIPTS) -> str:
    """Files of the script, as one module."""
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)


@lru_cache(maxsize=1)
def _component() -> Callable[..., Any]:
    return st.components.v2.component(NAME, js=script(), css=(FOLDER / "form.css").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _around() -> Callable[..., Any]:
    return st.components.v2.component("barlow_around", js=script(AROUND))
