"""Section 2: how easy it was to understand the features, and how confident people were (Figure 9a)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from barlow_core.wording import count
from study.analysis import Analysis
from study.answers.table import RATINGS
from study.report import charts
from study.report.elements import Figure, Number, Section, Table
from study.report.sections.base import figure, merged, rows_of, table
from study.report.style import QUESTION_COLOURS, label, scale
from study.report.wording import (
    MISSING,
    TWO_WAY,
    because,
    decimal,
    estimate_n,
    how,
    inline,
    interval,
    is_missing,
    listed,
    nothing,
    sentence,
    share,
    with_interval,
)
from study.statistics.estimates import Estimate

TITLE = "Ease and confidence"
PACKAGES = ("numpy", "scipy", "pandas")


def make(analysis: Analysis) -> Section:
    """Questions 3 and 4: averages, how many features are easy, levels by grouping and tier."""
    both = analysis.above[RATINGS]
    means = {question: _mean(analysis, question) for question in RATINGS}
    threshold = f"{analysis.options.threshold:g}"
    asked = [question for question in RATINGS if analysis.above[question,].n_items]
    lead = sentence(nothing(analysis, "a rating"))
    if not both.n_items and asked:
        parts = [_above_of(analysis, question) for question in asked]
        lead = sentence(f"{listed(parts)} above {threshold}; no answer rates both ease and confidence")
    if both.n_items:
        lead = (
            f"{both.count:,} of {count(both.n_items, 'feature')} ({share(both.share.value, both.n_items)}) {'was' if 1 in (both.count, both.n_items) else 'were'} described with ease and with "
            f"confidence: among answers that rate both, both averages are above {threshold}."
        )
    return Section(
        id="likert",
        title=TITLE,
        lead=lead,
        text=_text(analysis, means),
        numbers=_numbers(analysis, means),
        figures=(_distribution(analysis), _levels(analysis)),
        tables=(_averages(analysis), _above(analysis)),
        notes=tuple(
            f"Mean {question}: {because(analysis, estimate.reason, f'a rating of {question}')}."
            for question, estimate in means.items()
            if estimate.reason
        ),
        banner=analysis.banner,
    )


def _above_of(analysis: Analysis, question: str) -> str:
    """ "6 of 10 features (60.0 %) have an average ease", to go on with "above 3"."""
    one = analysis.above[question,]
    return f"{one.count:,} of {count(one.n_items, 'feature')} ({share(one.share.value, one.n_items)}) {'has' if 1 in (one.count, one.n_items) else 'have'} an average {question}"


def _mean(analysis: Analysis, question: str) -> Estimate:
    rows = analysis.averages
    row = rows[(rows["question"] == question) & (rows["part"] == "all")].iloc[0]
    kept = {name: None if pd.isna(row[name]) else row[name] for name in ("value", "low", "high", "reason")}
    return Estimate(
        n=int(row["n"]), n_items=int(row["n_items"]), n_workers=int(row["n_workers"]), confidence=float(row["confidence"]), **kept
    )


def _text(analysis: Analysis, means: dict[str, Estimate]) -> tuple[str, ...]:
    both = analysis.above[RATINGS]
    if not both.n_items:
        means = {question: estimate for question, estimate in means.items() if estimate.value is not None}
        return tuple(
            f"Workers rated {question} at {with_interval(estimate)} on average, on a scale from 1 to 5 ({estimate_n(estimate)})."
            for question, estimate in means.items()
        )
    threshold = f"{analysis.options.threshold:g}"
    parts = [
        f"Workers rated the ease of understanding at {with_interval(means['ease'])} and their confidence at {with_interval(means['confidence'])} on average, on a "
        f"scale from 1 to 5 ({_n_of(means)}).",
        f"Among answers that rate both, both averages were above {threshold} for {both.count:,} of {count(both.n_items, 'feature')}: "
        f"{with_interval(both.share, as_share=True, n=both.n_items)}.",
    ]
    for question in RATINGS:
        one = analysis.above[question,]
        parts.append(
            f"The average {question} was above {threshold} for {one.count:,} of {count(one.n_items, 'feature')} "
            f"({inline(one.share, as_share=True, n=one.n_items)})."
        )
    return (" ".join(parts),)


def _n_of(means: dict[str, Estimate]) -> str:
    """What both means rest on, told once where it is the same."""
    texts = {question: estimate_n(estimate) for question, estimate in means.items()}
    same = len(set(texts.values())) == 1
    return texts["ease"] if same else "; ".join(f"{question}: {text}" for question, text in texts.items())


def _numbers(analysis: Analysis, means: dict[str, Estimate]) -> tuple[Number, ...]:
    numbers = [
        Number(
            f"Mean {question}",
            decimal(estimate.value),
            interval(estimate.low, estimate.high, estimate.confidence),
            estimate_n(estimate),
            f"Question {3 + place}, from 1 to 5, over answers.",
        )
        for place, (question, estimate) in enumerate(means.items())
    ]
    for kind, above in analysis.above.items():
        name = "Easy and confident" if len(kind) > 1 else f"{label(kind[0])} above {analysis.options.threshold:g}"
        numbers.append(
            Number(
                name,
                share(above.share.value, above.n_items),
                interval(above.share.low, above.share.high, above.share.confidence, as_share=True, n=above.n_items),
                f"{above.count:,} of {count(above.n_items, 'feature')}",
                f"Features whose average {' and '.join(kind)} is above {analysis.options.threshold:g}.",
            )
        )
    return tuple(numbers)


def _distribution(analysis: Analysis) -> Figure:
    parts = []
    for question in RATINGS:
        averages = analysis.item_averages[question].sort_values("average", kind="stable")
        n = len(averages)
        parts.append(
            pd.DataFrame(
                {
                    "series": label(question),
                    "item": averages.index,
                    "average": averages["average"].to_numpy(),
                    "answers": averages["n"].to_numpy(),
                    "share": np.arange(1, n + 1) / max(n, 1),
                }
            )
        )
    points = pd.concat(parts, ignore_index=True)
    threshold = analysis.options.threshold
    rated = {question: len(averages) for question, averages in analysis.item_averages.items() if len(averages)}
    text = ""
    if rated:
        over = listed([f"{question} over {count(n, 'feature')}" for question, n in rated.items()])
        text = f"Cumulative distribution of the average {over}. {listed([_above_of(analysis, question) for question in rated])} above {threshold:g}."
    return figure(
        analysis,
        id="ease_and_confidence",
        paper="Figure 9a",
        title="Average ease and confidence of features",
        caption=f"Each point is a feature: its average rating, and the share of features at or below it. The dashed line marks {threshold:g}."
        + charts.thinning_text(len(points), len(charts.thinned(points, "series"))),
        computed=how(
            analysis,
            "for each item the mean rating of its workers; for each value x the share of items with a mean of at most x. A missing rating counts nowhere",
            n="; ".join(f"{question}: {count(n, 'item')}" for question, n in rated.items()),
            packages=PACKAGES,
        ),
        text=text,
        data=points,
        content=None
        if points.empty
        else charts.staircase(
            points,
            x="average",
            x_title="Average of the feature (1 to 5)",
            colours=scale(label_colours()),
            threshold=threshold,
            domain=(1, 5),
        ),
        reason=nothing(analysis, "a rating") if points.empty else None,
        opens="item",
    )


def label_colours() -> dict[str, str]:
    """Colours of the two questions by their names on figures."""
    return {label(question): colour for question, colour in QUESTION_COLOURS.items()}


def _levels(analysis: Analysis) -> Figure:
    counted = analysis.levels
    rows = counted[counted["n"] > 0].copy()
    rows["question"] = rows["question"].map(label)
    rows["label"] = [_bar(row.value_of, row.n) for row in rows_of(rows)]
    rows = rows.astype(dict.fromkeys(("share", "left", "right"), float))
    return figure(
        analysis,
        id="levels",
        title="Answers at each level of the scale",
        caption="Share of answers at each level, stacked so that the middle of level 3 lies at zero: what reaches to the right is easy, or confident.",
        computed=how(analysis, "share of answers at each level, of all answers to the question in the part", packages=PACKAGES),
        text=_levels_text(analysis),
        data=rows[["question", "part", "value_of", "level", "count", "n", "share"]],
        content=None
        if rows.empty
        else charts.levels(rows[["question", "label", "level", "left", "right", "share", "count", "n"]]),
        reason=nothing(analysis, "a rating") if rows.empty else None,
    )


def _bar(value: str, n: int) -> str:
    return f"{label(value)} (n = {n:,})"


def _levels_text(analysis: Analysis) -> str:
    counted = analysis.levels
    sentences = []
    for question in RATINGS:
        rows = counted[(counted["question"] == question) & (counted["part"] == "all")]
        if rows["n"].max() > 0:
            high = float(rows.loc[rows["level"] > 3, "share"].sum())
            low = float(rows.loc[rows["level"] < 3, "share"].sum())
            n = int(rows["n"].max())
            sentences.append(
                f"{share(high, n)} of {count(n, 'rating')} of {question} {'is' if n == 1 else 'are'} above the middle of the scale, {share(low, n)} below it."
            )
    return " ".join(sentences)


def _averages(analysis: Analysis) -> Table:
    rows = analysis.averages.drop(columns="confidence")
    rows = rows.rename(columns={"value": "mean"})
    return table(
        analysis,
        rows,
        id="average_ratings",
        title="Mean ratings",
        caption="Means over answers, of all and by grouping and error tier.",
        computed=how(analysis, "mean over answers", intervals=TWO_WAY, packages=PACKAGES),
        shown=pd.DataFrame(
            {
                "question": rows["question"].map(label),
                "answers": rows["value_of"].map(label),
                "mean [interval]": merged(rows, "mean", "low", "high"),
                "n": [f"{n:,}" for n in rows["n"]],
                "items": [f"{n:,}" for n in rows["n_items"]],
                "workers": [f"{n:,}" for n in rows["n_workers"]],
                "note": [MISSING if is_missing(reason) else str(reason) for reason in rows["reason"]],
            }
        ),
    )


def _above(analysis: Analysis) -> Table:
    rows = pd.DataFrame(
        [
            {
                "average above the threshold in": " and ".join(kind),
                "items": above.count,
                "of": above.n_items,
                "share": above.share.value,
                "low": above.share.low,
                "high": above.share.high,
                "reason": above.share.reason,
            }
            for kind, above in analysis.above.items()
        ]
    )
    return table(
        analysis,
        rows,
        id="items_above",
        title=f"Features with an average above {analysis.options.threshold:g}",
        caption="Features that people found easy, that they were confident about, and both.",
        computed=how(
            analysis,
            "share of items whose mean rating is above the threshold in all named questions",
            intervals=f"{TWO_WAY}, centred on the observed share",
            packages=PACKAGES,
        ),
        shown=pd.DataFrame(
            {
                "average above the threshold in": rows["average above the threshold in"],
                "features": [f"{row.items:,} of {row.of:,}" for row in rows_of(rows)],
                "share [interval]": merged(rows, "share", "low", "high", share_of="of"),
                "note": [MISSING if is_missing(reason) else str(reason) for reason in rows["reason"]],
            }
        ),
    )
