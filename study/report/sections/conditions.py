"""The conditions of a study compared: every headline number in each, and the differences."""

from __future__ import annotations

from typing import Any

import pandas as pd

from barlow_core.vega import BLUE, GREY
from barlow_core.wording import count
from study.analysis import Analysis
from study.report import charts
from study.report.elements import Figure, Number, Section, Table
from study.report.sections.base import as_text, figure, merged, records_of, rows_of, table
from study.report.style import scale
from study.report.wording import MISSING, decimal, how, interval, is_missing, level, listed, p_text, p_value
from study.statistics.condition_effects import BALANCE

TITLE = "Conditions"
PACKAGES = ("numpy", "pandas", "scipy", "statsmodels")
CLEAR, UNCLEAR = "clear after correction", "not clear"
FORMULA = (
    "first condition − second. Means and shares over answers: Student's t with a variance of two-way clusters, pairs of items and workers (Cameron, Gelbach and "
    "Miller 2011); shares of items and agreement: resampled pairs and workers, percentiles; alpha: jackknife over pairs. p-values corrected by Holm over the table"
)
NO_PAIRS = "items are not paired"
RATINGS = ("mean ease", "mean confidence")


def make(analysis: Analysis) -> Section:
    """Who saw which condition, and what differs."""
    effects, sizes = analysis.condition_effects, analysis.condition_sizes
    tested = effects[effects["p_holm"].notna()]
    clear = tested[tested["p_holm"] < 1 - analysis.options.confidence]
    names = list(sizes["condition"])
    if len(names) < 2:
        lead = "The answers are about one condition at most, so there is nothing to compare."
    elif tested.empty:
        lead = f"No difference between {listed(names)} could be tested; the table says why."
    else:
        lead = (
            f"{'None' if clear.empty else f'{len(clear):,}'} of {count(len(tested), 'difference')} between {listed(names)} "
            f"{'is' if len(clear) < 2 else 'are'} clear after correction for their number."
        )
    return Section(
        id="conditions",
        title=TITLE,
        lead=lead,
        text=(_design(sizes), *_sentences(effects, analysis.options.confidence)),
        numbers=tuple(
            Number(
                f"Answers, {row.condition}", f"{row.answers:,}", n=f"{count(row.items, 'item')}, {count(row.workers, 'worker')}"
            )
            for row in rows_of(sizes)
        ),
        figures=(_figure(analysis, ratings=True), _figure(analysis, ratings=False)),
        tables=(_table(analysis), _sizes(analysis)),
        notes=(
            "What is paired is the place of a feature (its group, and its rank in the group), not what it stands for: another network has other features.",
            "The difference of alpha is about other pairs and the same workers.",
        ),
        banner=analysis.banner,
    )


def _design(sizes: pd.DataFrame) -> str:
    """Who saw what, and whether items are paired, in a sentence each."""
    total, alone = int(sizes["workers"].sum()), int(sizes["workers_only"].sum())
    shared = sorted({row.workers - row.workers_only for row in rows_of(sizes)})
    if not alone:
        who = "Every worker answered in more than one condition."
    elif alone == total:
        who = f"Every worker answered in one condition only ({listed([f'{row.condition}: {row.workers:,}' for row in rows_of(sizes)])})."
    else:
        who = f"{alone:,} of the workers answered in one condition only, {listed([f'{n:,}' for n in shared], 'or')} in more than one."
    items, paired = int(sizes["items"].sum()), int(sizes["paired"].sum())
    if not paired:
        return f"{who} Items are not paired between conditions."
    return f"{who} {paired:,} of {count(items, 'item')} {'has' if paired == 1 else 'have'} a counterpart in another condition."


def _sentences(effects: pd.DataFrame, confidence: float) -> tuple[str, ...]:
    """Ease, confidence, the two kinds of pictures and agreement, clear or not."""
    wanted = ["mean ease", "mean confidence", "mean agreement of long descriptions", BALANCE]
    found = effects[effects["measure"].isin(wanted) & effects["difference"].notna()]
    return tuple(_sentence(row, confidence) for row in records_of(found))


def _sentence(row: dict[str, Any], confidence: float) -> str:
    digits = 2 if row["measure"] in RATINGS else 3
    seen = round(float(row["difference"]), digits)
    direction = "the same" if not seen else "higher" if seen > 0 else "lower"
    ends = interval(row["low"], row["high"], confidence, digits=digits)
    test = f"; {p_text(row['p_holm'])} after Holm's correction" if not is_missing(row["p_holm"]) else ""
    measure = str(row["measure"])
    return (
        f"{measure[:1].upper()}{measure[1:]}: {direction} for {row['first']} {'as' if not seen else 'than'} for {row['second']} "
        f"({decimal(row['value_first'], digits)} and {decimal(row['value_second'], digits)}, difference {decimal(seen, digits)}"
        f"{f', {ends}' if ends else ''}{test}; {count(int(row['n_pairs']), 'pair')}, {count(int(row['n_workers']), 'worker')}, "
        f"{int(row['n_workers_both']):,} of them in both)."
    )


def _figure(analysis: Analysis, *, ratings: bool) -> Figure:
    rows = analysis.condition_effects
    drawn = rows[rows["difference"].notna() & rows["low"].notna() & (rows["measure"].isin(RATINGS) == ratings)]
    clear = (drawn["p_holm"] < 1 - analysis.options.confidence).fillna(False).to_numpy(dtype=bool)
    shown = pd.DataFrame(
        {
            "comparison": [f"{row.first} − {row.second}" for row in rows_of(drawn)],
            "label": list(drawn["measure"]),
            "series": [CLEAR if one else UNCLEAR for one in clear],
            **{
                name: drawn[column].to_numpy(dtype=float, na_value=float("nan"))
                for name, column in (("value", "difference"), ("low", "low"), ("high", "high"), ("p holm", "p_holm"))
            },
        }
    )
    content = None
    if len(shown):
        content = charts.intervals(
            shown,
            x_title=f"difference{' in levels of the scale' if ratings else ''}\n(right: the first condition is higher)",
            colours=scale({CLEAR: BLUE, UNCLEAR: GREY}),
            reference=0.0,
            dodge=False,
            facet="comparison",
            step=20,
        )
    return figure(
        analysis,
        id="conditions_ratings" if ratings else "conditions_shares",
        title=f"Differences between conditions, {'ratings' if ratings else 'shares, agreement and alpha'}",
        caption=f"Differences with {level(analysis.options.confidence)} intervals, uncorrected. Blue: clear after Holm's correction for the whole table.",
        computed=how(analysis, FORMULA, packages=PACKAGES),
        text="",
        data=shown,
        content=content,
        reason=None if content else "no difference has an interval",
    )


def _table(analysis: Analysis) -> Table:
    rows = analysis.condition_effects
    shown = pd.DataFrame(
        {
            "measure": rows["measure"],
            "first": rows["first"],
            "second": rows["second"],
            "first [interval]": merged(rows, "value_first", "low_first", "high_first", digits=3),
            "second [interval]": merged(rows, "value_second", "low_second", "high_second", digits=3),
            "difference [interval]": merged(rows, "difference", "low", "high", digits=3),
            "p": rows["p"].map(p_value, na_action=None),
            "p (Holm)": rows["p_holm"].map(p_value, na_action=None),
            "test": rows["test"],
            "note": [MISSING if is_missing(one) else str(one) for one in rows["reason"]],
        }
    )
    return table(
        analysis,
        rows,
        id="conditions_table",
        title="Every headline number, by condition",
        caption="Each number with its own interval in either condition, and the difference with one that knows pairs and workers.",
        computed=how(analysis, FORMULA, packages=PACKAGES),
        shown=shown,
        reason=None if len(rows) else "the answers are about one condition at most",
    )


def _sizes(analysis: Analysis) -> Table:
    rows = analysis.condition_sizes
    return table(
        analysis,
        rows,
        id="conditions_sizes",
        title="What each condition rests on",
        caption="Paired: items with a counterpart in another condition. Workers only: who answered in no other condition.",
        computed=how(analysis, "counts", packages=("pandas",)),
        shown=as_text(rows, items="whole", paired="whole", answers="whole", workers="whole", workers_only="whole"),
        reason=None if len(rows) else "no item names a condition",
    )
