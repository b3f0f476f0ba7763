"""The worker's page in a real browser, from the link to the completion code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlencode

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from worker_study import ANSWERS, make_worker_study

from browser.conftest import DESKTOP, PHONE, free_port, served
from browser.worker_page import Worker, no_dialogs, person, prepared, sent
from study.questionnaire import PAPER, words
from study.store import StudyStore
from study.store.admin_secret import hashed
from study.texts import ENGLISH

SECRET = "a secret that nobody guesses"
Visit = Callable[..., Worker]
# Clicks that the page itself counts out: on a busy machine ours come too late to be what they should be.
# `press` does what a mouse does at a point: it strikes what takes the pointer there.
CLICKS = """
window.press = (x, y) => {
  let place = document, found;
  while (place) { found = place.elementFromPoint(x, y); place = found?.shadowRoot; }
  found?.click();
  window.pressed = true;
};
window.pressAgain = (x, y, pause) => {
  window.pressed = false;
  addEventListener("click", () => setTimeout(press, pause, x, y), {once: true, capture: true});
};
window.pressAtSight = text => {
  const found = [...document.querySelectorAll("*")].flatMap(e => [...(e.shadowRoot?.querySelectorAll("button") ?? [])])
    .find(button => button.textContent === text);
  if (!found) return requestAnimationFrame(() => pressAtSight(text));
  const box = found.getBoundingClientRect();
  press(box.x + box.width / 2, box.y + box.height / 2);
};
"""
OVERFLOW = """() => [document.documentElement, document.querySelector('.stMain')].filter(e => e.scrollWidth > e.clientWidth + 1)
  .map(e => [e.scrollWidth, e.clientWidth])"""


@pytest.fixture(scope="module")
def store(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyStore]:
    with make_worker_study(tmp_path_factory.mktemp("study") / "study.sqlite", tasks=4, admin_hash=hashed(SECRET)) as made:
        yield made


@pytest.fixture(scope="module")
def admin_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def url(store: StudyStore, admin_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`barlow study serve STUDY`, as the public gets to see it, from some other folder."""
    port = free_port()
    command = ["barlow_core", "study", "serve", str(store.path), f"--port={port}", f"--admin-port={admin_port}"]
    with served(command, port, tmp_path_factory.mktemp("elsewhere")) as found:
        yield found


@pytest.fixture
def new_context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """A device of its own; at the end of the test no script of its pages may have failed."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def start(**options: object) -> BrowserContext:
        context = browser.new_context(**{"viewport": DESKTOP, **options})  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        context.on("page", lambda page: page.on("pageerror", lambda error: problems.append(str(error))))
        contexts.append(context)
        return context

    yield start
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def at_work(store: StudyStore, url: str, visit: Visit) -> Visit:
    """Open the link of a worker who has done the practice."""
    return lambda **options: visit(url + prepared(store), **options).at("Task 1")


@pytest.fixture
def visit(url: str, new_context: Callable[..., BrowserContext]) -> Visit:
    """Open the link of a study on a device of its own."""

    def start(link: str | None = None, **options: object) -> Worker:
        page = new_context(**options).new_page()
        page.goto(link or url)
        return Worker(page)

    return start


def test_from_the_link_to_the_completion_code(store: StudyStore, visit: Visit) -> None:
    worker = visit()
    expect(worker.heading("Describe what the pictures have in common")).to_be_visible()
    worker.button("I agree").click()
    expect(worker.heading("How it works")).to_be_focused()
    expect(worker.page).to_have_title("How it works · Describe what the pictures have in common")
    worker.button("Start with practice").click()
    worker.at("Practice")
    expect(worker.page).to_have_title("Practice · Describe what the pictures have in common")
    images = worker.page.get_by_role("group", name="Pictures", exact=True).get_by_role("img")
    expect(images).to_have_count(9)
    # The pictures are there, and large.
    worker.page.wait_for_function("""() => {
        const form = document.querySelector('[data-testid^="stBidiComponent"]').shadowRoot ??
          [...document.querySelectorAll("*")].find(e => e.shadowRoot?.querySelector(".task")).shadowRoot;
        const boxes = [...form.querySelectorAll(".picture img")].map(e => [e.naturalWidth > 0, e.getBoundingClientRect().width]);
        return boxes.length && boxes.every(([loaded, width]) => loaded && width > 120); }""")
    worker.answer(useful="C")
    worker.send_button.click()
    expect(worker.heading("Not quite what we expected.")).to_be_visible()
    expect(worker.page.get_by_text("The bright regions show *stripes* & <b>fur</b>.")).to_be_visible()
    worker.button("Go on").click()
    for number in range(1, 5):
        worker.at(f"Task {number}")
        expect(worker.page.get_by_text(f"${(number - 1) * 0.5:.2f} earned")).to_be_visible()
        worker.answer(short=f"fur {number}")
        worker.send_button.click()
    expect(worker.heading("Thank you!")).to_be_focused()
    expect(worker.page).to_have_title("Thank you! · Describe what the pictures have in common")
    expect(worker.page.get_by_text("C0DE123", exact=True)).to_be_visible()
    expect(worker.page.get_by_text("4 answers sent, $2.00 earned")).to_be_visible()
    assert [answer["short"] for answer in sent(store, person(worker))] == ["fur 1", "fur 2", "fur 3", "fur 4"]
    worker.page.reload()
    expect(worker.page.get_by_text("C0DE123", exact=True)).to_be_visible()


def test_words_are_on_the_screen_before_any_script(url: str, new_context: Callable[..., BrowserContext]) -> None:
    page = new_context().new_page()
    page.route("**/*.js", lambda route: route.abort())
    page.goto(url)
    expect(page.get_by_role("heading", name="Describe what the pictures have in common")).to_be_visible()
    expect(page.get_by_text("The study is being loaded.")).to_be_visible()
    assert page.title() == "Describe what the pictures have in common"


def test_nothing_of_streamlit_is_around_it(at_work: Visit) -> None:
    page = at_work().page
    for part in ("stHeader", "stToolbar", "stStatusWidget", "stSidebar", "stMainMenu"):
        expect(page.get_by_test_id(part)).to_be_hidden()
    for word in ("Deploy", "Streamlit", "Rerun"):
        expect(page.get_by_text(word)).to_have_count(0)


def test_a_phone_in_the_dark(store: StudyStore, visit: Visit) -> None:
    worker = visit(viewport=PHONE, has_touch=True, is_mobile=True, color_scheme="dark")
    assert worker.page.evaluate(OVERFLOW) == []
    worker.to_the_tasks()
    assert worker.page.evaluate(OVERFLOW) == []
    pictures = worker.page.get_by_role("group", name="Pictures", exact=True).get_by_role("button", name=re.compile("large"))
    boxes = [box for box in (picture.bounding_box() for picture in pictures.all()) if box]
    assert len({round(box["x"]) for box in boxes}) == 3, "A, B and C are columns"
    pictures.nth(1).tap()
    large = worker.page.get_by_role("dialog")
    expect(large.get_by_role("img")).to_have_count(3)
    assert all(picture.bounding_box()["width"] > 300 for picture in large.get_by_role("img").all())  # type: ignore[index]
    large.get_by_role("button", name="Close").tap()
    worker.answer()
    worker.send_button.tap()
    worker.at("Task 2")
    assert worker.page.evaluate("() => document.querySelector('.stMain').scrollTop") < 40, "the next task begins at its top"
    assert sent(store, person(worker)) == [ANSWERS]


def test_keyboard_all_the_way(store: StudyStore, visit: Visit) -> None:
    worker = visit()
    press = worker.page.keyboard.press
    for name in ("I agree", "Start with practice"):
        button = worker.button(name)
        button.wait_for()
        for _ in range(4):  # Streamlit's own place to scroll comes first
            press("Tab")
            if button.evaluate("button => button === document.activeElement"):
                break
        expect(button).to_be_focused()
        worker.page.wait_for_timeout(600)  # nobody reads faster
        press("Enter")
    for title in ("Practice", "Task 1"):
        worker.at(title)
        expect(worker.short).to_be_focused()
        worker.page.keyboard.type("striped fur")
        press("Tab")
        worker.page.keyboard.type("black stripes on orange fur")
        for key in ("4", "5", "1"):
            press("Tab")
            press(key)
        assert worker.chosen("How easy") == "4"
        assert worker.chosen("most useful") == "B"
        outline = "() => { let e = document.activeElement; while (e.shadowRoot) e = e.shadowRoot.activeElement; return getComputedStyle(e.closest('.option')).outlineStyle }"
        assert worker.page.evaluate(outline) == "solid", "the focus can be seen"
        worker.page.wait_for_timeout(600)  # nobody types faster
        press("Control+Enter")
        if title == "Practice":
            expect(worker.heading("Well done.")).to_be_visible()
            worker.page.wait_for_timeout(600)  # nobody reads faster
            press("Control+Enter")
    worker.at("Task 2")
    assert sent(store, person(worker)) == [ANSWERS]
    worker.page.wait_for_timeout(600)
    press("Shift+Tab")
    expect(worker.button("Highlights")).to_be_focused()
    press("h")
    expect(worker.button("Highlights")).to_have_attribute("aria-pressed", "false")
    press("Shift+Tab")
    press("ArrowRight")
    press("Enter")
    expect(worker.page.get_by_role("dialog").get_by_text("Picture 2 of 3")).to_be_visible()
    press("ArrowRight")
    expect(worker.page.get_by_role("dialog").get_by_text("Picture 3 of 3")).to_be_visible()
    press("Escape")
    expect(worker.page.get_by_role("dialog")).to_have_count(0)


def test_counts_and_problems_are_said_at_once(at_work: Visit) -> None:
    worker = at_work()
    worker.page.context.set_offline(True)  # none of this needs the server
    worker.short.fill("one, two/three four")
    expect(worker.page.get_by_text("4 of 3 words").first).to_be_visible()
    worker.send_button.click()
    expect(worker.page.get_by_text("Short description: please use at most 3 words; it has 4.")).to_be_visible()
    expect(worker.page.get_by_text("Most useful section: please choose one.")).to_be_visible()
    expect(worker.page.get_by_text("5 answers need another look.")).to_be_visible()
    expect(worker.short).to_be_focused()
    expect(worker.short).to_have_attribute("aria-invalid", "true")
    worker.short.fill("two words")
    expect(worker.page.get_by_text("Short description: please")).to_have_count(0)
    expect(worker.page.get_by_text("2 of 3 words").first).to_be_visible()
    worker.page.context.set_offline(False)


def test_a_draft_survives_a_reload_and_waits_on_other_devices(store: StudyStore, visit: Visit, at_work: Visit) -> None:
    worker = at_work()
    worker.short.fill("half a thought")
    worker.page.reload()
    expect(worker.short).to_have_value("half a thought")
    worker.group("How easy").get_by_text("2", exact=True).click()
    expect(worker.page.get_by_text("Draft saved.")).to_be_visible()
    elsewhere = visit(worker.page.url, viewport=PHONE)
    expect(elsewhere.short).to_have_value("half a thought")
    assert elsewhere.chosen("How easy") == "2"
    elsewhere.long.fill("written on the telephone")
    expect(elsewhere.page.get_by_text("Draft saved.")).to_be_visible()
    worker.page.reload()
    expect(worker.long).to_have_value("written on the telephone")
    worker.answer()
    worker.send_button.click()
    worker.at("Task 2")
    expect(worker.short).to_have_value("")
    assert sent(store, person(worker)) == [ANSWERS]


def test_a_double_click_sends_one_answer(store: StudyStore, at_work: Visit) -> None:
    worker = at_work(viewport={"width": 1366, "height": 768})
    worker.page.evaluate(CLICKS)
    for number, pause in enumerate((0, 150, 300), 1):
        worker.at(f"Task {number}").answer(short="four words are many")
        worker.send_button.click()
        expect(worker.page.get_by_text("One answer needs another look.")).to_be_visible()
        worker.short.fill(f"fur {number}")
        worker.send_button.scroll_into_view_if_needed()
        worker.page.wait_for_timeout(600)  # nobody moves a hand faster
        x, y = worker.middle(worker.send_button)
        worker.page.evaluate("place => pressAgain(...place)", [x, y, pause])
        worker.page.mouse.click(x, y)
        worker.page.wait_for_function("() => window.pressed")
        worker.at(f"Task {number + 1}")
        worker.page.wait_for_timeout(200)
        assert [answer["short"] for answer in sent(store, person(worker))] == [f"fur {n}" for n in range(1, number + 1)]
        assert worker.page.get_by_role("dialog").count() == 0, "the second click was not meant for what stands there now"


def test_back_on_an_open_link_leads_out_and_makes_no_second_guest(url: str, visit: Visit) -> None:
    worker = visit("about:blank")
    page = worker.page
    page.goto(url)
    page.wait_for_url("**/?invite=guest-*")
    guest = person(worker)
    worker.button("I agree").click()
    worker.button("Start with practice").wait_for()
    assert person(worker) == guest
    page.go_back()
    assert page.url == "about:blank"
    page.go_forward()
    page.wait_for_url(f"**/?invite={guest}")
    expect(worker.heading("How it works")).to_be_visible()


def test_a_double_click_does_not_skip_the_feedback(visit: Visit) -> None:
    worker = visit()
    worker.button("I agree").click()
    worker.button("Start with practice").click()
    worker.at("Practice").answer()
    go_on = worker.button("Go on")
    worker.page.evaluate(CLICKS + 'pressAtSight("Go on")')
    worker.button("Send answer").click()
    go_on.wait_for()
    worker.page.wait_for_function("() => window.pressed")
    worker.page.wait_for_timeout(600)
    expect(go_on).to_be_visible()
    go_on.click()
    worker.at("Task 1")


def test_two_tabs_send_one_answer_and_keep_what_was_typed(store: StudyStore, at_work: Visit) -> None:
    worker = at_work().answer()
    second = Worker(worker.page.context.new_page())
    second.page.goto(worker.page.url)
    second.at("Task 1").answer(short="other words")
    for tab in (worker, second):
        expect(tab.page.get_by_text("This task is also open in another tab.")).to_be_visible()
    expect(second.page.get_by_text("Draft saved.")).to_be_visible()
    worker.send_button.click()
    worker.at("Task 2")
    second.send_button.click()
    second.at("Change an earlier answer")
    expect(second.page.get_by_text("You have already answered this task")).to_be_visible()
    expect(second.page.get_by_text("Your answer is saved.")).to_have_count(0)
    expect(second.short).to_have_value("other words")
    assert sent(store, person(worker)) == [ANSWERS]
    second.button("Save changes").click()
    second.at("Task 2")
    assert sent(store, person(worker)) == [ANSWERS | {"short": "other words"}]


def test_back_to_an_earlier_answer_skip_report_and_stop(store: StudyStore, at_work: Visit) -> None:
    worker = at_work().answer()
    worker.send_button.click()
    worker.at("Task 2").short.fill("second")
    worker.button("Previous answer").click()
    worker.at("Change an earlier answer")
    expect(worker.short).to_have_value("striped fur")
    worker.short.fill("better words")
    worker.button("Save changes").click()
    worker.at("Task 2")
    expect(worker.short).to_have_value("second")
    assert sent(store, person(worker)) == [{**ANSWERS, "short": "better words"}]
    worker.button("Report a problem").click()
    worker.page.get_by_label("What is wrong?").fill("Picture 2 is <b>black</b>")
    worker.button("Send the report").click()
    expect(worker.page.get_by_text("the researchers will see your report")).to_be_visible()
    assert "Picture 2 is <b>black</b>" in store.reports()["text"].tolist()
    worker.button("Skip this task").click()
    worker.button("Skip it").click()
    expect(worker.short).to_have_value("")
    worker.short.fill("third")
    worker.button("Stop for now").click()
    worker.page.get_by_role("dialog").get_by_role("button", name="Stop for now").click()
    expect(worker.page.get_by_text("1 answer sent, $0.50 earned")).to_be_visible()
    worker.button("Continue with the tasks").click()
    expect(worker.short).to_have_value("third")


def test_what_people_type_stays_text(store: StudyStore, at_work: Visit) -> None:
    nasty = "<img src=evil onerror=alert(1)>"
    worker = at_work()
    with no_dialogs(worker.page):
        worker.answer(short=nasty, long='**bold** $x$ <script>alert("evil")</script> \u202eright to left 🦊')
        worker.page.reload()
        expect(worker.short).to_have_value(nasty)
        worker.send_button.click()
        worker.at("Task 2")
        worker.button("Previous answer").click()
        expect(worker.short).to_have_value(nasty)
        worker.page.wait_for_timeout(200)
    assert sent(store, person(worker))[0]["short"] == nasty


def test_a_hit_in_its_frame(store: StudyStore, url: str, new_context: Callable[..., BrowserContext]) -> None:
    """Mechanical Turk: preview in a frame of another site, the accepted HIT, and the form back to Amazon."""
    accepted = {
        "assignmentId": "3ASSIGNMENT",
        "hitId": "3HIT0",
        "workerId": "A1WORKER",
        "turkSubmitTo": "https://workersandbox.mturk.com",
    }
    shown = {"query": {**accepted, "assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE", "workerId": ""}}

    posted: list[dict[str, list[str]]] = []
    # The study is at this computer, which a page from elsewhere may show in a frame only if somebody allows it.
    context = new_context(viewport={"width": 1000, "height": 1000}, permissions=["local-network-access"])

    def around(route) -> None:  # type: ignore[no-untyped-def]
        address = f"{url}/?{urlencode(shown['query'])}".replace("&", "&amp;")
        frame = f'<iframe src="{address}" style="width:100%;height:900px"></iframe>'
        route.fulfill(content_type="text/html", body=f"<h1>Somebody else's site</h1>{frame}")

    def amazon(route, request) -> None:  # type: ignore[no-untyped-def]
        posted.append(parse_qs(request.post_data or ""))
        route.fulfill(status=200, body="Received by Amazon")

    context.route("https://worker.mturk.com/hit", around)
    context.route("https://workersandbox.mturk.com/mturk/externalSubmit", amazon)
    page = context.new_page()
    page.goto("https://worker.mturk.com/hit")
    worker = Worker(page, page.frame_locator("iframe"))
    expect(worker.place.get_by_text("This is a preview.")).to_be_visible()
    expect(worker.send_button).to_have_count(0)
    assert store.worker("A1WORKER") is None
    shown["query"] = accepted
    page.reload()
    worker.to_the_tasks().answer()
    worker.send_button.click()
    worker.at("Task 2").button("Stop for now").click()
    worker.place.get_by_role("dialog").get_by_role("button", name="Stop for now").click()
    worker.button("Send in and finish").click()
    expect(worker.place.get_by_text("Received by Amazon")).to_be_visible()
    assert posted == [{"assignmentId": ["3ASSIGNMENT"], "worker": ["A1WORKER"], "outcome": ["partial"]}]
    assert sent(store, "A1WORKER") == [ANSWERS]


def test_the_admin_page_is_elsewhere_and_asks_for_the_secret(url: str, admin_port: int, visit: Visit, at_work: Visit) -> None:
    page = at_work().page
    page.goto(f"{url}/administer")
    expect(page.get_by_text("Secret")).to_have_count(0)
    admin = visit(f"http://localhost:{admin_port}").page
    admin.get_by_role("textbox", name="Secret").fill("a guess")
    admin.get_by_role("button", name="Enter").click()
    expect(admin.get_by_text("That is not the secret of this study.")).to_be_visible()
    expect(admin.get_by_text("answers")).to_have_count(0)
    admin.get_by_role("textbox", name="Secret").fill(SECRET)
    admin.get_by_role("button", name="Enter").click()
    expect(admin.get_by_text("Tasks complete")).to_be_visible()
    admin.get_by_role("tab", name="Problems").click()
    shown = admin.get_by_test_id("stDataFrame").or_(admin.get_by_text("No problems have been reported."))
    expect(shown.filter(visible=True).first).to_be_visible()


TEXTS = [
    "", " ", "fur", "striped fur", "snug-fitting", "fur,paws", "fur, paws", "a;b|c\\d", "1,000 dogs", "3:30", "1/2", "either/or", "dogs--cats", "a - b",
    "don't", "...", "!?", "🦊", "🦊🐾 fox", "+ ^", "a+b", "x\ty\nz", "a\u00a0b", "a\u200bb", "\ufeffa", "fur…paws", "long—dash", "日本語、毛皮", "，", "e\u0301",
    "\u202efur", "<b>fur</b>", "$5", "#1", "&", "a&b", "50%", "«fur»", "½", "٣٫٥", "क्षि", "\u00adsoft", "a\u2060b", "𝒻𝓊𝓇", "1,2,3", "a,1", "1,a", "ab:12",
]  # fmt: skip


def test_words_are_counted_as_the_store_counts_them(browser: Browser, visit: Visit) -> None:
    from annotating.component import FOLDER
    from annotating.task import question_data

    from study.questionnaire import NO_WORD, WORD_BREAK

    page: Page = visit().page
    script = (FOLDER / "basics.js").read_text(encoding="utf-8")
    run = "([script, given, body]) => new Function('given', script + body)(given)"
    body = "return given.texts.map(text => wordSplitter(given.words)(text));"
    speech = {"language": "en", "texts": dict(ENGLISH.entries)}
    found = page.evaluate(run, [script, {"texts": TEXTS, "words": {"pause": WORD_BREAK, "none": NO_WORD}}, body])
    assert dict(zip(TEXTS, found, strict=True)) == {text: words(text) for text in TEXTS}
    answers = [
        None,
        "",
        *TEXTS,
        "one two three four",
        "x" * 101,
        "fur\0",
        "fur \ud800".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    ]
    body = "const split = wordSplitter(given.words); speak(given.speech); return given.answers.map(answer => problemOf(given.question, answer, split));"
    for question in PAPER.questions[:2]:
        given = {
            "answers": answers,
            "question": question_data(question),
            "words": {"pause": WORD_BREAK, "none": NO_WORD},
            "speech": speech,
        }
        assert page.evaluate(run, [script, given, body]) == [question.problem(answer) for answer in answers]
