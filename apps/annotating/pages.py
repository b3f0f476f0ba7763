"""The pages around the tasks: consent, instructions, the end, and what is said when something is not as it should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

import streamlit as st
from shared.html import paragraphs, plain
from shared.money import amount

from annotating.visit import Visit
from barlow_core.wording import count
from study.participants.platforms import Completion
from study.store.progress import Standing
from study.store.settings import StudySettings


def show_consent(settings: StudySettings, agree: Callable[[], None], decline: Callable[[], None]) -> None:
    """What the study is, before anything of the visitor is kept."""
    pay = f"{amount(settings.pay, settings.currency)} for each task" if settings.pay else ""
    place = f"a place is kept for you for {settings.hold_minutes:g} minutes"
    facts = [pay, f"about {settings.minutes_per_item:g} minutes a task", "stop whenever you like", place]
    _text(
        f"<h1>{escape(settings.title)}</h1>"
        f'<p class="bw-facts">{escape(" · ".join(fact for fact in facts if fact))}</p>'
        f"<h2>Before you start</h2>{paragraphs(settings.consent)}{_contact(settings)}"
    )
    with st.container(horizontal=True):
        st.button("I agree, let’s start", key="agree", type="primary", on_click=agree)
        st.button("No, thank you", key="decline", on_click=decline)


def show_instructions(settings: StudySettings, practice: int, start: Callable[[], None]) -> None:
    """How to answer, with worked examples."""
    examples = "".join(_example(example) for example in settings.examples)
    ahead = f"<p>You begin with {count(practice, 'practice task')} and see right away what we were looking for. Practice is not paid.</p>"
    _text(
        f"<h1>How it works</h1>{''.join(paragraphs(text) for text in settings.instructions)}"
        f"{'<h2>An example</h2>' if len(settings.examples) == 1 else '<h2>Examples</h2>' if examples else ''}{examples}"
        f"{ahead if practice else ''}"
        "<p>You can read this again at any time. What you type is saved as you go: you can stop and come back with the same link.</p>"
    )
    st.button("Start with practice" if practice else "Start", key="start", type="primary", on_click=start)


def show_quiz(settings: StudySettings, send: Callable[[Sequence[int | None]], None]) -> None:
    """Questions about the instructions, which stay readable above them."""
    texts = "".join(paragraphs(text) for text in settings.instructions)
    _text(f"<h1>Before you start: {count(len(settings.quiz), 'question')}</h1>{texts}")
    with st.form("quiz", border=False):
        chosen: list[int | None] = []
        for number, question in enumerate(settings.quiz):
            options = [str(option) for option in question["options"]]
            picked = st.radio(
                plain(str(question["question"])),
                range(len(options)),
                format_func=_option(options),
                index=None,
                key=f"quiz {number}",
            )
            chosen.append(picked)
        if st.form_submit_button("Send", type="primary"):
            send(chosen)
            st.rerun()


def _option(options: Sequence[str]) -> Callable[[int], str]:
    return lambda place: plain(options[place])


def _example(example: Mapping[str, str]) -> str:
    names = {"shows": "Shown", "good": "Good", "poor": "Not so good", "why": "Why"}
    rows = "".join(
        f'<p class="bw-{key}"><b>{name}</b><span>{escape(str(example[key]))}</span></p>'
        for key, name in names.items()
        if example.get(key)
    )
    return f'<div class="bw-example">{rows}</div>'


def show_end(settings: StudySettings, end: Completion, standing: Standing | None, go_on: Callable[[], None] | None) -> None:
    """The last page: thanks, what was earned, and the way back to where the worker came from.

    Args:
        go_on: back to the tasks, for somebody who has stopped; None where there is no way back.
    """
    earned = ""
    if standing is not None and standing.answered:
        earned = (
            f'<p class="bw-earned"><b>{count(standing.answered, "answer")}</b> sent, '
            f"<b>{escape(amount(standing.amount, standing.currency))}</b> earned</p>"
        )
    code = f'<p>Your completion code:</p><p class="bw-code-big"><code>{escape(end.code)}</code></p>' if end.code else ""
    way_out = end.action is not None or end.url is not None
    later = "<p>You can also come back later with the same link, on any device.</p>" if go_on is not None and not way_out else ""
    _text(f"<h1>{escape(end.title)}</h1>{paragraphs(end.text)}{earned}{code}{later}")
    if end.action is not None:
        # Posted by the browser itself, within the frame: this is how MTurk learns that the task is done.
        fields = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in end.fields.items()
        )
        st.html(
            f'<form class="bw-text" action="{escape(end.action)}" method="post">{fields}'
            '<button type="submit" class="bw-button">Send in and finish</button></form>'
        )
    elif end.url is not None:
        st.html(f'<p class="bw-text"><a class="bw-button" href="{escape(end.url)}" target="_top">Finish and go back</a></p>')
    if go_on is not None:
        st.button("Continue with the tasks", key="go on", on_click=go_on)
    _text(_contact(settings))


def show_trouble(title: str, text: str, settings: StudySettings | None = None, again: Callable[[], None] | None = None) -> None:
    """Something is in the way; `again` tries once more."""
    _text(f'<h1>{escape(title)}</h1><div role="alert">{paragraphs(text)}</div>{_contact(settings)}')
    if again is not None:
        st.button("Try again", key="again", type="primary", on_click=again)


def show_preview_note() -> None:
    """That nothing is kept."""
    st.html('<p class="bw-preview">Preview: everything works as it does for a worker, but nothing is saved.</p>')


def show_notice(visit: Visit) -> None:
    """What happened that the worker did not expect."""
    if visit.notice:
        _text(f'<div role="alert">{paragraphs(visit.notice)}</div>')


def _contact(settings: StudySettings | None) -> str:
    if settings is None or not settings.contact:
        return ""
    return f'<p class="bw-facts">Questions? Write to {escape(settings.contact)}</p>'


def _text(html: str) -> None:
    if html:
        st.html(f'<div class="bw-text">{html}</div>')
