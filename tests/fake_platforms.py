"""Prolific and Mechanical Turk, as far as a study sees them: they send people, take completion codes and HITs, and pay by their own rules.

Each is a small web server of its own, which a browser reaches under the platform's name (`route`). Nothing here knows anything of Barlow.
"""

from __future__ import annotations

import csv
import io
import threading
import urllib.error
import urllib.request
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from html import escape
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.sync_api import BrowserContext, Request, Route


class Platform:
    """A web server that knows its visitors by a cookie.

    Attributes:
        bank: what everybody was paid.
    """

    hosts: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.bank: dict[str, Decimal] = defaultdict(Decimal)
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                self.answer(platform.get(parts.path, _single(parts.query), self.who()))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.answer(platform.post(urlsplit(self.path).path, _single(body)))

            def who(self) -> str:
                cookie = SimpleCookie(self.headers.get("Cookie", "")).get("who")
                return "" if cookie is None else cookie.value

            def answer(self, page: Page) -> None:
                self.send_response(page.status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                if page.who:
                    self.send_header("Set-Cookie", f"who={page.who}; Path=/; Secure; SameSite=None")
                self.end_headers()
                self.wfile.write(f"<!doctype html><title>Platform</title>{page.html}".encode())

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def route(self, context: BrowserContext) -> None:
        """In this browser, be reached under the platform's names."""
        for host in self.hosts:
            context.route(f"https://{host}/**", self._forward)

    def _forward(self, route: Route, request: Request) -> None:
        parts = urlsplit(request.url)
        url = f"http://127.0.0.1:{self._server.server_port}{parts.path}{'?' if parts.query else ''}{parts.query}"
        passed = urllib.request.Request(url, data=request.post_data_buffer, method=request.method)
        if cookie := request.all_headers().get("cookie"):
            passed.add_header("Cookie", cookie)
        try:
            with urllib.request.urlopen(passed, timeout=10) as answer:
                route.fulfill(status=answer.status, headers=dict(answer.headers), body=answer.read())
        except urllib.error.HTTPError as error:
            route.fulfill(status=error.code, headers=dict(error.headers), body=error.read())

    def close(self) -> None:
        self._server.shutdown()

    def get(self, path: str, query: dict[str, str], who: str) -> Page:
        raise NotImplementedError

    def post(self, path: str, given: dict[str, str]) -> Page:
        raise NotImplementedError


@dataclass
class Page:
    html: str
    status: int = 200
    who: str = ""


def _single(query: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(query).items()}


@dataclass
class Prolific(Platform):
    """One study on Prolific.

    A participant has one submission, however often they open the study, and is paid for it once: what belongs to the code that they come
    back with first. Bonuses go to whoever has a submission.

    Args:
        url: of the study, with Prolific's placeholders; pays: by completion code.

    Attributes:
        submissions: by participant: "ACTIVE", or the code.
    """

    url: str
    pays: dict[str, Decimal]
    submissions: dict[str, str] = field(default_factory=dict)
    hosts = ("app.prolific.com",)
    study = "60b1c2d3e4f5061728394a5b"

    def __post_init__(self) -> None:
        super().__init__()
        self._sessions = 0

    def get(self, path: str, query: dict[str, str], who: str) -> Page:
        if path == "/studies":
            who = query["participant"]
            self.submissions.setdefault(who, "ACTIVE")
            self._sessions += 1
            values = {"PROLIFIC_PID": who, "STUDY_ID": self.study, "SESSION_ID": f"{self._sessions:024x}"}
            url = self.url
            for name, value in values.items():
                assert f"{{{{%{name}%}}}}" in url
                url = url.replace(f"{{{{%{name}%}}}}", value)
            return Page(f'<a href="{escape(url)}">Open study</a>', who=who)
        if path != "/submissions/complete" or who not in self.submissions:
            return Page("<h1>Nothing here</h1>", 404)
        code = query.get("cc", "")
        if code not in self.pays:
            return Page("<h1>This is not a code of this study</h1>", 400)
        if self.submissions[who] == "ACTIVE":
            self.submissions[who] = code
            self.bank[who] += self.pays[code]
        return Page("<h1>Thanks for taking part</h1>")

    def bulk_bonus(self, text: str) -> None:
        """Pay the lines `participant,amount`."""
        for who, amount in csv.reader(io.StringIO(text)):
            assert who in self.submissions, "Prolific pays participants of the study only"
            self.bank[who] += Decimal(amount)


@dataclass
class MTurk(Platform):
    """HITs of one requester, shown in a frame of worker.mturk.com.

    Every assignment that is sent in is approved and paid once. Bonuses need an assignment that the worker has sent in, and the same token is
    paid once.
    """

    url: str
    reward: Decimal
    assignments: dict[str, tuple[str, str]] = field(default_factory=dict)  # worker, state
    tokens: set[str] = field(default_factory=set)
    hosts = ("worker.mturk.com", "www.mturk.com")

    def __post_init__(self) -> None:
        super().__init__()

    def accept(self, worker: str) -> str:
        """The page of a HIT that a worker has accepted."""
        name = f"3ASSIGNMENT{len(self.assignments):04}"
        self.assignments[name] = (worker, "Accepted")
        return f"https://worker.mturk.com/tasks?assignment={name}"

    def get(self, path: str, query: dict[str, str], who: str) -> Page:
        name = query["assignment"]
        values = {
            "assignmentId": name,
            "hitId": "3HIT0",
            "workerId": self.assignments[name][0],
            "turkSubmitTo": "https://www.mturk.com",
        }
        address = escape(f"{self.url}?{urlencode(values)}")
        return Page(f'<h1>A HIT</h1><iframe src="{address}" style="width:100%;height:900px"></iframe>')

    def post(self, path: str, given: dict[str, str]) -> Page:
        name = given.get("assignmentId", "")
        worker, state = self.assignments.get(name, ("", ""))
        if (
            path != "/mturk/externalSubmit" or state != "Accepted" or len(given) < 2
        ):  # MTurk wants at least one field beside the assignment
            return Page("<h1>There was a problem submitting your results</h1>", 400)
        self.assignments[name] = (worker, "Submitted")
        self.bank[worker] += self.reward
        return Page("<h1>The HIT is submitted</h1>")

    def send_bonuses(self, text: str) -> None:
        """SendBonus for every row of a CSV with its arguments."""
        for row in csv.DictReader(io.StringIO(text)):
            given: dict[str, Any] = dict(row)
            assert self.assignments[given["AssignmentId"]] == (given["WorkerId"], "Submitted")
            assert given["Reason"]
            if given["UniqueRequestToken"] not in self.tokens:
                self.tokens.add(given["UniqueRequestToken"])
                self.bank[given["WorkerId"]] += Decimal(given["BonusAmount"])
