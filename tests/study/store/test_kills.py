"""Processes that write answers and payment files, killed at any moment: what was acknowledged is there, and the money adds up.

`BARLOW_KILLS=100` kills as many (`make kills`).
"""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from study.store import StudyStore

Make = Callable[..., StudyStore]
KILLS = int(os.environ.get("BARLOW_KILLS", "3"))
PAY = Decimal("0.37")
# Four people answer; one pays: files are made, settled as paid, and made void, in turn. Each says what it did once it is done.
PROCESS = """
import os, sys, threading
from pathlib import Path
from study.participants.paying import make_payment_file
from study.store import StudyStore
answers = {"short": "fur", "long": "x", "ease": 4, "confidence": 5, "useful": "B"}
store, folder = StudyStore(sys.argv[1]), Path(sys.argv[2])
def say(*words):
    os.write(1, ("\\t".join(map(str, words)) + "\\n").encode())
def answer():
    while True:
        worker = f"worker {os.urandom(6).hex()}"
        for _ in range(3):
            item = store.claim(worker)
            store.submit(worker, item.id, answers, item.token)
            say("answer", item.id, worker)
        store.finish(worker, "partial")
def pay():
    n = 0
    while True:
        n += 1
        made = make_payment_file(store, folder / f"{os.getpid()}-{n}.csv", "link")
        if made is not None:
            say("file", made.number, made.total)
            state = ("made", "paid", "void")[n % 3]
            if state != "made":
                store.settle_payments(made.number, state)
                say("settled", made.number, state)
for _ in range(4):
    threading.Thread(target=answer).start()
threading.Thread(target=pay).start()
"""


def test_killed_while_answers_and_payments_are_written(make_store: Make, tmp_path: Path) -> None:
    store = make_store(items=[f"i{n}" for n in range(500)], answers_per_item=500, pay_per_item=str(PAY), identical="off")
    store.close()
    files = tmp_path / "files"
    files.mkdir()
    draw = random.Random(0)
    said: Counter[str] = Counter()
    answers: set[tuple[str, ...]] = set()
    totals: dict[int, Decimal] = {}
    states: dict[int, str] = {}
    for _ in range(KILLS):
        process = subprocess.Popen([sys.executable, "-c", PROCESS, str(store.path), str(files)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(draw.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        lines = (first + process.stdout.read()).decode().splitlines(keepends=True)
        assert process.wait() == -signal.SIGKILL
        for kind, *words in (line.rstrip("\n").split("\t") for line in lines if line.endswith("\n")):
            said[kind] += 1
            if kind == "answer":
                answers.add(tuple(words))
            elif kind == "file":
                totals[int(words[0])] = Decimal(words[1])
            else:
                states[int(words[0])] = words[1]
        with StudyStore(store.path) as again:
            _everything_is_there(again, answers, totals, states)
            _the_books_agree(again, files)
            assert again.check() == []
    assert said["answer"] > KILLS
    with StudyStore(store.path) as again:
        made = again.make_payments("link")
        assert made is None or made.left_out <= 4 * KILLS  # whoever was at work when the process died still holds an item
        print(f"\n{KILLS} kills, {dict(said)}, {len(again.payment_files())} payment files, {again.progress().money}")


def _everything_is_there(
    store: StudyStore, answers: set[tuple[str, ...]], totals: dict[int, Decimal], states: dict[int, str]
) -> None:
    table = store.answers()
    assert answers <= set(zip(table["item"], table["worker"], strict=True))
    found = {file.number: file for file in store.payment_files()}
    assert totals == {number: found[number].total for number in totals}
    assert states == {number: found[number].state for number in states}


def _the_books_agree(store: StudyStore, folder: Path) -> None:
    """Each person's payments and what is due add up to their answers; each answer is paid once; each file says what the ledger says."""
    ledger = store.ledger().set_index("token")
    for file in folder.glob("[!.]*.csv"):
        for worker, amount, _, token in list(csv.reader(file.read_text().splitlines()))[1:]:
            assert (ledger.loc[token, "worker"], ledger.loc[token, "amount"]) == (worker, Decimal(amount))
    live = ledger[ledger["state"] != "void"]
    in_files = live.groupby("worker")["amount"].sum().to_dict()
    counted = store.answers().groupby("worker").size().to_dict()
    payments = store.payments()
    for row in payments.to_dict("records"):
        assert row["amount"] == PAY * counted.get(row["worker"], 0)
        assert in_files.get(row["worker"], Decimal(0)) + row["due"] == row["amount"]
    paid = Counter(
        (line.worker, item)
        for file in store.payment_files()
        if file.state != "void"
        for line in file.payments
        for item in line.items
    )
    assert set(paid.values()) <= {1}
    money = store.progress().money
    assert money.over == 0
    assert money.earned == PAY * len(store.answers()) == money.base + money.filed + money.paid + money.due
