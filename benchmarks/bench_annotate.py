"""How long 100 workers at human pace wait for their answers to be saved, at the real server, beside a page of plain Streamlit widgets.

    python benchmarks/bench_annotate.py [--workers 100] [--pace 120] [--seconds 120] [--servers 1] [--only form]

Each worker is a connection of its own that speaks Streamlit's protocol, as a browser does: it loads the pictures of its task, sends
drafts and signs of life as the form would, and every `pace` seconds an answer; the clock runs from sending an answer to the
message with its receipt and the next task. The plain page has the same pictures and questions as elements of Streamlit (st.image,
st.text_input, st.radio, a button) and appends each answer to an SQLite file; every field that is left makes it run anew, as Streamlit does.
With more than one server, each worker stays at one, as behind a sticky proxy, and all of them write to one study file.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import websockets
from PIL import Image
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

from barlow_core.panels.files import Panel
from barlow_core.storage.files import write_json
from barlow_core.storage.shipped import apps_dir
from study.participants.platforms import new_guest
from study.setup.frozen_panels import freeze, panels_folder
from study.store import StudyStore

ANSWERS = {"short": "striped fur", "long": "black stripes on orange fur", "ease": 4, "confidence": 5, "useful": "B"}
DRAFTS, LIVES = 5, 3  # messages of the form while somebody thinks about a task
PICTURES, SIDE = 6, 160
OPENING = 20.0  # seconds within which everybody opens the page
PLAIN = """
import sqlite3, sys, uuid
from pathlib import Path
import streamlit as st
study, folder = Path(sys.argv[1]), Path(sys.argv[2])
st.set_page_config(layout="wide")
task = st.session_state.setdefault("task", 0)
for row in ("image", "overlay", "attack"):
    for column, file in zip(st.columns(6), sorted(folder.glob(f"{row}-*.png"))):
        column.image(str(file))
short = st.text_input("Short", key=f"short {task}")
long = st.text_area("Long", key=f"long {task}")
ease = st.radio("Ease", [1, 2, 3, 4, 5], index=None, horizontal=True, key=f"ease {task}")
confidence = st.radio("Confidence", [1, 2, 3, 4, 5], index=None, horizontal=True, key=f"confidence {task}")
useful = st.radio("Useful", ["B", "C", "both", "none"], index=None, key=f"useful {task}")

def send():
    with sqlite3.connect(study, timeout=30) as db:
        db.execute("CREATE TABLE IF NOT EXISTS answer (id TEXT, short TEXT, long TEXT, ease INTEGER, confidence INTEGER, useful TEXT)")
        db.execute("INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?)", (str(uuid.uuid4()), short, long, ease, confidence, useful))
    st.session_state["task"] += 1

st.button("Send", key=f"send {task}", on_click=send)
"""


def make_study(path: Path, *, items: int, workers: int) -> StudyStore:
    """A study with pictures and room for everybody."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(items):
        folder = path.parent / f"drawn-{number}"
        folder.mkdir()
        images = []
        for column in range(PICTURES):
            files = {kind: f"{kind}-{column}.png" for kind in ("image", "heatmap", "overlay", "attack")}
            for file in files.values():
                small = Image.fromarray(rng.integers(0, 256, (SIDE // 4, SIDE // 4, 3), dtype=np.uint8))
                small.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / file)
            about = {"index": column, "name": f"{column}.png", "label": "tiger", "prediction": "cat", "activation": 1.0}
            images.append(about | {"attacked": 2.0} | files)
        plan = {"format": 1, "key": "drawn", "group": "label:tiger", "feature": number, "k": PICTURES, "source": "group"}
        plan |= {"range": [0.0, 1.0], "attack": {"steps": 5, "step_size": 1.0, "epsilon": 9.0}, "image_size": SIDE, "display": {}}
        write_json(folder / "panel.json", plan | {"images": images})
        frozen = freeze(Panel.load(folder), panels_folder(path), f"item-{number}")
        made.append({"id": f"label:tiger:{number}", "group": "label:tiger", **frozen})
    return StudyStore.create(path, items=made, answers_per_item=workers, open_link=True)


@dataclass
class Times:
    """Seconds until an answer was there."""

    submits: list[float] = field(default_factory=list)
    drafts: list[float] = field(default_factory=list)
    opens: list[float] = field(default_factory=list)
    runs: int = 0


class Visitor:
    """A connection to the server, as a browser has one."""

    def __init__(self, port: int, query: str, times: Times):
        self.port, self.query, self.times = port, query, times
        self.places: dict[tuple[int, ...], Any] = {}
        self.fetched: set[str] = set()

    async def open(self) -> None:
        url = f"ws://localhost:{self.port}/_stcore/stream"
        self.socket = await websockets.connect(
            url, subprotocols=[websockets.Subprotocol("streamlit")], max_size=None, ping_interval=None
        )
        started = time.perf_counter()
        await self.run([])
        self.times.opens.append(time.perf_counter() - started)

    async def run(self, states: list[WidgetState]) -> None:
        """Let the page run with these states of its widgets, and take in what it then shows."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.widget_states.widgets.extend(states)
        await self.socket.send(message.SerializeToString())
        self.times.runs += 1
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(await self.socket.recv(decode=False))
            kind = answer.WhichOneof("type")
            if kind == "delta" and answer.delta.WhichOneof("type") == "new_element":
                self.places[tuple(answer.metadata.delta_path)] = answer.delta.new_element
            if kind == "script_finished" and answer.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                return

    async def thinks(self, seconds: float, until: float, rng: random.Random) -> bool:
        """Wait about so long; False when the time is up."""
        await asyncio.sleep(seconds * rng.uniform(0.7, 1.3))
        return time.monotonic() < until

    @property
    def elements(self) -> list[Any]:
        return list(self.places.values())

    async def fetch(self, paths: list[str]) -> None:
        """Load pictures, once each."""
        for path in paths:
            if path in self.fetched:
                continue
            self.fetched.add(path)
            reader, writer = await asyncio.open_connection("localhost", self.port)
            writer.write(f"GET /{path.lstrip('/')} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
            assert b" 200 " in answer[:20], answer[:200]
            writer.close()


class FormVisitor(Visitor):
    """A worker at the real page."""

    @property
    def component(self) -> Any:
        (found,) = [element.bidi_component for element in self.elements if element.WhichOneof("type") == "bidi_component"]
        return found

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.component.json)
        return found

    async def send(self, kind: str, **more: Any) -> dict[str, Any]:
        """A message of the form; its receipt."""
        name = str(uuid.uuid4())
        message = {"id": name, "kind": kind, "item": self.data["item"], **more}
        state = WidgetState(id=f"$$STREAMLIT_INTERNAL_KEY_{self.component.id}__events")
        state.json_trigger_value = json.dumps([{"event": "message", "value": message}])
        started = time.perf_counter()
        await self.run([state])
        receipt: dict[str, Any] = self.data["receipts"][name]
        assert receipt["ok"], receipt
        (self.times.submits if kind == "submit" else self.times.drafts).append(time.perf_counter() - started)
        return receipt

    async def work(self, pace: float, until: float, rng: random.Random) -> None:
        await asyncio.sleep(rng.uniform(0, OPENING))
        await self.open()
        share = rng.random()  # as if they had been at it for a while
        while True:
            data = self.data
            if data["mode"] != "answer":
                return
            await self.fetch([picture["src"] for section in data["sections"] for picture in section["pictures"]])
            steps = ["draft"] * DRAFTS + ["active"] * LIVES
            rng.shuffle(steps)
            pause = share * pace / (len(steps) + 1)
            for step in steps:
                if not await self.thinks(pause, until, rng):
                    return
                await self.send(step, **({"answers": {"short": f"words {rng.random():.3f}"}} if step == "draft" else {}))
            if not await self.thinks(pause, until, rng):
                return
            await self.send("submit", token=data["token"], answers=ANSWERS)
            share = 1.0


class PlainVisitor(Visitor):
    """A worker at the page of plain widgets."""

    def state_of(self, kind: str, label: str) -> WidgetState:
        for element in self.elements:
            if element.WhichOneof("type") == kind and getattr(element, kind).label == label:
                return WidgetState(id=getattr(element, kind).id)
        raise AssertionError(f"no {label} among {[str(element)[:200] for element in self.elements]}")

    def pictures(self) -> list[str]:
        return [image.url for element in self.elements if element.WhichOneof("type") == "imgs" for image in element.imgs.imgs]

    async def work(self, pace: float, until: float, rng: random.Random) -> None:
        await asyncio.sleep(rng.uniform(0, OPENING))
        await self.open()
        share = rng.random()
        while True:
            await self.fetch(self.pictures())
            states: list[WidgetState] = []
            fields = [
                ("text_input", "Short"),
                ("text_area", "Long"),
                ("radio", "Ease"),
                ("radio", "Confidence"),
                ("radio", "Useful"),
            ]
            pause = share * pace / (len(fields) + 1)
            for kind, label in fields:
                if not await self.thinks(pause, until, rng):
                    return
                state = self.state_of(kind, label)
                if kind == "radio":
                    state.int_value = 0
                else:
                    state.string_value = "striped fur"
                states.append(state)
                started = time.perf_counter()
                await self.run(states)
                self.times.drafts.append(time.perf_counter() - started)
            if not await self.thinks(pause, until, rng):
                return
            share = 1.0
            send = self.state_of("button", "Send")
            send.trigger_value = True
            started = time.perf_counter()
            await self.run([*states, send])
            self.times.submits.append(time.perf_counter() - started)


@contextmanager
def serving(script: Path, arguments: list[str], port: int) -> Iterator[int]:
    """Run a page; yields the id of its process."""
    command = [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}", "--server.headless=true"]
    command += ["--server.fileWatcherType=none", "--browser.gatherUsageStats=false", "--", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1):
                    break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None, "the server ended"
                time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(visitors: list[Any], pids: list[int], times: Times, pace: float, seconds: float) -> dict[str, str]:
    """Let everybody work; what it looked like."""

    async def all_of_them() -> None:
        until = time.monotonic() + OPENING + seconds
        await asyncio.gather(*(visitor.work(pace, until, random.Random(number)) for number, visitor in enumerate(visitors)))

    before = sum(map(cpu_seconds, pids))
    started = time.perf_counter()
    asyncio.run(all_of_them())
    took = time.perf_counter() - started
    used = sum(map(cpu_seconds, pids)) - before
    assert times.submits, "nobody came to send an answer: more --seconds, please"
    p50, p95 = np.percentile(times.submits, [50, 95])
    return {
        "answers": f"{len(times.submits):,}",
        "answers a minute": f"{60 * len(times.submits) / took:.1f}",
        "submit p50 ms": f"{1000 * p50:.0f}",
        "submit p95 ms": f"{1000 * p95:.0f}",
        "submit max ms": f"{1000 * max(times.submits):.0f}",
        "under 1 s": f"{np.mean(np.array(times.submits) < 1):.1%}",
        "between, p95 ms": f"{1000 * np.percentile(times.drafts, 95):.0f}",
        "opening p95 ms": f"{1000 * np.percentile(times.opens, 95):.0f}",
        "CPU ms a run": f"{1000 * used / times.runs:.1f}",
        "CPU of the servers": f"{used / took:.0%} of a core",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--pace", type=float, default=120.0, help="seconds a task")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long they work")
    parser.add_argument("--servers", type=int, default=1)
    parser.add_argument("--only", choices=["form", "plain"])
    chosen = parser.parse_args()
    found: dict[str, dict[str, str]] = {}
    kind: type[FormVisitor] | type[PlainVisitor]
    with tempfile.TemporaryDirectory() as folder:
        for name in ("form", "plain"):
            if chosen.only not in (None, name):
                continue
            place = Path(folder) / name
            place.mkdir()
            ports = [8600 + 10 * (name == "plain") + number for number in range(chosen.servers)]
            times = Times()
            with ExitStack() as stack:
                if name == "form":
                    store = stack.enter_context(make_study(place / "study.sqlite", items=40, workers=chosen.workers))
                    queries = []
                    for _ in range(chosen.workers):
                        queries.append(f"invite={new_guest()}")
                        store.register(queries[-1].removeprefix("invite="), platform="link", details={"instructions_read": True})
                    script, arguments, kind = apps_dir() / "annotate.py", [str(store.path)], FormVisitor
                else:
                    make_study(place / "pictures.sqlite", items=1, workers=1).close()
                    script = place / "plain.py"
                    script.write_text(PLAIN, encoding="utf-8")
                    queries, arguments, kind = (
                        [""] * chosen.workers,
                        [str(place / "answers.sqlite"), str(place / "drawn-0")],
                        PlainVisitor,
                    )
                pids = [stack.enter_context(serving(script, arguments, port)) for port in ports]
                visitors = [kind(port, query, times) for port, query in zip(itertools.cycle(ports), queries)]
                found[name] = measure(visitors, pids, times, chosen.pace, chosen.seconds)
                if name == "form":
                    kept = len(store.answers())
                    assert kept == len(times.submits), (kept, len(times.submits))
                    assert store.check() == []
            print(f"{name}: {chosen.workers} workers, a task every {chosen.pace:g} s, {chosen.servers} server(s)")
            print("\n".join(f"{row:>22}  {value}" for row, value in found[name].items()), flush=True)
    if len(found) == 2:
        ours, theirs = (float(found[name]["submit p95 ms"]) for name in ("form", "plain"))
        print(f"submit p95, plain / form: {theirs / ours:.2f}")


if __name__ == "__main__":
    main()
