"""The first page of the workers' app holds words before any script has come."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import streamlit as st
from shared.first_paint import FirstPaint, study_words
from worker_study import make_worker_study

PAGE = (Path(st.__file__).parent / "static" / "index.html").read_bytes()


def get(app: FirstPaint, path: str = "/", wishes: str = "") -> tuple[dict[bytes, bytes], bytes]:
    """Headers and body of an answer."""
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"accept-language", wishes.encode())]}
    # In a thread of its own: browser tests in the same process leave an event loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, app(scope, None, send)).result()  # type: ignore[arg-type]
    return dict(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent[1:])  # type: ignore[call-overload, misc]


async def streamlit(scope: dict[str, object], receive: object, send: object) -> None:
    """Answers as Streamlit does, a page in two parts."""
    kind = b"text/html; charset=utf-8" if scope["path"] == "/" else b"text/javascript"
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(PAGE)), (b"etag", b"abc")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": PAGE[:100], "more_body": True})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": PAGE[100:]})  # type: ignore[operator]


def test_words_come_with_the_page(tmp_path: Path) -> None:
    title = "Was <b> zeigen & sagen"
    make_worker_study(
        tmp_path / "study.sqlite", pictures=False, languages=("de", "en"), title=title, texts={"en": {"study": {"title": "T"}}}
    ).close()
    app = FirstPaint(streamlit, study_words(tmp_path / "study.sqlite"))  # type: ignore[arg-type]
    headers, body = get(app, wishes="de")
    assert b"<h1>Was &lt;b&gt; zeigen &amp; sagen</h1>" in body
    assert "Die Studie wird geladen." in body.decode()
    assert b'<html lang="de" dir="ltr">' in body
    assert b"<title>Streamlit</title>" not in body
    assert headers[b"content-length"] == b"%d" % len(body)
    assert b"etag" not in headers
    assert b"<h1>T</h1>" in get(app, wishes="en-GB")[1]
    assert body.count(b'<div id="root">') == 1
    assert get(app, "/static/js/index.js")[1] == PAGE, "nothing else is touched"


def test_a_study_that_cannot_be_read_is_said_by_the_page_itself(tmp_path: Path) -> None:
    body = get(FirstPaint(streamlit, study_words(tmp_path / "none.sqlite")))[1]  # type: ignore[arg-type]
    assert b"<h1>Study</h1>" in body
