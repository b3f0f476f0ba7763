"""Words on the screen while the page is still on its way: Streamlit's own first page is blank until a megabyte of script has come."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from barlow_core.errors import BarlowError
from shared.studies import open_store
from study.store.languages import preferred
from study.texts import ENGLISH

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROOT = '<div id="root"></div>'  # of Streamlit's page: what stands in it goes when the app begins
TITLE, LANGUAGE = "<title>Streamlit</title>", '<html lang="en">'
STYLE = "max-width:50rem;margin:0 auto;padding:2.5rem 1rem;font:1.05rem/1.6 system-ui,sans-serif;color-scheme:light dark;color:CanvasText"
CHANGED = (b"content-length", b"etag", b"last-modified")  # these are of the page as Streamlit has it


class Words(NamedTuple):
    """What is said first: in which language and direction, under which title."""

    language: str
    direction: str
    title: str
    text: str


class FirstPaint:
    """The page of the app that it wraps holds words from the start.

    Args:
        words: gives them, for a browser with a certain Accept-Language.
    """

    def __init__(self, app: ASGIApp, words: Callable[[str], Words]):
        self._app = app
        self._words = words

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        begun: list[Message] = []
        parts: list[bytes] = []

        async def painted(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_page(message):
                begun.append(message)
            elif message["type"] == "http.response.body" and begun:
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    body = self._paint(b"".join(parts), scope)
                    kept = [(name, value) for name, value in begun[0]["headers"] if name.lower() not in CHANGED]
                    headers = [*kept, (b"content-length", str(len(body)).encode()), (b"vary", b"accept-language")]
                    await send({**begun[0], "headers": headers})
                    await send({"type": "http.response.body", "body": body})
            else:
                await send(message)

        await self._app(scope, receive, painted)

    def _paint(self, body: bytes, scope: Scope) -> bytes:
        wishes = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1")
        language, direction, title, text = map(escape, self._words(wishes))
        words = f'<div id="root"><div style="{STYLE}"><h1>{title}</h1><p role="status">{text}</p></div></div>'
        page = body.decode("utf-8").replace(ROOT, words).replace(TITLE, f"<title>{title}</title>")
        return page.replace(LANGUAGE, f'<html lang="{language}" dir="{direction}">').encode()


def _is_page(message: Message) -> bool:
    kinds = [value for name, value in message["headers"] if name.lower() == b"content-type"]
    return message["status"] == 200 and any(kind.startswith(b"text/html") for kind in kinds)


def study_words(path: Path) -> Callable[[str], Words]:
    """The words of a study, in the language that a browser would like best; without a study that can be read, English ones."""

    def words(wishes: str) -> Words:
        try:
            settings = open_store(path).settings
            language = preferred(settings.languages, wishes)
            texts = settings.texts_in(language)
            return Words(language, texts.direction, settings.in_language(language).title, texts("page.loading"))
        except BarlowError:
            return Words("en", "ltr", ENGLISH("page.study"), ENGLISH("page.loading"))

    return words
