"""A small proxy for tests: it can lose the connection, and it keeps a visitor at one of several servers by a cookie."""

from __future__ import annotations

import asyncio
import itertools
import re
import threading
from collections.abc import Coroutine, Sequence
from typing import Any

COOKIE = re.compile(rb"\bserver=(\d+)")


class Proxy:
    """Passes connections on to servers of this computer, until `cut`.

    Args:
        servers: their ports.

    Attributes:
        port: its own; served: how many connections each server got.
    """

    def __init__(self, servers: Sequence[int]):
        self.servers = list(servers)
        self.served = [0] * len(servers)
        self._turns = itertools.cycle(range(len(servers)))
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._listener = self._do(asyncio.start_server(self._pass_on, "localhost", 0))
        self.port = self._listener.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """End all connections and take no more."""

        async def end_all() -> None:
            self._is_cut = True
            for writer in list(self._writers):
                writer.transport.abort()

        self._do(end_all())

    def restore(self) -> None:
        self._is_cut = False

    def close(self) -> None:
        self.cut()
        self._listener.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            known = COOKIE.search(head)
            server = int(known[1]) if known else next(self._turns)
            back_reader, back_writer = await asyncio.open_connection("localhost", self.servers[server])
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
            return
        self.served[server] += 1
        self._writers |= {writer, back_writer}
        back_writer.write(head)
        cookie = b"" if known else b"Set-Cookie: server=%d; Path=/\r\n" % server
        await asyncio.gather(self._copy(reader, back_writer), self._copy(back_reader, writer, cookie))
        self._writers -= {writer, back_writer}

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cookie: bytes = b"") -> None:
        try:
            if cookie:
                writer.write(await reader.readline() + cookie)
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort() if self._is_cut else writer.close()
