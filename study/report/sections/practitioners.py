"""Interviews, first part: who took part, what they could describe, what they called spurious, what they said."""

from __future__ import annotations

import pandas as pd

from barlow_core.vega import BLUE, GREY, ORANGE
from barlow_core.wording import count
from study.analysis import Analysis
from study.analysis.interviews import Interviews
from study.protocol import NECESSITY
from study.report import charts
from study.report.elements import Figure, Number, Section, Table
from study.report.sections.base import as_text, figure, merged, records_of, rows_of, table
from study.report.wording import MISSING, how, interval, is_missing, level, listed, share
from study.statistics import interviews as counts

TITLE = "Interviews: what practitioners saw"
PACKAGES = ("pandas", "scipy")
EXACT = "Clopper and Pearson's, over participants"
NOBODY = "nobody has answered this yet"


def make(analysis: Analysis) -> Section:
    """Tables 8 and 9, questions 1 and 2, quotes."""
    found = analysis.interviews
    assert found is not None
    described = counts.describability(found.tables, analysis.options.confidence)
    return Section(
        id="practitioners",
        title=TITLE,
        lead=_lead(found),
        text=_text(analysis, found, described),
        numbers=_numbers(analysis, described),
        figures=(_described_figure(analysis, found, described), _necessity_figure(analysis, found)),
        tables=(
            _roles(analysis, found),
            _first(analysis, found),
            _described_table(analysis, found, described),
            _difficulties(analysis, found),
            _features(analysis, found),
            _necessity_table(analysis, found),
            _quotes(analysis, found),
        ),
        notes=_notes(found),
        banner=found.banner,
    )


def computed(analysis: Analysis, found: Interviews, formula: str, *, exact: bool = True) -> str:
    """The fold of a figure or table about interviews."""
    extra = [("Interval", f"{level(analysis.options.confidence)}, {EXACT}")] if exact else []
    return how(analysis, formula, n=found.n_text, extra=extra, packages=PACKAGES, of_study=False)


def _lead(found: Interviews) -> str:
    if not found.n:
        invited = len(found.tables.participants)
        return f"Nobody has registered for an interview yet; {count(invited, 'person was', 'people were')} invited."
    quotes = len(found.tables.quotes)
    return f"{found.n_text}; {count(quotes, 'quote')}."


def _text(analysis: Analysis, found: Interviews, described: pd.DataFrame) -> tuple[str, ...]:
    if not found.n:
        return ()
    roles = counts.roles_and_experience(found.tables)
    said = [f"{row['n']} {row['label']!s}" for row in records_of(roles[(roles["what"] == "role") & (roles["n"] > 0)])]
    parts = [f"We interviewed {count(found.n, 'practitioner')} ({listed(said)})."]
    usual = {row["groupings"]: row for row in records_of(described[described["counts_as_described"] == "yes or partly"])}
    of = int(usual["both"]["of"])
    if of:
        both = usual["both"]
        ends = interval(both["low"], both["high"], analysis.options.confidence, as_share=True, n=of)
        parts.append(
            f"Of {count(of, 'participant')} who answered about both groupings, {both['n']} could describe the features of both "
            f"({share(both['share'], of)}, {ends}), {usual['one']['n']} of one, and {usual['none']['n']} of none."
        )
    hard = counts.difficulties(found.tables, analysis.options.confidence)
    named = [f"{within(row.label)} ({row.n} of {row.of})" for row in rows_of(hard[hard["n"] > 0])]
    if named:
        parts.append(f"What made features hard to describe: {listed(named)}.")
    return (" ".join(parts),)


def within(label: object) -> str:
    """What somebody chose, within a sentence: "collect more data"; an "I" stays large."""
    text = str(label)
    return text if text.startswith("I ") else text[:1].lower() + text[1:]


def _numbers(analysis: Analysis, described: pd.DataFrame) -> tuple[Number, ...]:
    usual = described[described["counts_as_described"] == "yes or partly"]
    return tuple(
        Number(
            f"Described {row.groupings}" if row.groupings == "both" else f"Described {row.groupings} of two",
            share(row.share, row.of),
            interval(row.low, row.high, analysis.options.confidence, as_share=True, n=row.of),
            f"{row.n} of {count(int(row.of), 'participant')}",
            "Participants who could describe, at least partly, all features of so many of their two groupings.",
        )
        for row in rows_of(usual)
        if row.of
    )


def _notes(found: Interviews) -> tuple[str, ...]:
    rule = found.tables.protocol.easy_rule
    return (f"The first grouping is one of the easy set. {rule}",) if rule else ()


def _roles(analysis: Analysis, found: Interviews) -> Table:
    data = counts.roles_and_experience(found.tables)
    return table(
        found,
        data.drop(columns="value"),
        id="roles_and_experience",
        title="Roles and experience",
        paper="Table 8",
        caption="Participants who have registered.",
        computed=computed(analysis, found, "counts of what participants said at registration", exact=False),
        shown=pd.DataFrame(
            {
                "": data["what"].map({"role": "Role", "experience": "Experience in ML"}),
                "value": data["label"],
                "participants": [with_names(row.n, row.participants) for row in rows_of(data)],
            }
        ),
    )


def with_names(n: int, names: list[str]) -> str:
    """As the paper prints it: "2 [P9, P12]"."""
    return f"{n} [{', '.join(names)}]" if names else f"{n}"


def _first(analysis: Analysis, found: Interviews) -> Table:
    data = counts.first_groupings(found.tables)
    return table(
        found,
        data,
        id="first_groupings",
        title="First groupings",
        paper="Table 9",
        caption="The easy set with the error rate of each group, and who began with it.",
        computed=computed(analysis, found, "error rate: share of the group's images that the classifier gets wrong", exact=False),
        shown=pd.DataFrame(
            {
                "class": data["class_name"],
                "grouping": data["by"],
                "error": [share(value, 1000) for value in data["ber"]],
                "participants": [with_names(row.n, row.participants) for row in rows_of(data)],
            }
        ),
    )


def _described_figure(analysis: Analysis, found: Interviews, described: pd.DataFrame) -> Figure:
    drawn = described.rename(columns={"share": "value"}).assign(
        label=[f"{row.groupings}{'' if row.groupings == 'both' else ' of two'}" for row in rows_of(described)],
        series=[f"described: {words}" for words in described["counts_as_described"]],
    )
    data = drawn[["series", "label", "n", "of", "value", "low", "high"]]
    reason = None if int(described["of"].max() or 0) else NOBODY
    return figure(
        found,
        id="groupings_described",
        title="Groupings whose features participants could describe",
        caption=f"Share of participants with {level(analysis.options.confidence)} intervals. A grouping counts where all its features that were answered are described.",
        computed=computed(analysis, found, "participants by how many of their two groupings they described; question 1"),
        text="",
        data=data,
        content=None
        if reason
        else charts.intervals(
            data,
            x_title="Share of participants",
            as_share=True,
            domain=(0, 1),
            colours={"domain": [f"described: {w}" for w in ("yes or partly", "yes")], "range": [BLUE, ORANGE]},
        ),
        reason=reason,
    )


def _described_table(analysis: Analysis, found: Interviews, described: pd.DataFrame) -> Table:
    return table(
        found,
        described,
        id="groupings_described_table",
        title="Groupings described",
        caption="By what counts as described.",
        computed=computed(analysis, found, "as in the figure"),
        shown=pd.DataFrame(
            {
                "described": described["counts_as_described"],
                "groupings": described["groupings"],
                "participants": [with_names(row.n, row.participants) for row in rows_of(described)],
                "share [interval]": merged(described, "share", "low", "high", share_of="of"),
            }
        ),
        reason=None if int(described["of"].max() or 0) else NOBODY,
    )


def _difficulties(analysis: Analysis, found: Interviews) -> Table:
    data = counts.difficulties(found.tables, analysis.options.confidence)
    return table(
        found,
        data.drop(columns="kind"),
        id="difficulties",
        title="What made features hard to describe",
        caption="Participants who named it for at least one feature, of those who answered question 1.",
        computed=computed(analysis, found, "participants who named a difficulty / participants who answered"),
        shown=pd.DataFrame(
            {
                "difficulty": data["label"],
                "participants": [with_names(row.n, row.participants) for row in rows_of(data)],
                "share [interval]": merged(data, "share", "low", "high", share_of="of"),
                "answers": [f"{n:,}" for n in data["answers"]],
            }
        ),
        reason=None if len(data) and int(data["of"].max()) else NOBODY,
    )


def _features(analysis: Analysis, found: Interviews) -> Table:
    data = counts.answers_by_feature(found.tables)
    return table(
        found,
        data,
        id="descriptions_by_feature",
        title="Question 1, feature by feature",
        caption="Could they describe the images that the feature stands for, and in which words?",
        computed=computed(analysis, found, "answers as they were given", exact=False),
        shown=as_text(data),
        reason=None if len(data) else NOBODY,
    )


def _necessity_figure(analysis: Analysis, found: Interviews) -> Figure:
    data = counts.necessity(found.tables, analysis.options.confidence)
    long = [
        {"label": f"{row['grouping']}, feature {row['feature']}", "answer": name, "n": row[value], "of": row["n"]}
        for row in records_of(data)
        for value, name in NECESSITY
    ]
    drawn = pd.DataFrame(long, columns=["label", "answer", "n", "of"])
    colours = {"domain": [name for _, name in NECESSITY], "range": [BLUE, ORANGE, GREY]}
    reason = None if len(data) else NOBODY
    return figure(
        found,
        id="necessary_or_spurious",
        title="Necessary for the task, or a spurious correlation?",
        caption="Answers about each feature, by grouping.",
        computed=computed(analysis, found, "answers to question 2, counted", exact=False),
        text="",
        data=drawn,
        content=None if reason else charts.stacked(drawn, x_title="Participants", colours=colours, colour="answer"),
        reason=reason,
    )


def _necessity_table(analysis: Analysis, found: Interviews) -> Table:
    data = counts.necessity(found.tables, analysis.options.confidence)
    reasons: dict[tuple[str, int], list[str]] = {}
    for row in records_of(found.tables.features):
        if isinstance(row["reason"], str) and row["reason"]:
            reasons.setdefault((row["grouping"], int(row["feature"])), []).append(f"{row['participant']}: {row['reason']}")
    said = [reasons.get((row["grouping"], row["feature"]), []) for row in records_of(data)]
    whole = data.assign(reasons=pd.Series(said, index=data.index, dtype=object))
    shown = pd.DataFrame(
        {
            "grouping": data["grouping"],
            "feature": data["feature"].astype(str),
            "necessary": data["necessary"].astype(str),
            "spurious": data["spurious"].astype(str),
            "cannot tell": data["unsure"].astype(str),
            "share spurious [interval]": merged(data, "share", "low", "high", share_of="n"),
            "reasons": ["; ".join(one) or MISSING for one in said],
        }
    )
    return table(
        found,
        whole,
        id="necessary_or_spurious_table",
        title="Question 2, feature by feature",
        caption="With the reasons that participants gave.",
        computed=computed(analysis, found, "answers to question 2, counted"),
        shown=shown,
        reason=None if len(data) else NOBODY,
    )


def _quotes(analysis: Analysis, found: Interviews) -> Table:
    data = counts.quotes(found.tables)
    shown = pd.DataFrame(
        {
            "theme": data["theme"],
            "quote": data["text"],
            "participant": data["participant"],
            "minute": [f"{value:.1f}" for value in data["minute"]],
            "grouping": [MISSING if is_missing(value) else str(value) for value in data["grouping"]],
        }
    )
    return table(
        found,
        data,
        id="quotes",
        title="Quotes by theme",
        caption="With the minute of the session.",
        computed=computed(analysis, found, "as they were noted", exact=False),
        shown=shown,
        reason=None if len(data) else "no quote was noted yet",
    )
