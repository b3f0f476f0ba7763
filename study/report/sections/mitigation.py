"""Interviews, second part: what participants would do about the failures, how coders read it, and what they think of the method."""

from __future__ import annotations

import pandas as pd

from barlow_core.wording import count
from study.analysis import Analysis
from study.analysis.interviews import Interviews
from study.protocol import LEVELS
from study.report import charts
from study.report.elements import Figure, Number, Section, Table
from study.report.sections.base import figure, merged, records_of, rows_of, table
from study.report.sections.practitioners import NOBODY, computed, with_names, within
from study.report.wording import MISSING, decimal, how, interval, is_missing, level, listed, share
from study.statistics import interviews as counts
from study.store.interviews.opinions import LAST_TOGETHER, TOGETHER

TITLE = "Interviews: what practitioners would do"
CODED = {"actions": "what to do", "difficulties": "what makes features hard to describe"}


def make(analysis: Analysis) -> Section:
    """Figures 10 and 11, and the agreement of coders."""
    found = analysis.interviews
    assert found is not None
    actions = counts.actions(found.tables, analysis.options.confidence)
    opinions = counts.statements(found.tables, analysis.options.confidence)
    return Section(
        id="mitigation",
        title=TITLE,
        lead=_lead(actions),
        text=_text(analysis, actions, opinions, found),
        numbers=_numbers(analysis, opinions),
        figures=(_actions_figure(analysis, found, actions), _opinions_figure(analysis, found, opinions)),
        tables=(
            _actions_table(analysis, found, actions),
            _texts_table(analysis, found),
            _opinions_table(analysis, found, opinions),
            *(_coders_table(analysis, found, what) for what in CODED),
        ),
        notes=_notes(found),
        banner=found.banner,
    )


def _lead(actions: pd.DataFrame) -> str:
    of = int(actions["of"].max()) if len(actions) else 0
    if not of:
        return "Nobody has said yet what they would do about the failures."
    most = actions["n"].max()
    first = [row.label for row in rows_of(actions[actions["n"] == most])]
    return f"Named most often: {listed([within(one) for one in first])} ({most} of {count(of, 'participant')})."


def _text(analysis: Analysis, actions: pd.DataFrame, opinions: pd.DataFrame, found: Interviews) -> tuple[str, ...]:
    parts = []
    of = int(actions["of"].max()) if len(actions) else 0
    if of:
        named = [
            f"{within(row.label)} ({row.n} of {row.of})"
            for row in rows_of(actions.sort_values("n", ascending=False, kind="stable"))
            if row.n
        ]
        parts.append(f"Asked what they would do about the errors, participants named {listed(named)}.")
    answered = opinions[opinions["n"] > 0]
    if len(answered):
        agree = [f"“{row.label}” ({row.agree} of {row.n})" for row in rows_of(answered)]
        parts.append(
            f"In the closing survey, which was answered in private, participants agreed or strongly agreed: {listed(agree)}."
        )
    return (" ".join(parts),) if parts else ()


def _numbers(analysis: Analysis, opinions: pd.DataFrame) -> tuple[Number, ...]:
    return tuple(
        Number(
            str(row.label).rstrip("."),
            share(row.share, row.n),
            interval(row.low, row.high, analysis.options.confidence, as_share=True, n=row.n),
            f"{row.agree} of {row.n} agree",
            "Participants who agree or strongly agree.",
        )
        for row in rows_of(opinions)
        if row.n
    )


def _notes(found: Interviews) -> tuple[str, ...]:
    notes = []
    waiting = found.tables.n_waiting
    if waiting:
        notes.append(
            f"{count(waiting, 'closing survey is', 'closing surveys are')} not in these sums yet. Answers count together with those of others, {TOGETHER} at a "
            f"time (the last ones {LAST_TOGETHER}), so that nobody's own can be told."
        )
    if found.mixed:
        notes.append("The closing survey is left out: its sums hold people and simulated participants, and no answer has a name.")
    return tuple(notes)


def _actions_figure(analysis: Analysis, found: Interviews, actions: pd.DataFrame) -> Figure:
    drawn = actions.rename(columns={"share": "value"})[["label", "n", "of", "answers", "value", "low", "high"]]
    reason = None if len(actions) and int(actions["of"].max()) else NOBODY
    return figure(
        found,
        id="action_items",
        title="What participants would do about the failures",
        paper="Figure 10",
        caption=f"Share of participants who named it for at least one grouping, with {level(analysis.options.confidence)} intervals; several may be named.",
        computed=computed(analysis, found, "participants who named a kind of action / participants who answered question 3"),
        text="",
        data=drawn,
        content=None
        if reason
        else charts.intervals(drawn, x_title="Share of participants", bars=True, as_share=True, domain=(0, 1)),
        reason=reason,
    )


def _actions_table(analysis: Analysis, found: Interviews, actions: pd.DataFrame) -> Table:
    return table(
        found,
        actions.drop(columns="kind"),
        id="action_items_table",
        title="Action items by kind",
        caption="As participants chose them; their own words are below.",
        computed=computed(analysis, found, "as in the figure"),
        shown=pd.DataFrame(
            {
                "action": actions["label"],
                "participants": [with_names(row.n, row.participants) for row in rows_of(actions)],
                "share [interval]": merged(actions, "share", "low", "high", share_of="of"),
                "groupings": [f"{n:,}" for n in actions["answers"]],
            }
        ),
        reason=None if len(actions) and int(actions["of"].max()) else NOBODY,
    )


def _texts_table(analysis: Analysis, found: Interviews) -> Table:
    labels = found.tables.protocol.choices("actions")
    rows = [
        [row["participant"], row["grouping"], [labels.get(one, one) for one in row["actions"]], row["text"]]
        for row in records_of(found.tables.actions)
    ]
    data = pd.DataFrame(rows, columns=["participant", "grouping", "actions", "text"])
    return table(
        found,
        data,
        id="action_items_in_words",
        title="Action items in participants' words",
        caption="Question 3, grouping by grouping.",
        computed=computed(analysis, found, "answers as they were given", exact=False),
        shown=data.assign(
            actions=["; ".join(one) or MISSING for one in data["actions"]],
            text=[MISSING if is_missing(one) or not one else str(one) for one in data["text"]],
        ),
        reason=None if len(data) else NOBODY,
    )


def _opinions_figure(analysis: Analysis, found: Interviews, opinions: pd.DataFrame) -> Figure:
    rows = []
    for row in records_of(opinions[opinions["n"] > 0]):
        shares = [row[f"level_{place}"] / row["n"] for place in range(1, len(LEVELS) + 1)]
        left = -(shares[0] + shares[1] + shares[2] / 2)
        for place, value in enumerate(shares, 1):
            rows.append(
                {
                    "question": "",
                    "label": row["label"],
                    "level": place,
                    "left": left,
                    "right": left + value,
                    "share": value,
                    "count": row[f"level_{place}"],
                    "n": row["n"],
                }
            )
            left += value
    drawn = pd.DataFrame(rows, columns=["question", "label", "level", "left", "right", "share", "count", "n"])
    reason = None if len(drawn) else _no_survey(found)
    return figure(
        found,
        id="agreement_with_statements",
        title="Agreement with statements, answered in private",
        paper="Figure 11",
        subtitle=count(found.tables.n_opinions, "closing survey"),
        caption="From 1, strongly disagree, to 5, strongly agree; the middle level lies on both sides of the line.",
        computed=computed(analysis, found, "answers to the closing survey, in sums only", exact=False),
        text="",
        data=drawn.drop(columns="question"),
        content=None if reason else charts.levels(drawn.assign(question="Share of participants, %")),
        reason=reason,
    )


def _no_survey(found: Interviews) -> str:
    if found.tables.n_waiting:
        return f"the closing survey is shown from {TOGETHER} answers on"
    return "nobody's closing survey is counted"


def _opinions_table(analysis: Analysis, found: Interviews, opinions: pd.DataFrame) -> Table:
    return table(
        found,
        opinions,
        id="agreement_with_statements_table",
        title="Agreement by statement",
        caption="How many chose each level, and the share that agrees (4 or 5).",
        computed=computed(analysis, found, "answers of 4 or 5 / answers"),
        shown=pd.DataFrame(
            {
                "statement": opinions["label"],
                **{f"{place}": opinions[f"level_{place}"].astype(str) for place in range(1, len(LEVELS) + 1)},
                "agree [interval]": merged(opinions, "share", "low", "high", share_of="n"),
            }
        ),
        reason=None if int(opinions["n"].max()) else _no_survey(found),
    )


def _coders_table(analysis: Analysis, found: Interviews, what: str) -> Table:
    names, data = counts.agreement_of_coders(found.tables, what, analysis.options.confidence)
    labels = {"all": "All codes together", **found.tables.protocol.choices(what)}
    shown = pd.DataFrame(
        {
            "code": [labels.get(code, code) for code in data["code"]],
            "kappa [interval]": merged(data, "kappa", "low", "high"),
            "same decisions": [
                f"{row.agree} of {row.texts * (len(data) - 1) if row.code == 'all' else row.texts}" for row in rows_of(data)
            ],
            "note": [MISSING if is_missing(one) else str(one) for one in data["reason"]],
        }
    )
    texts = int(data["texts"].iloc[0]) if len(data) else 0
    pooled = decimal(data["kappa"].iloc[0]) if len(data) else MISSING
    formula = "Cohen's kappa, (observed − chance agreement) / (1 − chance agreement); chance agreement of each code from both coders' shares"
    return table(
        found,
        data,
        id=f"coders_{what}",
        title=f"Two coders of {CODED[what]}",
        caption=f"{' and '.join(names)}: {count(texts, 'text')} coded by both; kappa of all codes together {pooled}."
        if names
        else "Two people code the free texts on their own: on the interviewer's page, or by barlow study interview code.",
        computed=how(
            analysis,
            formula,
            n=found.n_text,
            extra=[
                (
                    "Interval",
                    f"{level(analysis.options.confidence)}; a code: large-sample (statsmodels); all: jackknife over texts",
                )
            ],
            packages=("statsmodels", "scipy"),
            of_study=False,
        ),
        shown=shown,
        reason=None if names else "fewer than two people have coded these texts",
    )
