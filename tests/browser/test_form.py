"""The form by itself in a real browser: what depends on the moment and the place of a click, for many of both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from annotating.component import AROUND as AROUND_FILES
from annotating.component import script
from playwright.sync_api import Browser, Page, expect
from worker_study import ANSWERS

from browser.form_host import FormHost, sections, task_data
from study.store.settings import StudySettings
from study.texts import ENGLISH, Texts

SCREENS = [{"width": 1366, "height": 768}, {"width": 1920, "height": 1080}]
DELAYS = [0, 30, 80, 150, 250, 350, 399, 401, 450, 600]
LATENCY = 400


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    problems: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: f"{screen['width']}x{screen['height']}")
def test_a_second_click_hits_nothing_that_has_just_come(page: Page, screen: dict[str, int]) -> None:
    """Sent with a mistake, mended, and sent by a double click: whatever the pause between the clicks, one answer, and nothing else."""
    page.set_viewport_size(screen)  # type: ignore[arg-type]
    form = FormHost(page, clock=True)
    send = page.get_by_role("button", name="Send answer")
    for delay in DELAYS:
        form.start(task_data(answers={**ANSWERS, "short": "four words are many"}), latency=LATENCY)
        form.wait(1000)
        send.click()
        assert "One answer needs another look." in page.get_by_role("alert").all_inner_texts()
        page.get_by_label("at most 3 words").fill("two words")
        form.wait(1000)
        send.scroll_into_view_if_needed()
        place = form.middle(send)
        page.mouse.click(*place)
        form.wait(delay)
        page.mouse.click(*place)
        form.wait(1)
        assert page.get_by_role("dialog").count() == 0, f"{delay} ms after the first click"
        form.wait(1000)
        assert form.sent("skip", "stop", "back", "next") == [], f"{delay} ms after the first click"
        assert [message["item"] for message in form.sent("submit")] == ["item 1"]


PHONE = {"width": 390, "height": 664}  # what is left of 844 above a browser's bars
IN_VIEW = "e => { const box = e.getBoundingClientRect(); return box.top >= 0 && box.bottom <= innerHeight; }"
FEEDBACK = {"passed": True, "heading": "Well done.", "text": "The bright regions show stripes."}


def test_feedback_and_the_way_on_are_in_view_on_a_phone(page: Page) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    form = FormHost(page, clock=True)
    form.start(task_data(sections=sections(n=6), answers=ANSWERS, practice=True))
    form.wait(1000)
    page.evaluate("feedback => { host.next = { mode: 'feedback', feedback, sections: host.data.sections }; }", FEEDBACK)
    page.get_by_role("button", name="Send answer").click()
    form.wait(1000)
    go_on = page.get_by_role("button", name="Go on")
    expect(go_on).to_be_focused()
    expect(go_on).to_have_accessible_description("Well done. The bright regions show stripes.")
    for seen in (go_on, page.get_by_role("heading", name="Well done.")):
        assert seen.evaluate(IN_VIEW)


def test_the_key_of_a_phones_keyboard_goes_on(browser: Browser) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)  # type: ignore[arg-type]
    page = context.new_page()
    FormHost(page).start(task_data())
    short, long = page.get_by_label("at most 3 words"), page.get_by_label("at most 15 words")
    short.tap()
    assert short.get_attribute("enterkeyhint") == "next"
    page.keyboard.press("Enter")
    expect(long).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name="How easy").get_by_role("radio").first).to_be_focused()
    assert long.input_value() == ""
    context.close()


def test_the_ends_of_a_scale_are_said_with_their_values(page: Page) -> None:
    FormHost(page).start(task_data())
    radios = page.get_by_role("group", name="How easy").get_by_role("radio")
    expect(radios.first).to_have_accessible_name("1 very difficult")
    expect(radios.last).to_have_accessible_name("5 very easy")
    expect(radios.nth(2)).to_have_accessible_name("3")


def test_a_single_key_acts_only_among_the_pictures(page: Page) -> None:
    FormHost(page).start(task_data(sections=sections()))
    highlights = page.get_by_role("button", name="Highlights")
    for elsewhere in (
        page.get_by_role("group", name="How easy").get_by_role("radio").first,
        page.get_by_role("button", name="Skip this"),
    ):
        elsewhere.focus()
        page.keyboard.press("h")
        expect(highlights).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Picture 1 of 3. Show it large.").focus()
    page.keyboard.press("h")
    expect(highlights).to_have_attribute("aria-pressed", "false")


def test_words_do_not_overlap_when_only_text_is_enlarged(page: Page) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    form = FormHost(page)
    form.start(task_data(sections=sections(n=6)))
    page.add_style_tag(content="html { font-size: 200%; }")
    over = """() => [...document.querySelector("div").shadowRoot.querySelectorAll("h1, h2 span, .head p, .option, .ask, .facts, button, .ends span")]
      .filter(e => e.getClientRects().length).flatMap((e, place, all) => {
        const box = e.getBoundingClientRect();
        const wide = box.right > innerWidth + 1 || e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline" ? [["wide", e.textContent]] : [];
        const hit = all.slice(place + 1).filter(o => !e.contains(o) && !o.contains(e)).find(o => { const b = o.getBoundingClientRect();
          return Math.min(box.right, b.right) - Math.max(box.left, b.left) > 1 && Math.min(box.bottom, b.bottom) - Math.max(box.top, b.top) > 1; });
        return hit ? [...wide, [e.textContent, hit.textContent]] : wide; })"""
    assert page.evaluate(over) == []


def test_a_choice_is_seen_where_the_system_chooses_the_colours(browser: Browser) -> None:
    context = browser.new_context(forced_colors="active")
    page = context.new_page()
    FormHost(page).start(task_data(answers=ANSWERS))
    ground = "e => getComputedStyle(e.closest('.option')).backgroundColor"
    radios = page.get_by_role("group", name="How easy").get_by_role("radio")
    assert radios.nth(ANSWERS["ease"] - 1).evaluate(ground) != radios.first.evaluate(ground)
    context.close()


AROUND = """
import around from "http://form.test/page.js";
const app = document.querySelector("main"), place = document.createElement("div");
app.className = "stApp";
app.insertAdjacentHTML("beforeend", "<style>[data-moved] { pointer-events: none; }</style><section></section>");
window.pressed = [];
// As Streamlit does: one page in place of the other, the button perhaps the same element with other words.
window.turn = (page, heading, name) => {
  app.querySelector("section").innerHTML = `<div class="bw-text"><h1>${heading}</h1></div>`;
  let button = app.querySelector("button");
  if (!button) { button = document.createElement("button"); app.append(button); }
  button.textContent = name;
  button.onclick = () => { pressed.push(name); if (page === "consent") turn("instructions", "How it works", "Start"); };
  around({ data: { page, language: "de", direction: "ltr", link: { invite: "guest-1" } }, parentElement: place });
};
turn("consent", "The study", "I agree");
"""


def test_the_pages_around_the_form_take_no_second_click_and_lead_the_focus(page: Page) -> None:
    page.goto("about:blank")
    FormHost(page, clock=True)
    page.route("http://form.test/page.js", lambda route: route.fulfill(content_type="text/javascript", body=script(AROUND_FILES)))
    before = page.evaluate("history.length")
    page.add_script_tag(content=AROUND, type="module")
    page.wait_for_function("() => window.turn && window.pressed")
    page.clock.run_for(1000)
    assert page.url == "http://form.test/?invite=guest-1"
    assert page.evaluate("[history.length, document.documentElement.lang]") == [before, "de"]
    box = page.get_by_role("button").bounding_box()
    assert box is not None
    place = box["x"] + 5, box["y"] + 5
    page.mouse.click(*place)
    expect(page.get_by_role("heading", name="How it works")).to_be_focused()
    for wait in (0, 150, 250):
        page.clock.run_for(wait)
        page.mouse.click(*place)
        page.keyboard.press("Enter")
        assert page.evaluate("pressed") == ["I agree"]
    page.clock.run_for(500)
    page.mouse.click(*place)
    assert page.evaluate("pressed") == ["I agree", "Start"]


# --- languages

MARKED = Texts(
    "en",
    {
        key: f"⟦{entry}⟧" if isinstance(entry, str) else {form: f"⟦{text}⟧" for form, text in entry.items()}
        for key, entry in ENGLISH.entries.items()
    },
    {},
    {},
)
# What is on the page, and said of it, that is no text of the catalogue: what is left without what is marked, without single letters.
UNMARKED = """() => {
  const found = new Set();
  const look = text => { let rest = text, before; do { before = rest; rest = rest.replace(/⟦[^⟦⟧]*⟧/g, ""); } while (rest !== before);
    if (/\\p{L}{2}/u.test(rest)) found.add(text); };
  const root = document.querySelector("div").shadowRoot;
  const walk = document.createTreeWalker(root.querySelector(".task"), NodeFilter.SHOW_ALL);
  for (let node = walk.currentNode; node; node = walk.nextNode()) {
    if (node.nodeType === Node.TEXT_NODE) look(node.data);
    else for (const name of ["aria-label", "title", "alt", "placeholder"]) if (node.hasAttribute?.(name)) look(node.getAttribute(name));
  }
  return [...found];
}"""


def marked_settings() -> StudySettings:
    """A study whose own words are marked, too."""
    words = {
        one.id: {"name": f"⟦{one.name}⟧", "text": f"⟦{one.text}⟧", "help": f"⟦{one.help}⟧", "low_label": f"⟦{one.low_label}⟧",
                 "high_label": f"⟦{one.high_label}⟧", "options": {value: f"⟦{label}⟧" for value, label in one.options}}
        for one in StudySettings().questionnaire.questions
    }  # fmt: skip
    given = StudySettings()
    return StudySettings.make(
        {
            "questionnaire": given.questionnaire.in_words("", words),
            "instructions": ("⟦Do this.⟧",),
            "examples": ({"shows": "⟦A⟧", "good": "⟦b⟧", "poor": "⟦c⟧", "why": "⟦d⟧"},),
        }
    )


def test_every_text_of_the_form_is_in_the_catalogue(page: Page) -> None:
    form = FormHost(page, clock=True)

    def data(**changes: object) -> dict[str, object]:
        found = task_data(marked_settings(), MARKED, sections=sections(MARKED), title="⟦Task⟧", progress=["⟦0⟧"], contact="⟦c⟧")
        return {**found, **changes}

    def check() -> None:
        assert page.evaluate(UNMARKED) == []

    form.start(data(practice=True, notice="⟦read⟧"))
    check()
    button = page.get_by_role("button")
    for name, close in (
        ("form.instructions", "form.close"),
        ("form.report", "form.cancel"),
        ("form.skip", "form.cancel"),
        ("form.stop", "form.cancel"),
    ):
        form.wait(1000)
        button.filter(has_text=MARKED(name)).first.click()
        form.wait(1000)
        check()
        if name == "form.report":
            button.filter(has_text=MARKED("form.report_send")).click()
            check()
            form.wait(1000)
        page.get_by_role("dialog").get_by_role("button").filter(has_text=MARKED(close)).click()
    button.filter(has_text=MARKED("form.highlights")).click()
    page.get_by_role("button", name="Show it large").first.click()
    check()
    page.keyboard.press("Escape")
    form.wait(2000)
    button.filter(has_text=MARKED("form.send")).click()
    check()
    page.locator("input[type=text]").fill("four words are many")
    page.locator("textarea").fill("x" * 600)
    form.wait(2000)
    check()
    for changes in (
        {"mode": "feedback", "feedback": {"passed": True, "heading": "⟦h⟧", "text": "⟦t⟧"}},
        {"mode": "edit"},
        {"mode": "preview"},
        {"sections": []},
    ):
        form.start(data(answers=ANSWERS | {"short": "fur"}, **changes))
        form.wait(3000)
        check()
    form.start(data(answers=ANSWERS), latency=100_000)
    form.wait(1000)
    button.filter(has_text=MARKED("form.send")).click()
    check()
    form.wait(5000)
    check()
    assert page.get_by_role("status").inner_text() == MARKED("form.waiting")


def test_a_language_from_right_to_left_mirrors_the_form(page: Page) -> None:
    arabic = Texts("ar", {**ENGLISH.entries, "form.send": "أرسل الإجابة", "section.A.title": "الصور"}, {}, {})
    page.set_viewport_size({"width": 1440, "height": 900})
    FormHost(page).start(task_data(None, arabic, sections=sections(arabic), title="المهمة ١"))
    pictures, send = page.get_by_role("group", name="Pictures", exact=True), page.get_by_role("button", name="أرسل الإجابة")
    assert pictures.bounding_box()["x"] > send.bounding_box()["x"]  # type: ignore[index]
    scale = page.get_by_role("group", name="How easy").locator(".option")
    assert scale.first.bounding_box()["x"] > scale.last.bounding_box()["x"]  # type: ignore[index]
    assert page.locator(".task").get_attribute("dir") == "rtl"
    typed = page.get_by_label("at most 3 words")
    typed.fill("stripes")
    assert typed.evaluate("e => getComputedStyle(e).direction") == "ltr", "what is typed keeps its own direction"
