"""What one process sets holds in every other one at once, also in those that only read."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from study.store import StudyStore
from study.store.admin_secret import hashed

Make = Callable[..., StudyStore]
# A server that only reads: for each line it is given, it says what it would decide now.
SERVER = """
import json, sys
from study.errors import UnknownVisitorError
from study.participants.platforms import identify
from study.store import StudyStore

def let_in(store, code):
    try:
        return identify({"invite": code}, store.settings).worker_id
    except UnknownVisitorError:
        return None

with StudyStore(sys.argv[1]) as store:
    print("ready", flush=True)
    for line in sys.stdin:
        code, secret = json.loads(line)
        found = {"consent": store.settings.consent, "in": let_in(store, code), "admin": store.admin_allowed(secret),
                 "recruiting": store.settings.recruiting, "limit": store.standing("w").limit}
        print(json.dumps(found), flush=True)
"""


class Server:
    def __init__(self, path: Path):
        command = [sys.executable, "-c", textwrap.dedent(SERVER), str(path)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, code: str, secret: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([code, secret]) + "\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self._line())
        return found


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Server]]:
    running: list[Server] = []

    def start(path: Path) -> Server:
        running.append(Server(path))
        return running[-1]

    yield start
    for one in running:
        one.process.communicate(timeout=30)


def test_a_running_server_obeys_at_once(make_store: Make, serve: Callable[[Path], Server]) -> None:
    first, second = "the first secret", "the second secret"
    store = make_store(admin_hash=hashed(first), invite_codes=["anna-1234"], open_link=False)
    server = serve(store.path)
    before = server.ask("ben-5678", first)
    assert (before["in"], before["admin"], before["recruiting"], before["limit"]) == (None, True, True, None)
    store.configure(admin_hash=hashed(second), consent="A new text.", recruiting=False, items_per_worker=3)
    store.invite(["ben-5678"])
    assert server.ask("ben-5678", first) == {
        "consent": "A new text.",
        "in": "ben-5678",
        "admin": False,
        "recruiting": False,
        "limit": 3,
    }
    assert server.ask("anna-1234", second)["admin"]
    # Also when the study goes back to a backup that is set otherwise.
    copy = store.backup()
    store.configure(recruiting=True)
    assert server.ask("ben-5678", second)["recruiting"]
    StudyStore.restore(copy, store.path).close()
    assert not server.ask("ben-5678", second)["recruiting"]
    assert not store.settings.recruiting


def test_settings_are_not_read_again_while_nobody_writes(make_store: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store()
    assert store.settings is store.settings
    reads = []
    load = store._file.load
    monkeypatch.setattr(store._file, "load", lambda connection: (reads.append(1), load(connection)))
    for n in range(20):
        store.claim(f"w{n}")
        assert store.settings.title
    assert reads == [], "only a change of the settings is read, not every answer"
    with StudyStore(store.path) as other:
        other.configure(title="Another title")
    assert store.settings.title == "Another title"
    assert reads == [1]
