"""What stands between a page and the strangers who open it: headers, closed doors, and no word about this computer.

Streamlit gives neither, and has a place for both: an ASGI middleware of `st.App`. It needs no proxy and goes along with every one.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CORE = "/_stcore/"
OPEN = (
    "health",
    "host-config",
    "stream",
)  # what a page needs of Streamlit's own addresses; not metrics, uploads or the API for programs
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


class Guard:
    """Answers of the app that it wraps get `headers`, closed addresses are not found, and messages do not name folders.

    Args:
        headers: name and value of each.
        folder: of the page's script; a path below it goes out as the name of the file.
    """

    def __init__(self, app: ASGIApp, headers: Sequence[tuple[str, str]], folder: Path):
        self._app = app
        self._headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._folder = str(folder).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        closed = CORE in scope.get("path", "") and scope["path"].partition(CORE)[2] not in OPEN

        async def guarded(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
                ours = {name for name, _ in self._headers}
                kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in ours]
                message = {**message, "headers": [*kept, *self._headers]}
            elif message["type"] == "websocket.send" and self._folder in (message.get("bytes") or b""):
                message = {**message, "bytes": without_folder(message["bytes"])}
            await send(message)

        if not closed:
            await self._app(scope, receive, guarded)
        elif scope["type"] == "http":
            await guarded({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
            await guarded({"type": "http.response.body"})
        else:
            await send({"type": "websocket.close", "code": 1000})  # before it is accepted: refused


def without_folder(content: bytes) -> bytes:
    """A message of Streamlit that names the script by its file name only; the browser tells apps apart by it, and opens nothing."""
    message = ForwardMsg.FromString(content)
    if message.WhichOneof("type") == "new_session":
        message.new_session.main_script_path = Path(message.new_session.main_script_path).name
    return message.SerializeToString()


def headers(*, frames: Sequence[str] = (), forms: Sequence[str] = (), host: str = "") -> list[tuple[str, str]]:
    """The headers of every answer.

    Args:
        frames: sites that may show the page in a frame; forms: sites to which it may send a form; both such as "https://www.mturk.com".
        host: and port at which a proxy serves the page: older versions of Safari do not count WebSockets as of the same site.
    """
    page = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    scripts = [f"'sha256-{_digest(script)}'" for script in _INLINE.findall(page)]
    policy = {
        "default-src": ["'none'"],
        # The form of the worker's page comes as a blob of Streamlit's making.
        "script-src": ["'self'", "blob:", *scripts],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'", "data:"],
        "connect-src": ["'self'", *([f"wss://{host}"] if host else [])],
        "worker-src": ["'self'", "blob:"],
        "manifest-src": ["'self'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'", *forms],
        "frame-ancestors": ["'self'", *frames],
    }
    return [
        ("Content-Security-Policy", "; ".join(f"{name} {' '.join(values)}" for name, values in policy.items())),
        ("X-Content-Type-Options", "nosniff"),
        # Links hold invite codes and signatures: other sites learn no more than where the study is.
        ("Referrer-Policy", "strict-origin"),
    ]


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
