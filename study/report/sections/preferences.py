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
    MISSING,
    TWO_WAY,
    because,
    how,
    interval,
    level,
    listed,
    nothing,
    p_text,
    p_value,
    points,
    sentence,
    share,
)
from study.statistics.examples import MOST_VOTES
from study.statistics.likert import HeatmapAgainstAttack
from study.statistics.uncertainty import item_share

TITLE = "Heatmaps or feature attacks"
WHAT = "a choice in question 5"
PACKAGES = ("numpy", "scipy", "pandas")
TEST = (
    "score test that the mean of B = 1, C = −1, both and none = 0 is 0, with the variance of two-way clusters (items and workers; Cameron, Gelbach and "
    "Miller 2011) at the mean that is tested, the one-way variances where they are larger, and Student's t with one degree of freedom less "
    "than the items or workers that took a side; the interval is every difference that the test does not reject"
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
        notes=_notes(analysis, rows),
        banner=analysis.banner,
    )


def _all(analysis: Analysis) -> pd.DataFrame:
    rows = analysis.preferences
    return rows[rows["part"] == "all"].set_index("choice")


def _notes(analysis: Analysis, rows: pd.DataFrame) -> tuple[str, ...]:
    """What limits the intervals of which choices: a choice that nobody made says nothing of the others."""
    given = rows[rows["reason"].notna()]
    notes = []
    for reason in given["reason"].unique():
        choices = [str(choice) for choice in given.index[given["reason"] == reason]]
        of = "" if len(choices) == len(rows) else f" of {listed(choices)}"
        notes.append(f"Share{'s' if len(choices) > 1 else ''}{of or ' of preferences'}: {because(analysis, reason, WHAT)}.")
    test = analysis.heatmap_against_attack
    if test.p is not None and test.difference.reason:  # Why there is no test is in the text.
        notes.append(f"B against C: {test.difference.reason}.")
    return tuple(notes)


def _lead(analysis: Analysis, rows: pd.DataFrame) -> str:
    n = int(rows["n"].max())
    if not n:
        return sentence(_nobody(analysis))
    said = {choice: share(rows.at[choice, "share"], n) for choice in PREFERENCES}
    return (
        f"Of {count(n, 'answer')} to question 5, {said['B']} {'calls' if n == 1 else 'call'} the heatmaps most useful, {said['C']} the feature attacks, "
        f"{said['both']} both, {said['none']} none."
    )


def _nobody(analysis: Analysis) -> str:
    """Why there are no preferences."""
    return nothing(analysis, WHAT)


def _ci(row: Any) -> str:
    n = int(row["n"])
    ends = interval(row["low"], row["high"], row["confidence"], as_share=True, n=n)
    return f"{share(row['share'], n)} ({ends})" if ends else share(row["share"], n)


def _text(analysis: Analysis, rows: pd.DataFrame) -> tuple[str, ...]:
    if not rows["n"].max():
        return ()
    none: Any = analysis.vote_shares.set_index("choice").loc["none"]
    first = (
        f"Asked which section was most useful, {_ci(rows.loc['B'])} of {count(int(rows['n'].max()), 'answer')} named the heatmaps (B), {_ci(rows.loc['C'])} the feature "
        f"attack (C), {_ci(rows.loc['both'])} both, and {_ci(rows.loc['none'])} none."
    )
    second = (
        f"More answers chose none than any other for {int(none['most']):,} of {count(int(none['n_items']), 'feature')} ({_vote_share(analysis)}), "
        f"and with ties counted for {int(none['most_or_tied']):,} ({share(none['most_or_tied_share'], int(none['n_items']))})."
    )
    return (first, second, f"Heatmaps against feature attacks: {against(analysis)}.")


def against(analysis: Analysis) -> str:
    """What the test of B against C says, as the end of a sentence."""
    test = analysis.heatmap_against_attack
    if test.n_b == test.n_c == 0:
        return because(analysis, test.reason, WHAT)
    counts = f"heatmaps were preferred to feature attacks by {test.n_b:,} to {count(test.n_c, 'answer')}"
    if test.n_b < test.n_c:
        counts = f"feature attacks were preferred to heatmaps by {test.n_c:,} to {count(test.n_b, 'answer')}"
    elif test.n_b == test.n_c:
        counts = f"as many answers preferred heatmaps as feature attacks ({test.n_b:,})"
    if test.p is None:
        return f"{counts}; {because(analysis, test.reason, WHAT)}"
    return f"{counts}, {difference_text(test)}"


def difference_text(test: HeatmapAgainstAttack) -> str:
    """The difference of the shares of B and C with its interval and p, which cannot contradict each other: both are of one test."""
    difference = test.difference
    n = difference.n
    ends = interval(difference.low, difference.high, difference.confidence, as_share=True, n=n)
    return (
        f"a difference of {points(difference.value, n)}{f' ({ends})' if ends else ''}; score test with items and workers as two-way clusters, "
        f"t({test.degrees_of_freedom}), {p_text(test.p)}"
    )


def _vote_interval(analysis: Analysis) -> str:
    """Of the share of features that vote None alone, by Wilson."""
    estimate = item_share((analysis.votes["vote"] == "none").to_numpy(dtype=bool), confidence=analysis.options.confidence)
    return interval(estimate.low, estimate.high, estimate.confidence, as_share=True, n=estimate.n_items)


def _vote_share(analysis: Analysis) -> str:
    none: Any = analysis.vote_shares.set_index("choice").loc["none"]
    return ", ".join(part for part in (share(none["most_share"], int(none["n_items"])), _vote_interval(analysis)) if part)


def _numbers(analysis: Analysis, rows: pd.DataFrame) -> tuple[Number, ...]:
    numbers = [
        Number(
            label(choice),
            share(row["share"], int(row["n"])),
            interval(row["low"], row["high"], row["confidence"], as_share=True, n=int(row["n"])),
            f"{int(row['count']):,} of {count(int(row['n']), 'answer')}",
            "Share of answers to question 5.",
        )
        for choice, row in rows.iterrows()
    ]
    none: Any = analysis.vote_shares.set_index("choice").loc["none"]
    numbers.append(
        Number(
            "Features that vote None",
            share(none["most_share"], int(none["n_items"])),
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
                f"{test.n_b:,} to {count(test.n_c, 'answer')}",
                "Score test with items and workers as two-way clusters.",
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
            "the vote of an item is the choice with the most answers; a tie counts as no vote",
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
                "share [interval]": merged(rows, "share", "low", "high", share_of="n"),
                "count": [f"{row.count_:,} of {row.n:,}" for row in rows_of(rows.rename(columns={"count": "count_"}))],
                "items": [f"{n:,}" for n in rows["n_items"]],
                "workers": [f"{n:,}" for n in rows["n_workers"]],
            }
        ),
    )


def _vote_table(analysis: Analysis) -> Table:
    rows = analysis.vote_shares
    shown = as_text(
        rows, share_of="n_items", choice="label", **{f"{name}_share": "share" for name in ("most", "most_or_tied", "majority")}
    )
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
    ends = interval(difference.low, difference.high, difference.confidence, as_share=True, n=difference.n)
    row = {
        "answers B": test.n_b,
        "answers C": test.n_c,
        "difference of shares": difference.value,
        "low": difference.low,
        "high": difference.high,
        "items B": test.items_b,
        "items C": test.items_c,
        "items tied": test.items_tied,
        "degrees of freedom": test.degrees_of_freedom,
        "p": test.p,
    }
    rows = pd.DataFrame([row])
    shown = [
        ("Answers for B", f"{test.n_b:,}"),
        ("Answers for C", f"{test.n_c:,}"),
        ("Share of B minus share of C", f"{share(difference.value, difference.n)}{f' ({ends})' if ends else ''}"),
        ("Items with more votes for B, for C, as many", f"{test.items_b:,}, {test.items_c:,}, {test.items_tied:,}"),
        ("p, items and workers as two-way clusters", p_value(test.p)),
        ("Degrees of freedom", MISSING if test.degrees_of_freedom is None else f"{test.degrees_of_freedom:,}"),
    ]
    return table(
        analysis,
        rows,
        id="heatmap_against_attack",
        title="Heatmap against feature attack",
        caption="Answers for both or none take no side.",
        computed=how(
            analysis, TEST, extra=[("Interval", f"{level(analysis.options.confidence)}, from the same test")], packages=PACKAGES
        ),
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
