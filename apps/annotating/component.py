"""The form in the browser: a component of Streamlit without a frame of its own, made of the files in form/."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent / "form"
# One module: each file uses what those before it define.
SCRIPTS = ("basics.js", "drafts.js", "post.js", "pictures.js", "questions.js", "dialogs.js", "form.js")
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


def script() -> str:
    """All of the script, as one module."""
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)


@lru_cache(maxsize=1)
def _component() -> Callable[..., Any]:
    return st.components.v2.component(NAME, js=script(), css=(FOLDER / "form.css").read_text(encoding="utf-8"))
