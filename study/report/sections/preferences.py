"""Section 3: which section of the panels helped, heatmaps (B) or feature attacks (C) (Figure 9b, G.3, G.4)."""

from __future__ import annotations

from typing import Any

import pandas as pd

from barlow_core.wording import count
from study.analysis import Analysis
from study.answers.table import PREFERENCES
from study.report import charts
from study.report.elements import Figure, Number, Section, Table
from study.report.sections.base import as_text, attributes_to_show, figure, merged, rows_of, table
from study.report.style import CHOICE_COLOURS, label, scale
from study.report.wording import (
    TWO_WAY,
    because,
    decimal,
    how,
    interval,
    level,
    listed,
    nothing,
    p_text,
    p_value,
    sentence,
    share,
)
from study.statistics.examples import MOST_VOTES
from study.statistics.uncertainty import item_share

TITLE = "Heatmaps or feature attacks"
WHAT = "a choice in question 5"
PACKAGES = ("numpy", "scipy", "pandas")
TEST = (
    "sign-flip permutation test of the number of answers for B minus that for C, exact: under the null hypothesis the votes of an item (or of a "
    "worker) swap sides together; the larger of the two p-values is quoted"
)


def make(analysis: Analysis) -> Section:
    """Question 5: shares, majority votes, heatmap against attack, items with the most votes."""
    rows = _all(analysis)
    return Section(
        id="preferences",
        title=TITLE,
        lead=_lead(analysis, rows),
        text=_text(analysis, rows),
        numbers=_numbers(analysis, rows),
        figures=(_shares(analysis, rows), _by_part(analysis), _votes(analysis)),
        tables=(_table(analysis), _vote_table(analysis), _test_table(analysis), *_examples(analysis)),
        notes=tuple(dict.fromkeys(f"Preferences: {because(analysis, reason, WHAT)}." for reason in rows["reason"].dropna())),
        banner=analysis.banner,
    )


def _all(analysis: Analysis) -> pd.DataFrame:
    rows = analysis.preferences
    return rows[rows["part"] == "all"].set_index("choice")


def _lead(analysis: Analysis, rows: pd.DataFrame) -> str:
    if not rows["n"].max():
        return sentence(_nobody(analysis))
    return (
        f"Of {count(int(rows['n'].max()), 'answer')} to question 5, {share(rows.at['B', 'share'])} call the heatmaps most useful, {share(rows.at['C', 'share'])} the feature attacks, "
        f"{share(rows.at['both', 'share'])} both, {share(rows.at['none', 'share'])} none."
    )


def _nobody(analysis: Analysis) -> str:
    """Why there are no preferences."""
    return nothing(analysis, WHAT)


def _ci(row: Any) -> str:
    ends = interval(row["low"], row["high"], row["confidence"], as_share=True)
    return f"{share(row['share'])} ({ends})" if ends else share(row["share"])


def _text(analysis: Analysis, rows: pd.DataFrame) -> tuple[str, ...]:
    if not rows["n"].max():
        return ()
    none: Any = analysis.vote_shares.set_index("choice").loc["none"]
    test = analysis.heatmap_against_attack
    first = (
        f"Asked which section was most useful, {_ci(rows.loc['B'])} of {count(int(rows['n'].max()), 'answer')} named the heatmaps (B), {_ci(rows.loc['C'])} the feature "
        f"attack (C), {_ci(rows.loc['both'])} both, and {_ci(rows.loc['none'])} none."
    )
    second = (
        f"More answers chose none than any other for {int(none['most']):,} of {count(int(none['n_items']), 'feature')} ({_vote_share(analysis)}), "
        f"and with ties counted for {int(none['most_or_tied']):,} ({share(none['most_or_tied_share'])})."
    )
    third = (test.reason and because(analysis, test.reason, WHAT)) or (
        f"heatmaps were preferred to feature attacks by {test.n_b:,} to {test.n_c:,} answers"
        if test.n_b > test.n_c
        else f"feature attacks were preferred to heatmaps by {test.n_c:,} to {test.n_b:,} answers"
        if test.n_c > test.n_b
        else f"as many answers preferred heatmaps as feature attacks ({test.n_b:,})"
    )
    if test.p is not None:
        difference = test.difference
        ends = interval(difference.low, difference.high, difference.confidence, as_share=True)
        third += f", a difference of {decimal(100 * (difference.value or 0.0), 1)} percentage points{f' ({ends})' if ends else ''}; exact sign-flip permutation test, {p_text(test.p)}"
    return (first, second, f"Heatmaps against feature attacks: {third}.")


def _vote_interval(analysis: Analysis) -> str:
    """Of the share of features that vote None alone, by Wilson."""
    estimate = item_share((analysis.votes["vote"] == "none").to_numpy(dtype=bool), confidence=analysis.options.confidence)
    return interval(estimate.low, estimate.high, estimate.confidence, as_share=True)


def _vote_share(analysis: Analysis) -> str:
    none: Any = analysis.vote_shares.set_index("choice").loc["none"]
    return ", ".join(part for part in (share(none["most_share"]), _vote_interval(analysis)) if part)


def _numbers(analysis: Analysis, rows: pd.DataFrame) -> tuple[Number, ...]:
    numbers = [
        Number(
            label(choice),
            share(row["share"]),
            interval(row["low"], row["high"], row["confidence"], as_share=True),
            f"{int(row['count']):,} of {count(int(row['n']), 'answer')}",
            "Share of answers to question 5.",
        )
        for choice, row in rows.iterrows()
    ]
    none: Any = analysis.vote_shares.set_index("choice").loc["none"]
    numbers.append(
        Number(
            "Features that vote None",
            share(none["most_share"]),
            _vote_interval(analysis),
            f"{int(none['most']):,} of {count(int(none['n_items']), 'feature')}",
            f"More answers chose none than any other; with ties {int(none['most_or_tied']):,}, with more than half of the answers {int(none['majority']):,}.",
        )
    )
    test = analysis.heatmap_against_attack
    if test.p is not None:
        numbers.append(
            Number(
                "B against C",
                p_text(test.p),
                "",
                f"{test.n_b:,} to {test.n_c:,} answers",
                "Exact sign-flip permutation test, clustered by items and by workers.",
            )
        )
    return tuple(numbers)


def _shares(analysis: Analysis, rows: pd.DataFrame) -> Figure:
    drawn = rows.reset_index().rename(columns={"share": "value"})[["choice", "value", "low", "high", "count", "n"]]
    drawn.insert(0, "label", drawn["choice"].map(label))
    colours = scale({label(choice): colour for choice, colour in CHOICE_COLOURS.items()})
    reason = None if rows["n"].max() else _nobody(analysis)
    return figure(
        analysis,
        id="preferences",
        paper="Figure 9b",
        title="Which section was most useful?",
        caption=f"Share of {count(int(rows['n'].max() or 0), 'answer')}; lines are {level(analysis.options.confidence)} intervals.",
        computed=how(analysis, "answers for the choice / all answers to question 5", intervals=TWO_WAY, packages=PACKAGES),
        text=_lead(analysis, rows),
        data=drawn,
        content=None
        if reason
        else charts.intervals(
            drawn, x_title="Share of answers", colours=colours, colour="label", bars=True, as_share=True, domain=None
        ),
        reason=reason,
    )


def _by_part(analysis: Analysis) -> Figure:
    rows = analysis.preferences
    rows = rows[(rows["part"] != "all") & (rows["n"] > 0)]
    drawn = pd.DataFrame(
        {
            "label": [f"{label(row.value_of)} (n = {row.n:,})" for row in rows_of(rows)],
            "series": rows["choice"].map(label).to_numpy(),
            "value": rows["share"].to_numpy(),
            "low": rows["low"].to_numpy(),
            "high": rows["high"].to_numpy(),
            "count": rows["count"].to_numpy(),
            "n": rows["n"].to_numpy(),
        }
    )
    reason = None
    if drawn.empty:
        answered = bool(analysis.preferences["n"].max())
        reason = "the answers have one grouping and one tier at most" if answered else _nobody(analysis)
    colours = scale({label(choice): colour for choice, colour in CHOICE_COLOURS.items()})
    return figure(
        analysis,
        id="preferences_by_part",
        title="Preferences by grouping and error tier",
        caption=f"Share of the answers of each part; lines are {level(analysis.options.confidence)} intervals.",
        computed=how(
            analysis, "answers for the choice / all answers to question 5 in the part", intervals=TWO_WAY, packages=PACKAGES
        ),
        text="",
        data=drawn,
        content=None if reason else charts.intervals(drawn, x_title="Share of answers", colours=colours, as_share=True, step=15),
        reason=reason,
    )


def _votes(analysis: Analysis) -> Figure:
    counted = analysis.vote_shares
    ties = int(analysis.votes["tied"].sum())
    n = len(analysis.votes)
    drawn = pd.DataFrame(
        {
            "label": [*(label(choice) for choice in counted["choice"]), "No single choice (tie)"],
            "value": [*(counted["most"] / max(n, 1)), ties / max(n, 1)],
            "items": [*counted["most"], ties],
            "n": n,
        }
    )
    drawn["low"], drawn["high"] = None, None
    colours = {label(choice): colour for choice, colour in CHOICE_COLOURS.items()} | {"No single choice (tie)": "#c9ccd3"}
    return figure(
        analysis,
        id="votes",
        title="What features are voted for",
        caption=f"Share of {count(n, 'feature')} for which a choice alone has the most answers; ties stand by themselves.",
        computed=how(
            analysis,
            "the vote of an item is the choice with the most answers; a tie is no vote",
            n=f"{n:,} items",
            packages=("pandas",),
        ),
        text=f"{ties:,} of {count(n, 'feature')} had no single choice with the most answers." if n else "",
        data=drawn.drop(columns=["low", "high"]),
        content=charts.intervals(
            drawn, x_title="Share of features", colours=scale(colours), colour="label", bars=True, as_share=True
        )
        if n
        else None,
        reason=None if n else _nobody(analysis),
    )


def _table(analysis: Analysis) -> Table:
    rows = analysis.preferences.drop(columns="confidence")
    return table(
        analysis,
        rows,
        id="preference_shares",
        title="Shares of answers",
        caption="Answers to question 5, of all and by grouping and error tier.",
        computed=how(
            analysis, "answers for the choice / all answers to question 5 in the part", intervals=TWO_WAY, packages=PACKAGES
        ),
        shown=pd.DataFrame(
            {
                "answers": rows["value_of"].map(label),
                "choice": rows["choice"].map(label),
                "share [interval]": merged(rows, "share", "low", "high", as_share=True),
                "count": [f"{row.count_:,} of {row.n:,}" for row in rows_of(rows.rename(columns={"count": "count_"}))],
                "items": [f"{n:,}" for n in rows["n_items"]],
                "workers": [f"{n:,}" for n in rows["n_workers"]],
            }
        ),
    )


def _vote_table(analysis: Analysis) -> Table:
    rows = analysis.vote_shares
    shown = as_text(rows, choice="label", **{f"{name}_share": "share" for name in ("most", "most_or_tied", "majority")})
    return table(
        analysis,
        rows,
        id="vote_shares",
        title="Majority votes of features",
        computed=how(
            analysis,
            "the choices of an item's answers are counted; shares are of all items with an answer to question 5",
            extra=[
                (
                    "Interval",
                    f"{level(analysis.options.confidence)}, Wilson's, of the share that votes for none; items taken as independent",
                )
            ],
            packages=PACKAGES,
        ),
        caption="Most: the choice alone has the most answers. Most or tied: it is among those with the most. Majority: more than half of the answers.",
        shown=shown,
    )


def _test_table(analysis: Analysis) -> Table:
    test = analysis.heatmap_against_attack
    difference = test.difference
    ends = interval(difference.low, difference.high, difference.confidence, as_share=True)
    row = {
        "answers B": test.n_b,
        "answers C": test.n_c,
        "difference of shares": difference.value,
        "low": difference.low,
        "high": difference.high,
        "items B": test.items_b,
        "items C": test.items_c,
        "items tied": test.items_tied,
        "p by items": test.p_items,
        "p by workers": test.p_workers,
        "p sign test of items": test.p_sign,
        "p": test.p,
    }
    rows = pd.DataFrame([row])
    shown = [
        ("Answers for B", f"{test.n_b:,}"),
        ("Answers for C", f"{test.n_c:,}"),
        ("Share of B minus share of C", f"{share(difference.value).replace('-', '−')}{f' ({ends})' if ends else ''}"),
        ("Items with more votes for B, for C, as many", f"{test.items_b:,}, {test.items_c:,}, {test.items_tied:,}"),
        ("p, the votes of an item swapping together", p_value(test.p_items)),
        ("p, the votes of a worker swapping together", p_value(test.p_workers)),
        ("p, sign test of items", p_value(test.p_sign)),
        ("p to quote, the larger of the first two", p_value(test.p)),
    ]
    return table(
        analysis,
        rows,
        id="heatmap_against_attack",
        title="Heatmap against feature attack",
        caption="Answers for both or none take no side.",
        computed=how(analysis, TEST, intervals=TWO_WAY, packages=PACKAGES),
        shown=pd.DataFrame(shown, columns=["measure", "value"]),
        reason=test.reason and because(analysis, test.reason, WHAT),
    )


def _examples(analysis: Analysis) -> list[Table]:
    tables = []
    for choice, place, name in (("C", "Section G.3", "most_votes_c"), ("both", "Section G.4", "most_votes_both")):
        rows = analysis.most_votes[choice].reset_index()
        rows["winners"] = rows["winners"].map(lambda names: listed(list(names)))
        columns = ["item", *attributes_to_show(rows, ("class_name", "grouping", "tier")), *PREFERENCES, "n"]
        tables.append(
            table(
                analysis,
                rows,
                id=name,
                paper=place,
                title=f"Features with the most votes for {label(choice).lower() if choice == 'both' else label(choice)}",
                caption=MOST_VOTES.format(choice=choice),
                computed=how(analysis, MOST_VOTES.format(choice=choice), packages=("numpy", "pandas")),
                shown=as_text(rows[[*columns, "short_descriptions", "long_descriptions"]]),
                items_column="item",
                pictures=True,
                reason=None
                if len(rows)
                else f"no answer chose {choice}"
                if analysis.preferences["n"].max()
                else _nobody(analysis),
            )
        )
    return tables
