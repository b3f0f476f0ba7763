"""The pages around the tasks: consent, instructions, the end, and what is said when something is not as it should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from html import escape

import streamlit as st
from shared.html import paragraphs, plain

from annotating.visit import Visit
from study.participants.platforms import Completion
from study.store.settings import StudySettings
from study.texts import Texts

LONG = 120  # minutes; from here on a time is said in hours


def show_consent(visit: Visit, agree: Callable[[], None], decline: Callable[[], None]) -> None:
    """What the study is, before anything of the visitor is kept."""
    settings, texts = visit.settings, visit.texts
    facts = "".join(f"<li>{escape(fact)}</li>" for fact in study_facts(visit))
    _text(
        f'<h1 dir="auto">{escape(settings.title)}</h1><ul class="bw-list">{facts}</ul>'
        f"<h2>{escape(texts('consent.heading'))}</h2>{paragraphs(settings.consent)}{_contact(settings, texts)}"
    )
    with st.container(horizontal=True):
        st.button(plain(texts("consent.agree")), key="agree", type="primary", on_click=agree)
        st.button(plain(texts("consent.decline")), key="decline", on_click=decline)


def study_facts(visit: Visit) -> list[str]:
    """What somebody should know who decides whether to take part: tasks, time, pay, what is not paid, the bonus."""
    settings, texts, store = visit.settings, visit.texts, visit.store
    kinds = Counter(str(item.get("kind", "item")) for item in store.item_list())
    practice = kinds.pop("practice", 0)
    limits = [settings.items_per_worker, settings.items_per_visit if visit.identity.visit is not None else None]
    most = min([kinds.total(), *(limit for limit in limits if limit is not None)])
    facts = [
        texts(
            "consent.tasks",
            n=most,
            minutes=_time(settings.minutes_per_item, texts),
            time=_time(most * settings.minutes_per_item, texts),
        )
    ]
    if settings.pay:
        each, total = (texts.money(amount, settings.currency) for amount in (settings.pay, settings.pay * most))
        facts.append(texts("consent.pay", amount=each, total=total))
    if Decimal(settings.bonus) and kinds["gold"] + kinds["attention"] and settings.bonus_after <= most:
        facts.append(
            texts("consent.bonus", n=settings.bonus_after, amount=texts.money(Decimal(settings.bonus), settings.currency))
        )
    if practice:
        facts.append(texts("consent.practice", n=practice, time=_time(practice * settings.minutes_per_item, texts)))
    if settings.quiz:
        facts.append(texts("consent.quiz", n=len(settings.quiz)))
    return [*facts, texts("consent.stop"), texts("consent.place", time=_time(settings.hold_minutes, texts))]


def _time(minutes: float, texts: Texts) -> str:
    """A duration, in hours with one decimal from two hours on."""
    if minutes < LONG:
        return texts("consent.minutes", n=_short(minutes))
    return texts("consent.hours", n=_short(minutes / 60))


def _short(number: float) -> float:
    """One decimal, or none where it would be a zero."""
    return int(number) if number == int(number) else round(number, 1)


def show_instructions(visit: Visit, practice: int, start: Callable[[], None]) -> None:
    """How to answer, with worked examples."""
    settings, texts = visit.settings, visit.texts
    examples = "".join(_example(example, texts) for example in settings.examples)
    heading = f"<h2>{escape(texts('instructions.examples', n=len(settings.examples)))}</h2>" if examples else ""
    ahead = f"<p>{escape(texts('instructions.practice', n=practice))}</p>" if practice else ""
    _text(
        f"<h1>{escape(texts('instructions.heading'))}</h1>{''.join(paragraphs(text) for text in settings.instructions)}"
        f"{heading}{examples}{ahead}<p>{escape(texts('instructions.again'))}</p>"
    )
    name = "instructions.start_practice" if practice else "instructions.start"
    st.button(plain(texts(name)), key="start", type="primary", on_click=start)


def show_quiz(visit: Visit, send: Callable[[Sequence[int | None]], None]) -> None:
    """Questions about the instructions, which stay readable above them."""
    settings = visit.settings
    words = "".join(paragraphs(text) for text in settings.instructions)
    _text(f"<h1>{escape(visit.texts('quiz.heading', n=len(settings.quiz)))}</h1>{words}")
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
        if st.form_submit_button(plain(visit.texts("quiz.send")), type="primary"):
            send(chosen)
            st.rerun()


def _option(options: Sequence[str]) -> Callable[[int], str]:
    return lambda place: plain(options[place])


def _example(example: Mapping[str, str], texts: Texts) -> str:
    rows = "".join(
        f'<p class="bw-{key}"><b>{escape(texts(f"example.{key}"))}</b><span dir="auto">{escape(str(example[key]))}</span></p>'
        for key in ("shows", "good", "poor", "why")
        if example.get(key)
    )
    return f'<div class="bw-example">{rows}</div>'


def show_end(visit: Visit, end: Completion, go_on: Callable[[], None] | None) -> None:
    """The last page: thanks, what was earned, and the way back to where the worker came from.

    Args:
        go_on: back to the tasks, for somebody who has stopped; None where there is no way back.
    """
    texts, standing = visit.texts, visit.standing
    earned = ""
    if standing is not None and standing.answered:
        amount = texts.money(standing.amount, standing.currency)
        earned = f'<p class="bw-earned">{escape(texts("end.earned", n=standing.answered, amount=amount))}</p>'
    code = ""
    if end.code:
        code = f'<p>{escape(texts("end.code"))}</p><p class="bw-code-big"><code dir="ltr">{escape(end.code)}</code></p>'
    way_out = end.action is not None or end.url is not None
    later = f"<p>{escape(texts('end.later'))}</p>" if go_on is not None and not way_out else ""
    _text(f"<h1>{escape(end.title)}</h1>{paragraphs(end.text)}{earned}{code}{later}")
    if end.action is not None:
        # Posted by the browser itself, within the frame: this is how MTurk learns that the task is done.
        fields = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in end.fields.items()
        )
        st.html(
            f'<form class="bw-text" action="{escape(end.action)}" method="post">{fields}'
            f'<button type="submit" class="bw-button">{escape(texts("end.send_in"))}</button></form>'
        )
    elif end.url is not None:
        link = f'<a class="bw-button" href="{escape(end.url)}" target="_top">{escape(texts("end.go_back"))}</a>'
        st.html(f'<p class="bw-text">{link}</p>')
    if go_on is not None:
        st.button(plain(texts("end.go_on")), key="go_on", on_click=go_on)
    _text(_contact(visit.settings, texts))


def show_trouble(
    title: str, text: str, texts: Texts, settings: StudySettings | None = None, again: Callable[[], None] | None = None
) -> None:
    """Something is in the way; `again` tries once more."""
    _text(f'<h1>{escape(title)}</h1><div role="alert">{paragraphs(text)}</div>{_contact(settings, texts)}')
    if again is not None:
        st.button(plain(texts("trouble.again")), key="again", type="primary", on_click=again)


def show_preview_note(texts: Texts) -> None:
    """That nothing is kept."""
    st.html(f'<p class="bw-preview">{escape(texts("page.preview"))}</p>')


def show_notice(visit: Visit) -> None:
    """What happened that the worker did not expect."""
    if visit.notice:
        _text(f'<div role="alert">{paragraphs(visit.notice)}</div>')


def _contact(settings: StudySettings | None, texts: Texts) -> str:
    if settings is None or not settings.contact:
        return ""
    return f'<p class="bw-facts">{escape(texts("page.contact", contact=settings.contact))}</p>'


def _text(html: str) -> None:
    if html:
        st.html(f'<div class="bw-text">{html}</div>')
