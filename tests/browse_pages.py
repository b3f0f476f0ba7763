"""Driving the browse app without a browser: opening it at an address, and reading what it shows."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest
from streamlit.testing.v1 import AppTest

from barlow_core.run import Run
from barlow_core.storage.shipped import apps_dir


class Opener:
    """Starts the app as `streamlit run apps/browse.py -- RUN... [FLAG...]` does, at the address ?class=...&grouping=..."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self._monkeypatch = monkeypatch
        monkeypatch.syspath_prepend(str(apps_dir()))

    def __call__(self, *runs: Run | Path | str, **parameters: str) -> AppTest:
        paths = [str(run.path) if isinstance(run, Run) else str(run) for run in runs]
        self._monkeypatch.setattr(sys, "argv", ["browse.py", *paths])
        page = AppTest.from_file(str(apps_dir() / "browse.py"), default_timeout=60)
        for name, value in parameters.items():
            page.query_params[name.rstrip("_")] = value
        return page.run()


def html(page: AppTest) -> str:
    """Everything that the page shows as HTML, also what can be pressed."""
    assert not page.exception, page.exception
    shown = [element.proto.body for element in page.get("html")]
    shown += [json.loads(element.proto.json)["body"] for element in page.get("bidi_component")]
    return "\n".join(shown).replace("\N{NO-BREAK SPACE}", " ")


def heading(page: AppTest) -> str:
    """The first heading of the second level."""
    return html(page).split('<h2 class="bw-h2">')[1].split("</h2>")[0]


def address(page: AppTest) -> dict[str, str]:
    """What the URL says."""
    return {name: value[0] if isinstance(value, list) else value for name, value in page.query_params.items()}


def move(page: AppTest, /, **parameters: str) -> AppTest:
    """Go to another address in the same visit, as the back button and edits of the URL do."""
    for name in list(page.query_params):
        del page.query_params[name]
    for name, value in parameters.items():
        page.query_params[name.rstrip("_")] = value
    return page.run()


def errors(page: AppTest) -> str:
    """The errors that the page tells."""
    assert not page.exception, page.exception
    return "\n".join(element.value for element in page.error).replace("\\", "")


def commands(page: AppTest) -> list[str]:
    """The commands that the page advises."""
    assert not page.exception, page.exception
    return [line for element in page.code for line in element.value.splitlines()]


def link(parameters: dict[str, str]) -> str:
    """An address that means the same in a browser."""
    return f"?{urlencode(parameters)}" if parameters else ""
