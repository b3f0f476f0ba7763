"""What people think of features: recorded here, undone here, and shown wherever a feature appears; with the names of the crowd."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from html import escape

import streamlit as st
from shared.address import stay
from shared.html import plain
from shared.runs import stamp

from barlow_core.errors import BarlowError
from barlow_core.failure_tree import Node
from barlow_core.run import Run
from barlow_core.views.feature_names import FeatureName
from barlow_core.views.judgements import ACTIONS, FILE, VERDICTS, Judgement, Judgements, judgement_words
from browsing.crowd import Crowd, crowd, study_stamp

AUTHOR = "author of judgements"
SCOPES = {"rule": "in this rule", "group": "in this group", "feature": "everywhere"}


@dataclass(frozen=True)
class Opinions:
    """What was said about the features of a run.

    Attributes:
        judgements: what researchers recorded.
        crowd: what crowd workers called features.
        read_only: nothing may be recorded here.
        stamp: changes with any of it.
    """

    judgements: Judgements
    crowd: Crowd
    read_only: bool
    stamp: int

    def name(self, key: str, feature: int, rule: str | None = None) -> str | None:
        """The name that a researcher gave, or else the crowd."""
        latest = self.judgements.latest(feature, key, rule)
        if latest is not None and latest.name:
            return latest.name
        found = self.crowd.names.get((key, feature))
        return None if found is None else found.name

    def names(self, key: str, features: Collection[int]) -> dict[int, str]:
        """The names of those of the features that have one."""
        found = {int(feature): self.name(key, int(feature)) for feature in features}
        return {feature: name for feature, name in found.items() if name}

    def chips(self, key: str, feature: int, rule: str | None) -> str:
        """HTML: the judgement that stands, the name and the mark of the crowd; empty where nobody said anything."""
        chips = []
        latest = self.judgements.latest(feature, key, rule)
        if latest is not None:
            words = judgement_words(latest)
            old = "" if latest.current else " · made about the features of an earlier extraction"
            kind = f" bw-{latest.verdict}" if latest.verdict else ""
            chips.append(f'<span class="bw-chip{kind}">{escape(words)}{old}</span>')
        found = self.crowd.names.get((key, feature))
        if found is not None:
            simulated = " · simulated answers" if found.simulated else ""
            chips.append(
                f'<span class="bw-chip bw-crowd">Named “{escape(found.name)}” by people, {_agree(found)}{simulated}</span>'
            )
        mark = self.crowd.marks.get((key, feature))
        if mark is not None:
            kind = "bw-spurious" if mark.mark == "spurious" else "bw-necessary"
            chips.append(f'<span class="bw-chip {kind}">Marked as {escape(mark.words)}</span>')
        return f'<div class="bw-chips">{"".join(chips)}</div>' if chips else ""


def _agree(name: FeatureName) -> str:
    return f"of {name.n:,}" if name.support is None else f"{name.support:,} of {name.n:,} agree"


def opinions(run: Run, *, read_only: bool) -> Opinions:
    """Everything that was said about the features of a run, read again when somebody says more."""
    try:
        changed = (run.path / FILE).stat().st_mtime_ns
    except OSError:
        changed = 0
    judgements = _judgements(str(run.path), stamp(run.path), changed, run)
    return Opinions(judgements, crowd(run), read_only or not judgements.writable, changed + study_stamp(run))


@st.cache_resource(max_entries=4, show_spinner=False)
def _judgements(path: str, stamp: int, changed: int, _run: Run) -> Judgements:
    return Judgements(_run)


def show_form(run: Run, key: str, feature: int, node: Node, opinions: Opinions) -> None:
    """What one thinks of a feature: a form, undo, and what others recorded."""
    st.html(f'<h4 class="bw-h4">What do you think of feature {feature}?</h4>')
    if opinions.read_only:
        st.caption("Judgements are not recorded here: the app is read-only, or the run folder cannot be written.")
    else:
        _form(run, key, feature, node, opinions)
    said = opinions.judgements.of_feature(feature)
    if said:
        st.html(f'<ul class="bw-said">{"".join(_said(judgement) for judgement in said)}</ul>')


def _said(judgement: Judgement) -> str:
    where = judgement.rule or judgement.group or "everywhere"
    return (
        f"<li>{escape(judgement_words(judgement))}<small>{escape(judgement.author)}, {escape(judgement.at[:16].replace('T', ' '))}"
        f" UTC · {escape(where)}</small></li>"
    )


def _form(run: Run, key: str, feature: int, node: Node, opinions: Opinions) -> None:
    place = f"{key} {feature} {node.number}"
    author = st.session_state.get(AUTHOR, "")
    mine = next((judgement for judgement in opinions.judgements.of_feature(feature) if judgement.author == author), None)
    with st.form(f"judge {place}", border=False, enter_to_submit=True):
        verdict = st.segmented_control(
            "For this class it is",
            VERDICTS,
            default=mine.verdict if mine else None,
            key=f"verdict {place}",
            help="Necessary: the class cannot be told without it, such as a dog's face. "
            "Spurious: it merely occurs together with the class, such as grass.",
        )
        left, right = st.columns(2)
        name = left.text_input("Name", value=mine.name if mine else "", placeholder="what it shows", key=f"name {place}")
        action = right.selectbox(
            "What to do", ACTIONS, index=ACTIONS.index(mine.action) if mine and mine.action else None, placeholder="no action"
        )
        scopes = [scope for scope in SCOPES if scope != "rule" or feature in node.features]
        comment = st.text_area("Comment", value=mine.comment if mine else "", height=68)
        left, right = st.columns(2)
        scope = left.selectbox("This holds", scopes, format_func=SCOPES.__getitem__)
        who = right.text_input("Your name", value=author, max_chars=80, key=f"author {place}")
        sent = st.form_submit_button("Record", type="primary", on_click=stay)
    if sent:
        try:
            opinions.judgements.record(
                feature,
                author=who.strip(),
                group=None if scope == "feature" else key,
                rule=node.rule if scope == "rule" else None,
                name=name.strip(),
                verdict=verdict,
                comment=comment.strip(),
                action=action,
            )
        except BarlowError as error:
            st.error(plain(str(error)))
        else:
            st.session_state[AUTHOR] = who.strip()
            st.rerun()
    show_undo(opinions)


def show_undo(opinions: Opinions) -> None:
    """Take back what one recorded last, or bring it back."""
    author = st.session_state.get(AUTHOR, "")
    if opinions.read_only or not author:
        return
    with st.container(horizontal=True):
        if opinions.judgements.can_undo(author):
            st.button("Undo", key="undo", on_click=_take_back, args=(opinions, author))
        if opinions.judgements.can_redo(author):
            st.button("Redo", key="redo", on_click=_bring_back, args=(opinions, author))


def _take_back(opinions: Opinions, author: str) -> None:
    stay()
    undone = opinions.judgements.undo(author=author)
    if undone is not None:
        st.toast(plain(f"Undone: {judgement_words(undone)}"))


def _bring_back(opinions: Opinions, author: str) -> None:
    stay()
    again = opinions.judgements.redo(author=author)
    if again is not None:
        st.toast(plain(f"Redone: {judgement_words(again)}"))
