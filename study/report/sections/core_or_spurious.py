"""Of studies about core and spurious features: what people decided, how far they agree, how sure they are, and why."""

from __future__ import annotations

import pandas as pd

from barlow_core.vega import BLUE, GREEN, GREY, ORANGE
from barlow_core.wording import count
from study.analysis import Analysis
from study.analysis.core_or_spurious import Judgements
from study.core_or_spurious import CONFIRMED, CORE, OPEN, PART, REJECTED, SAME, SPURIOUS, TIE, VERDICTS
from study.report import charts
from study.report.elements import Figure, Number, Section, Table
from study.report.sections.base import as_text, attributes_to_show, figure, merged, rows_of, table
from study.report.sections.reliability import FORMULA, OVER_ITEMS
from study.report.style import label, scale
from study.report.wording import (
    MISSING,
    TWO_WAY,
    decimal,
    how,
    interval,
    is_missing,
    level,
    listed,
    nothing,
    sentence,
    share,
)

TITLES = {PART: "Core or spurious", SAME: "The marks on further images"}
COLOURS = {CORE: BLUE, SPURIOUS: ORANGE, CONFIRMED: GREEN, REJECTED: ORANGE, TIE: "#7a5195", OPEN: GREY}
RULE = {
    PART: "core: a majority of the answers that an item wants says that the bright regions show a part of the main object; spurious: a majority says "
    "background or separate object; tie: all answers are there and neither has a majority; open: answers that are still to come can decide",
    SAME: "confirmed: a majority of the answers that an item wants says that the map shows the same thing on further images; rejected: a majority says "
    "something else; tie: all answers are there and neither has a majority; open: answers that are still to come can decide",
}
PACKAGES = ("numpy", "scipy", "pandas")


def make(analysis: Analysis) -> Section:
    """The verdicts of all features, and what they rest on."""
    found = analysis.judgements
    assert found is not None
    return Section(
        id="core_or_spurious",
        title=TITLES[found.question],
        lead=_lead(analysis, found),
        text=_text(analysis, found),
        numbers=_numbers(analysis, found),
        figures=(_by_class(analysis, found), _confidence(analysis, found)),
        tables=(
            _verdicts(analysis, found),
            *((_by_mark(analysis, found),) if "mark" in found.items else ()),
            _agreement(analysis, found),
            _confidence_table(analysis, found),
            _reasons(analysis, found),
        ),
        notes=_notes(analysis, found),
        banner=analysis.banner,
    )


def _counts(found: Judgements) -> dict[str, int]:
    counted = found.items["verdict"].value_counts()
    return {verdict: int(counted.get(verdict, 0)) for verdict in (*VERDICTS[found.question], TIE, OPEN)}


def _lead(analysis: Analysis, found: Judgements) -> str:
    n = len(found.items)
    if not n:
        return sentence(nothing(analysis, "anything about what is highlighted"))
    counts = _counts(found)
    parts = [f"{counts[verdict]:,} {_is(counts[verdict], verdict)}" for verdict in VERDICTS[found.question]]
    if counts[TIE]:
        parts.append(f"{counts[TIE]:,} {'is a tie' if counts[TIE] == 1 else 'are ties'}")
    if counts[OPEN]:
        parts.append(f"{counts[OPEN]:,} {'is' if counts[OPEN] == 1 else 'are'} still open")
    return f"Of {count(n, 'feature')}, {listed(parts)}, by the majority of the answers."


def _is(n: int, verdict: str) -> str:
    return f"{'is' if n == 1 else 'are'} {verdict}"


def _text(analysis: Analysis, found: Judgements) -> tuple[str, ...]:
    if found.items.empty:
        return ()
    said = []
    for row in rows_of(found.shares):
        if row.verdict in VERDICTS[found.question]:
            ends = interval(row.low, row.high, analysis.options.confidence, as_share=True, n=int(row.n))
            said.append(f"{share(row.share, int(row.n))} ({ends}) {row.verdict}")
    parts = [f"Of {count(len(found.items), 'feature')}, {listed(said)}, by the majority of the answers ({analysis.n_text})."]
    parts += [
        f"Krippendorff's alpha of {_what(row.question)} is {decimal(row.value)}"
        + (f" ({ends})." if (ends := interval(row.low, row.high, analysis.options.confidence)) else ".")
        for row in rows_of(found.alphas)
        if not is_missing(row.value) and row.question != "confidence"
    ]
    everybody = found.confidence[found.confidence["answer"] == "all"].iloc[0]
    if not is_missing(everybody["value"]):
        ends = interval(everybody["low"], everybody["high"], analysis.options.confidence)
        parts.append(
            f"Workers said how sure they are: {decimal(everybody['value'])} of 5 on average{f' ({ends})' if ends else ''}."
        )
    return (" ".join(parts),)


def _what(question: str) -> str:
    return {
        PART: "what is highlighted",
        "verdict": "core or spurious",
        SAME: "whether it is the same",
        "confidence": "confidence",
    }[question]


def _numbers(analysis: Analysis, found: Judgements) -> tuple[Number, ...]:
    numbers = [
        Number(
            label(row.verdict),
            f"{row.count:,}",
            interval(row.low, row.high, analysis.options.confidence, as_share=True, n=int(row.n)),
            f"of {count(int(row.n), 'feature')}, {share(row.share, int(row.n))}" if row.n else "",
            RULE[found.question].split("; ")[place].partition(": ")[2],
        )
        for place, row in enumerate(rows_of(found.shares))
    ]
    alphas = [
        Number(
            f"Alpha, {_what(row.question)}",
            decimal(row.value),
            interval(row.low, row.high, row.confidence),
            f"{count(int(row.n_paired), 'answer')} about {count(int(row.n_items), 'feature')}",
            f"Krippendorff's alpha, {row.measurement}: 0 is what chance would give, 1 is perfect agreement.",
        )
        for row in rows_of(found.alphas)
    ]
    return (*numbers, *alphas)


def _notes(analysis: Analysis, found: Judgements) -> tuple[str, ...]:
    notes = []
    if n := _counts(found)[OPEN]:
        notes.append(f"{count(n, 'feature has', 'features have')} too few answers to be decided; none of them is marked.")
    unanswered = len(analysis.data.items) - len(found.items)
    if unanswered > 0:
        notes.append(f"{count(unanswered, 'feature has', 'features have')} no answer and no verdict.")
    if found.question == SAME:
        notes.append(
            "A feature that is not confirmed is not marked in the run: its map shows something else on other images of the class."
        )
    notes += [f"Alpha of {_what(row.question)}: {row.reason}." for row in rows_of(found.alphas) if not is_missing(row.reason)]
    return tuple(notes)


def _how(analysis: Analysis, found: Judgements) -> str:
    ends = f"{level(analysis.options.confidence)}, Wilson's over features"
    return how(analysis, RULE[found.question], extra=[("Interval of shares", ends)], packages=PACKAGES)


def _by_class(analysis: Analysis, found: Judgements) -> Figure:
    name = next((one for one in ("group", "class_name") if one in found.items), None)
    classes = found.items[name].astype(object) if name else pd.Series("all features", index=found.items.index)
    counted = found.items.assign(label=classes.fillna("not known")).groupby(["label", "verdict"], sort=False).size()
    drawn = counted.rename("n").reset_index()
    drawn = drawn.assign(verdict=drawn["verdict"].map(label)).sort_values("label", kind="stable", ignore_index=True)
    colours = {verdict: COLOURS[verdict] for verdict in (*VERDICTS[found.question], TIE, OPEN) if _counts(found)[verdict]}
    reason = None if len(drawn) else nothing(analysis)
    return figure(
        analysis,
        id="verdicts_by_class",
        title=f"{TITLES[found.question]}, by group",
        caption=f"Features of each group. {sentence(RULE[found.question])}",
        computed=_how(analysis, found),
        text=_lead(analysis, found),
        data=drawn,
        content=None if reason else charts.stacked(drawn, x_title="Features", colours=scale(colours), colour="verdict"),
        reason=reason,
    )


def _confidence(analysis: Analysis, found: Judgements) -> Figure:
    rows = found.confidence
    drawn = rows[rows["value"].notna()].assign(label=[_answer(one) for one in rows.loc[rows["value"].notna(), "answer"]])
    drawn = drawn[["label", "value", "low", "high", "n"]].astype(dict.fromkeys(("value", "low", "high"), "float64"))
    reason = None if len(drawn) else nothing(analysis, "a rating of confidence")
    return figure(
        analysis,
        id="confidence_by_answer",
        title="How sure people are, by what they answered",
        caption=f"Mean of the ratings from 1 (not at all) to 5 (very), with {level(analysis.options.confidence)} intervals.",
        computed=_confidence_how(analysis),
        text="",
        data=drawn,
        content=None if reason else charts.intervals(drawn, x_title="Mean confidence", domain=(1, 5)),
        reason=reason,
    )


def _answer(value: str) -> str:
    return "All answers" if value == "all" else label(value)


def _confidence_how(analysis: Analysis) -> str:
    return how(analysis, "mean over answers", intervals=TWO_WAY, packages=PACKAGES)


def _verdicts(analysis: Analysis, found: Judgements) -> Table:
    rows = found.items.reset_index()
    names = [name for name in ("grouping", "class_name", "tier", "feature") if name in rows]
    shown = rows.assign(
        verdict=rows["verdict"].map(label),
        **({"mark": rows["mark"].map(label)} if "mark" in rows else {}),
        support=[f"{row.support:,} of {row.n:,}" for row in rows_of(rows)],
        most=[", ".join(map(label, one)) for one in rows["most"]],
    )
    columns = ["item", *attributes_to_show(rows, names), *(["mark"] if "mark" in rows else []), "verdict", "support", "most"]
    return table(
        analysis,
        rows,
        id="verdicts",
        title="Features and their verdicts",
        caption=f"{sentence(RULE[found.question])} Support: answers for the verdict, or for the side with more. Most: the answer given most often, "
        "or those that were given equally often.",
        computed=_how(analysis, found),
        shown=as_text(shown[[*columns, *found.answers_of, "confidence"]], feature="whole").rename(
            columns={value: label(value) for value in found.answers_of}
        ),
        items_column="item",
        pictures=analysis.study.has_pictures,
        reason=None if len(rows) else nothing(analysis),
    )


def _by_mark(analysis: Analysis, found: Judgements) -> Table:
    """What became of the marks of the first round."""
    counted = pd.crosstab(found.items["mark"], found.items["verdict"])
    counted = counted.reindex(columns=[*VERDICTS[SAME], TIE, OPEN], fill_value=0).rename_axis(columns=None)
    counted.insert(0, "features", counted.sum(axis=1))
    rows = counted.reset_index()
    return table(
        analysis,
        rows,
        id="marks_confirmed",
        title="What became of the marks",
        caption="Features that the first round marked, by what the second one decided.",
        computed=_how(analysis, found),
        shown=as_text(rows, mark="label"),
        reason=None if len(rows) else nothing(analysis),
    )


def _agreement(analysis: Analysis, found: Judgements) -> Table:
    rows = found.alphas.drop(columns="confidence").rename(columns={"value": "alpha"})
    return table(
        analysis,
        rows,
        id="alphas_of_verdicts",
        title="Agreement between workers",
        caption="Krippendorff's alpha. Answers: those about features with two answers or more, which are all that alpha looks at, of all.",
        computed=how(
            analysis,
            FORMULA.replace("ease and confidence", "confidence").replace("preferences", "choices"),
            extra=[("Interval", f"{level(analysis.options.confidence)}, {OVER_ITEMS}")],
            packages=("krippendorff", *PACKAGES),
        ),
        shown=pd.DataFrame(
            {
                "of": [_what(one)[:1].upper() + _what(one)[1:] for one in rows["question"]],
                "distance": rows["measurement"],
                "alpha [interval]": merged(rows, "alpha", "low", "high", digits=3),
                "answers": [f"{row.n_paired:,} of {row.n:,}" for row in rows_of(rows)],
                "features": [f"{n:,}" for n in rows["n_items"]],
                "workers": [f"{n:,}" for n in rows["n_workers"]],
                "note": [MISSING if is_missing(one) else str(one) for one in rows["reason"]],
            }
        ),
    )


def _confidence_table(analysis: Analysis, found: Judgements) -> Table:
    rows = found.confidence.drop(columns="confidence")
    return table(
        analysis,
        rows,
        id="confidence_by_answer_table",
        title="Confidence",
        caption="Mean confidence of those who gave each answer, on a scale from 1 to 5.",
        computed=_confidence_how(analysis),
        shown=pd.DataFrame(
            {
                "answer": rows["answer"].map(_answer),
                "confidence [interval]": merged(rows, "value", "low", "high"),
                "answers": [f"{n:,}" for n in rows["n"]],
                "note": [MISSING if is_missing(one) else str(one) for one in rows["reason"]],
            }
        ),
        reason=None if rows["value"].notna().any() else nothing(analysis, "a rating of confidence"),
    )


def _reasons(analysis: Analysis, found: Judgements) -> Table:
    rows = found.reasons
    return table(
        analysis,
        rows,
        id="reasons",
        title="Reasons",
        caption="What people wrote, exactly as they typed it; those about a feature together, in the order of the answers.",
        shown=as_text(rows, confidence="whole", **{found.question: "label"}),
        items_column="item",
        reason=None if len(rows) else nothing(analysis, "a reason"),
    )
