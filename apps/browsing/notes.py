"""Everything that was recorded about features, as a table; a ticked row goes to where it was said."""

from __future__ import annotations

import streamlit as st
from shared.html import plain

from barlow_core.run import Run
from barlow_core.wording import count
from browsing.judgements import Opinions, show_undo
from browsing.run_place import go


def show_notes(run: Run, opinions: Opinions) -> None:
    """The page, from top to bottom."""
    table = opinions.judgements.table()
    lead = (
        f"{count(len(table), 'judgement')}, the newest first. Select a row to go to where it was recorded." if len(table) else ""
    )
    st.html(f'<h2 class="bw-h2">Notes about features</h2><p class="bw-lead">{lead}</p>')
    if opinions.crowd.problem is not None:
        st.warning(plain(f"What people said of features cannot be read: {opinions.crowd.problem}"))
    show_undo(opinions)
    if table.empty:
        st.info("Nothing is recorded yet. Open a group, look at a feature, and record what you think of it.")
    else:
        table = table.sort_values("number", ascending=False, ignore_index=True)

        def open_ticked() -> None:
            rows = st.session_state["notes"]["selection"]["rows"]
            group = table["group"].iloc[rows[0]] if rows else None
            if isinstance(group, str):
                grouping, _, name = group.partition(":")
                go(page="group", grouping=grouping, name=name, feature=int(table["feature"].iloc[rows[0]]))

        st.dataframe(
            table,
            column_order=["at", "author", "feature", "group", "rule", "name", "verdict", "action", "comment", "current"],
            column_config={
                "at": st.column_config.DatetimeColumn("When (UTC)", format="YYYY-MM-DD HH:mm"),
                "author": "Author",
                "feature": "Feature",
                "group": "Group",
                "rule": "Rule",
                "name": "Name",
                "verdict": "Verdict",
                "action": "To do",
                "comment": "Comment",
                "current": st.column_config.CheckboxColumn("Current features"),
            },
            hide_index=True,
            placeholder="–",
            on_select=open_ticked,
            selection_mode="single-row",
            key="notes",
            alt="Judgements of features",
        )
    _history(opinions)
    _crowd(opinions)


def _history(opinions: Opinions) -> None:
    history = opinions.judgements.history()
    if history["undone"].any():
        with st.expander("Everything that was recorded, including what was undone"):
            st.dataframe(history, hide_index=True, alt="History of judgements")


def _crowd(opinions: Opinions) -> None:
    _marks(opinions)
    names = opinions.crowd.names
    if not names:
        return
    st.html(
        '<h2 class="bw-h2">Names given by people</h2><p class="bw-lead">From the study of this run, and from names.csv files that analysts added.</p>'
    )
    if any(name.simulated for name in names.values()):
        st.warning("Some of these names come from simulated answers: no person gave them.")
    st.dataframe(
        [
            {
                "Group": group,
                "Feature": feature,
                "Name": name.name,
                "Agree": name.support,
                "Of": name.n,
                "Simulated": name.simulated,
            }
            for (group, feature), name in names.items()
        ],
        hide_index=True,
        alt="Names that crowd workers gave to features",
    )


def _marks(opinions: Opinions) -> None:
    marks = opinions.crowd.marks
    if not marks:
        return
    st.html(
        '<h2 class="bw-h2">Core or spurious, by people</h2><p class="bw-lead">From a study that asked what each feature looks at; '
        "<code>barlow rely</code> measures what models make of it.</p>"
    )
    if any(mark.simulated for mark in marks.values()):
        st.warning("Some of these marks come from simulated answers: no person gave them.")
    st.dataframe(
        [
            {
                "Group": group,
                "Feature": feature,
                "Mark": mark.mark,
                "Say so": mark.support,
                "Of": mark.n,
                "Confirmed by": mark.confirmed_by,
                "Of those asked again": mark.asked_again,
                "Simulated": mark.simulated,
            }
            for (group, feature), mark in marks.items()
        ],
        hide_index=True,
        alt="Features that crowd workers marked as core or spurious",
    )
