"""Disks that are full, files that are locked, read-only or killed: the worker is told, and nothing that was acknowledged is lost."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from study.errors import DamagedError, NotSavedError
from study.store import StudyStore
from study.store.connections import lock_path

Make = Callable[..., StudyStore]


def run(code: str, *arguments: object) -> dict[str, Any]:
    """Run Python in a process of its own; what it prints last, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_file_that_another_program_holds_is_waited_for_and_then_said_to_be_busy(make_store: Make, answers: dict) -> None:
    store = make_store(patience=0.3)
    item = store.claim("w")
    assert item is not None
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(NotSavedError, match="another program holds") as caught:
        store.submit("w", item.id, answers, item.token)
    assert 0.25 < time.monotonic() - began < 5
    assert (caught.value.reason, caught.value.try_again) == ("busy", True)
    assert len(store.answers()) == 0
    other.execute("ROLLBACK")
    other.close()
    kept = store.submit("w", item.id, answers, item.token)
    assert not kept.replayed
    assert store.check() == []


def test_a_lock_that_ends_in_time_costs_nothing_but_the_wait(make_store: Make, answers: dict) -> None:
    store = make_store(patience=20)
    item = store.claim("w")
    assert item is not None
    holder = FileLock(lock_path(store.path), thread_local=False)
    holder.acquire()
    threading.Timer(0.5, holder.release).start()
    began = time.monotonic()
    store.submit("w", item.id, answers, item.token)
    assert time.monotonic() - began > 0.4
    assert len(store.answers()) == 1


def test_reading_goes_on_while_somebody_holds_the_file(make_store: Make) -> None:
    store = make_store(patience=0.2)
    store.claim("w")
    with FileLock(lock_path(store.path)):
        with pytest.raises(NotSavedError):
            store.claim("w2")
        assert store.progress().reserved == 1
        assert store.draft("w", "a") == {}


def test_many_threads_get_their_turn_and_give_up_in_time(make_store: Make) -> None:
    store = make_store(items=[f"i{n}" for n in range(30)], patience=0.4)
    found: list[object] = []

    def claim(n: int) -> None:
        try:
            found.append(store.claim(f"w{n}"))
        except NotSavedError as error:
            found.append(error.reason)

    with FileLock(lock_path(store.path)):
        threads = [threading.Thread(target=claim, args=(n,)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == ["busy"] * 12
    assert store.claim("w") is not None  # nobody who gave up left the door locked


def test_a_full_disk_is_said_and_leaves_nothing_half_written(make_store: Make, answers: dict) -> None:
    store = make_store(items=[f"i{n}" for n in range(200)])
    with store._file.writer.alone() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    caught: NotSavedError | None = None
    for n in range(300):
        before = len(store.events())
        try:
            item = store.claim(f"w{n}")
            assert item is not None
            store.submit(f"w{n}", item.id, answers | {"long": "word " + "x" * 400})
        except NotSavedError as error:
            caught = error
            break
    assert caught is not None
    assert caught.reason == "full"
    assert "free some space" in str(caught)
    kept = len(store.answers())
    with store._file.writer.alone() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    assert store.check() == []
    assert kept == n
    assert len(store.events()) - before in (0, 2)  # of the last worker all of a claim, or nothing
    again = store.claim(f"w{n}")
    assert again is not None
    store.submit(f"w{n}", again.id, answers)
    assert len(store.answers()) == kept + 1


def test_a_write_that_the_system_refuses_loses_nothing_that_was_acknowledged(make_store: Make) -> None:
    """RLIMIT_FSIZE: files cannot grow beyond a size, as on a disk that is full."""
    store = make_store(items=[f"i{n}" for n in range(500)], answers_per_item=1)
    store.close()
    result = run(
        """
        import json, resource, sys
        from study.errors import NotSavedError
        from study.store import StudyStore
        answers = {"short": "fur", "long": "x" * 450, "ease": 4, "confidence": 5, "useful": "B"}
        store = StudyStore(sys.argv[1])
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
        acknowledged = []
        try:
            for n in range(500):
                item = store.claim(f"w{n}")
                store.submit(f"w{n}", item.id, answers, item.token)
                acknowledged.append(item.id)
        except NotSavedError as error:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            item = store.claim(f"w{n}")
            store.submit(f"w{n}", item.id, answers, item.token)
            print(json.dumps({"acknowledged": acknowledged + [item.id], "message": str(error), "check": store.check()}))
        """,
        store.path,
    )
    assert result["message"].startswith("Not saved")
    assert "what you entered is still with you" in result["message"]
    assert result["check"] == []
    assert len(result["acknowledged"]) > 5
    with StudyStore(store.path) as again:
        assert again.answers()["item"].tolist() == result["acknowledged"]
        assert again.check() == []


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that also somebody else on this computer may enter: the administrator may write to anything, so tests step down."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


STEP_DOWN = """
import json, os, sys
from pathlib import Path
import pandas, study.store.export, study.store.frames  # while they may still be read
from study.store.clock import Clock
from study.errors import NotSavedError
from study.store import StudyStore
Clock().now()
if os.geteuid() == 0:
    os.setuid(65534)
answers = {"short": "fur", "long": "x", "ease": 4, "confidence": 5, "useful": "B"}
"""


@pytest.mark.parametrize("what", ["file", "folder and file"])
def test_a_study_that_cannot_be_written_can_be_read_and_says_so(public_folder: Path, what: str) -> None:
    path = public_folder / "study.sqlite"
    with StudyStore.create(path, items=["a", "b"]) as store:
        store.claim("w")
    for file in public_folder.iterdir():
        file.chmod(0o444 if what != "file" or file == path else 0o666)
    public_folder.chmod(0o555 if what != "file" else 0o777)
    result = run(
        STEP_DOWN
        + textwrap.dedent(
            """
            store = StudyStore(sys.argv[1])
            found = {"read_only": store.read_only, "items": len(store.items()), "reserved": store.progress().reserved}
            for call in (lambda: store.claim("w"), lambda: store.submit("w", "a", answers), lambda: store.backup()):
                try:
                    call()
                    found["written"] = True
                except NotSavedError as error:
                    found.setdefault("reasons", []).append(error.reason)
            print(json.dumps(found))
            """
        ),
        path,
    )
    assert result == {"read_only": True, "items": 2, "reserved": 1, "reasons": ["read_only"] * 3}
    public_folder.chmod(0o777)


SERVER = """
import os, sys, threading
from study.store import StudyStore
answers = {"short": "fur", "long": "x", "ease": 4, "confidence": 5, "useful": "B"}
store = StudyStore(sys.argv[1])
def work():
    worker = f"worker {os.urandom(6).hex()}"
    while (item := store.claim(worker)) is not None:
        store.submit(worker, item.id, answers, item.token)
        os.write(1, f"{item.id}\\t{worker}\\n".encode())
for _ in range(4):
    threading.Thread(target=work).start()
"""


def test_a_killed_server_has_lost_nothing_that_it_acknowledged(make_store: Make) -> None:
    """benchmarks/bench_store.py does this a hundred times."""
    store = make_store(items=[f"i{n}" for n in range(2000)], answers_per_item=5)
    store.close()
    acknowledged: set[tuple[str, ...]] = set()
    for kill in range(4):
        server = subprocess.Popen([sys.executable, "-c", SERVER, str(store.path)], stdout=subprocess.PIPE)
        assert server.stdout is not None
        first = server.stdout.readline()
        time.sleep(0.03 * kill)
        server.send_signal(signal.SIGKILL)
        lines = (first + server.stdout.read()).decode().splitlines(keepends=True)
        server.wait()
        assert server.returncode == -signal.SIGKILL
        acknowledged |= {tuple(line.rstrip("\n").split("\t")) for line in lines if line.endswith("\n")}
    with StudyStore(store.path) as again:
        table = again.answers()
        assert len(acknowledged) >= 4
        assert acknowledged <= set(zip(table["item"], table["worker"], strict=True))
        assert again.check() == []


def test_two_processes_on_one_file_share_the_items_out(make_store: Make) -> None:
    store = make_store(items=[f"i{n}" for n in range(40)], answers_per_item=3)
    servers = [subprocess.Popen([sys.executable, "-c", SERVER, str(store.path)], stdout=subprocess.PIPE) for _ in range(2)]
    lines = [line for server in servers for line in server.communicate(timeout=120)[0].decode().splitlines()]
    assert len(lines) == len(set(lines)) == 120
    assert set(store.items()["answers"]) == {3}
    assert store.check() == []


def test_a_process_that_was_forked_does_not_use_the_connection_of_its_parent(store: StudyStore) -> None:
    store.claim("w")
    child = os.fork()
    if child == 0:
        try:
            store.claim("w2")
        except Exception as error:
            os._exit(7 if "forked" in str(error) else 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_damaged_file_is_said_to_be_damaged(make_store: Make, answers: dict) -> None:
    store = make_store()
    store.close()
    data = bytearray(store.path.read_bytes())
    data[0:100] = os.urandom(100)
    store.path.write_bytes(data)
    with pytest.raises(DamagedError, match="damaged"):
        StudyStore(store.path)


def test_two_hundred_people_at_once(make_store: Make, answers: dict) -> None:
    """Threads at the same moment: no item over, none short, no repeat. The benchmark does it with 1,200 items x 5."""
    store = make_store(items=[f"i{n}" for n in range(100)], answers_per_item=5)
    start = threading.Barrier(200)
    failures: list[BaseException] = []

    def work(worker: str) -> None:
        try:
            start.wait()
            while (item := store.claim(worker)) is not None:
                store.submit(worker, item.id, answers, item.token)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    table = store.answers()
    assert len(table) == 500
    assert set(store.items()["answers"]) == {5}
    assert not table.duplicated(["item", "worker"]).any()
    assert store.check() == []


def test_the_same_submit_from_many_threads_is_one_answer(store: StudyStore, answers: dict) -> None:
    item = store.claim("w")
    assert item is not None
    start = threading.Barrier(8)
    replays: list[bool] = []

    def send() -> None:
        start.wait()
        replays.append(store.submit("w", item.id, answers, item.token).replayed)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(replays) == [False] + [True] * 7
    assert len(store.answers()) == 1
    assert len(store.events().query("kind == 'submitted'")) == 1


def test_ten_megabytes_are_refused_before_they_reach_the_file(store: StudyStore, answers: dict) -> None:
    from study.errors import InvalidAnswersError

    item = store.claim("w")
    assert item is not None
    for call in (
        lambda: store.submit("w", item.id, answers | {"long": "x" * 10_000_000}),
        lambda: store.save_draft("w", item.id, {"long": "x" * 10_000_000}),
        lambda: store.submit("w", item.id, answers | {"ease": 10**30}),
        lambda: store.submit("w", item.id, answers | {"short": "\ud800"}),
        lambda: store.submit("w", item.id, answers | {"short": "a\0b"}),
        lambda: store.submit("w", item.id, ["x"]),  # type: ignore[arg-type]
    ):
        with pytest.raises(InvalidAnswersError) as caught:
            call()
        assert len(str(caught.value)) < 1000
    assert len(store.answers()) == 0
