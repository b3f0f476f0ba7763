"""A study on Prolific and one on Mechanical Turk, from the platform's page to the last cent, in a browser.

The platforms are played by small servers with rules of their own (`fake_platforms`). What they have paid in the end, by themselves and by
the files of `barlow study pay`, is what each person has earned, counted here answer by answer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fake_platforms import MTurk, Platform, Prolific
from playwright.sync_api import Browser, Page, expect
from worker_study import ANSWERS, make_worker_study

from barlow_core.cli import cli
from browser.conftest import DESKTOP, free_port, served
from browser.worker_page import Worker
from study.participants.platforms import links
from study.store import StudyStore

PAY, BONUS = Decimal("0.50"), Decimal("0.55")
QUIZ = [{"question": "What do you describe?", "options": ["What the pictures share", "The weather outside"], "answer": 0}]
Studies = dict[str, tuple[StudyStore, str]]
Visit = Callable[[Platform], Page]
SETTINGS: dict[str, Any] = {
    "practice": 0,
    "tasks": 3,
    "attention": 1,
    "pictures": False,
    "quiz": QUIZ,
    "quiz_tries": 1,
    "max_failed_checks": 1,
    "checks_every": 2,
    "bonus": str(BONUS),
    "bonus_after": 3,
    "identical": "off",
    "speed": "off",
    "automation": "off",
}
CODES = {
    "completion_code": "ALL1",
    "partial_code": "PART2",
    "screened_out_code": "OUT3",
    "full_code": "FULL4",
    "declined_code": "NO5",
}


class Person:
    """Somebody of a platform, in front of the study.

    Args:
        at: the study, in a page of its own or in a frame.
        sent: counts everybody's answers, as they see them saved.
    """

    def __init__(self, name: str, at: Worker, sent: Counter[str]):
        self.name, self.at, self.sent = name, at, sent

    def enter(self, *, right: bool = True) -> Person:
        """Agree, read, and answer the quiz."""
        self.at.button("I agree").click()
        self.at.button(re.compile("^Start")).click()  # and not "let’s start" once more
        self.at.place.get_by_text(QUIZ[0]["options"][0 if right else 1]).click()
        self.at.button("Send").click()
        return self

    def answer(self, n: int = 1, *, careful: bool = True) -> Person:
        """Answer so many tasks, checks among them, as long as there are some; whoever is not careful fails the checks."""
        for _ in range(n):
            heading = self.at.heading(re.compile("^(Task|Thank you)"))
            expect(heading).to_be_visible()
            if not (before := heading.inner_text()).startswith("Task"):
                break
            check = self.at.place.get_by_text("This task checks that you read").is_visible()
            self.at.answer(ease=2 if check and careful else 4)
            self.at.send_button.click()
            expect(self.at.heading(before)).to_have_count(0)
            self.sent[self.name] += 1
        return self

    def stop(self) -> Person:
        self.at.button("Stop for now").click()
        self.at.place.get_by_role("dialog").get_by_role("button", name="Stop for now").click()
        return self


@pytest.fixture(scope="module")
def studies(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studies]:
    """One on each platform, as `barlow study serve` serves them."""
    settings = {
        "prolific": {"base_pay": "2.00", "partial_pay": "0.50", "answers_per_item": 3, **CODES},
        "mturk": {"base_pay": "0.50", "items_per_visit": 1, "checks_every": 1, "bonus_after": 2},
    }
    with ExitStack() as stack:
        stores, servers = {}, []
        for name, given in settings.items():
            path = tmp_path_factory.mktemp(name) / "study.sqlite"
            made = make_worker_study(path, **SETTINGS | given | {"platforms": (name,), "open_link": False})
            stores[name] = stack.enter_context(made)
            port = free_port()
            command = ["barlow_core", "study", "serve", str(path), f"--port={port}", "--no-admin"]
            servers.append(served(command, port, path.parent))
        with ThreadPoolExecutor() as pool:  # both start at the same time
            urls = list(pool.map(stack.enter_context, servers))
        yield {name: (store, url) for (name, store), url in zip(stores.items(), urls, strict=True)}


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """A page in the browser of somebody of a platform; one browser for all, whose cache makes it fast."""
    with ExitStack() as stack:
        # The study is at this computer, which a page of worker.mturk.com may show in a frame only if somebody allows it.
        context = browser.new_context(viewport=DESKTOP, permissions=["local-network-access"])  # type: ignore[arg-type]
        stack.callback(context.close)
        routed: set[int] = set()

        def start(platform: Platform) -> Page:
            if id(platform) not in routed:
                routed.add(id(platform))
                platform.route(context)
                stack.callback(platform.close)
            for page in context.pages:
                page.close()
            return context.new_page()

        yield start


def pay(store: StudyStore, path: Path, platform: str, upload: Callable[[str], None]) -> None:
    """`barlow study pay` writes a file, the platform takes it, and the study hears that it is paid."""
    made = CliRunner().invoke(cli, ["study", "pay", str(store.path), "--bonus-csv", str(path), "--platform", platform])
    assert made.exit_code == 0, made.output
    number = re.search(r"Payment file (\d+)", made.output)[1]  # type: ignore[index]
    upload(path.read_text())
    assert CliRunner().invoke(cli, ["study", "pay", str(store.path), "--paid", number]).exit_code == 0


def settled(store: StudyStore, platform: Platform, earned: dict[str, Decimal], path: Path, kind: str) -> None:
    """Everybody has been paid what they earned, the study knows it, and there is nothing to put into a further file."""
    table = store.payments().set_index("worker")
    assert {name: amount for name, amount in table["amount"].items() if amount} == earned
    assert {name: amount for name, amount in platform.bank.items() if amount} == earned
    money = store.progress().money
    assert (money.over, money.due, money.filed) == (0, 0, 0)
    assert money.base + money.paid == money.earned == sum(platform.bank.values()) == sum(earned.values())
    result = CliRunner().invoke(cli, ["study", "pay", str(store.path), "--bonus-csv", str(path), "--platform", kind])
    assert "no file was written" in result.output
    assert not path.exists()
    assert store.check() == []


def earned(sent: Counter[str], bonus: set[str]) -> dict[str, Decimal]:
    return {name: PAY * n + (BONUS if name in bonus else 0) for name, n in sent.items()}


def test_a_study_on_prolific(studies: Studies, visit: Visit, tmp_path: Path) -> None:
    store, url = studies["prolific"]
    pays = {"ALL1": Decimal("2.00"), "PART2": Decimal("0.50"), "OUT3": Decimal(0), "FULL4": Decimal(0), "NO5": Decimal(0)}
    prolific = Prolific(links(store.settings, url)[0].url, pays)
    sent: Counter[str] = Counter()

    def come(number: int) -> Person:
        page = visit(prolific)
        page.goto(f"https://app.prolific.com/studies?participant={number:024}")
        page.get_by_role("link", name="Open study").click()
        return Person(f"{number:024}", Worker(page), sent)

    def go_back(person: Person, code: str) -> None:
        expect(person.at.place.get_by_text(code, exact=True)).to_be_visible()
        person.at.place.get_by_role("link", name="Finish and go back").click()
        expect(person.at.heading("Thanks for taking part")).to_be_visible()

    everything, part, unqualified, nothing, careless, late = range(1, 7)
    go_back(come(everything).enter().answer(4), "ALL1")
    go_back(come(part).enter().answer(1).stop(), "PART2")
    go_back(come(unqualified).enter(right=False), "OUT3")
    go_back(come(nothing).enter().stop(), "NO5")
    go_back(come(careless).enter().answer(9, careful=False), "OUT3")
    assert 1 < sent[f"{careless:024}"] < 4
    pay(store, tmp_path / "first.csv", "prolific", prolific.bulk_bonus)
    # Two of them in new sessions: for one there is nothing left to do, the other one does the rest.
    go_back(come(everything), "ALL1")
    go_back(come(part).answer(9), "PART2")
    _fill(store)
    go_back(come(late), "FULL4")
    assert store.worker(f"{late:024}") is None
    pay(store, tmp_path / "second.csv", "prolific", prolific.bulk_bonus)
    assert sent[f"{everything:024}"] == sent[f"{part:024}"] == 4
    bonus = {f"{everything:024}", f"{part:024}"}
    settled(store, prolific, earned(sent, bonus), tmp_path / "third.csv", "prolific")


def _fill(store: StudyStore) -> None:
    """Simulated participants, whom nobody pays, answer all that is left."""
    for n in range(9):
        worker = f"simulated {n}"
        store.register(worker, simulated=True)
        store.take_quiz(worker, [0])
        while (item := store.claim(worker)) is not None:
            store.submit(worker, item.id, ANSWERS | {"ease": 2}, item.token)


def test_a_study_on_mechanical_turk(studies: Studies, visit: Visit, tmp_path: Path) -> None:
    store, url = studies["mturk"]
    mturk = MTurk(url, Decimal("0.50"))
    sent: Counter[str] = Counter()

    def accept(name: str) -> Person:
        page = visit(mturk)
        page.goto(mturk.accept(name))
        return Person(name, Worker(page, page.frame_locator("iframe")), sent)

    def send_in(person: Person) -> None:
        person.at.button("Send in and finish").click()
        expect(person.at.heading("The HIT is submitted")).to_be_visible()

    def has_to_return(person: Person) -> None:
        expect(person.at.place.get_by_text("Please return the HIT.")).to_be_visible()
        expect(person.at.button("Send in and finish")).to_have_count(0)

    send_in(accept("AGOOD").enter().answer())
    has_to_return(accept("AQUIZ").enter(right=False))
    has_to_return(accept("ANOTHING").enter().stop())
    send_in(accept("AGOOD").answer())
    send_in(accept("ACARELESS").enter().answer(careful=False))
    send_in(accept("ACARELESS").answer(careful=False))
    has_to_return(accept("ACARELESS"))
    pay(store, tmp_path / "first.csv", "mturk", mturk.send_bonuses)
    assert sent["AGOOD"] == sent["ACARELESS"] == 2, "a task and a check"
    settled(store, mturk, earned(sent, {"AGOOD"}), tmp_path / "second.csv", "mturk")
