"""Section 6: do groupings and error tiers differ?"""

from __future__ import annotations

import pandas as pd

from barlow_core.vega import BLUE, GREY
from barlow_core.wording import count
from study.analysis import Analysis
from study.answers.table import PREFERENCES
from study.report import charts
from study.report.elements import Figure, Number, Section, Table
from study.report.sections.base import as_text, figure, merged, records_of, rows_of, table
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
    p_text,
    p_value,
    sentence,
)

TITLE = "Groupings and error tiers"
PACKAGES = ("scipy", "statsmodels", "numpy", "pandas")
FORMULA = (
    "Cliff's delta of item averages: P(an item of the first side is above one of the second) − P(below), with Feng and Cliff's (2004) interval; Mann-Whitney "
    "tests of item averages, p-values corrected by Holm over all comparisons of the table; magnitude by Romano et al. (2006)"
)
CLEAR, UNCLEAR = "clear after correction", "not clear"
NO_GROUPS = "the answers have one grouping and one tier at most, so there is nothing to compare"
ONE_SIDED = "no question has answers on both sides of a comparison"
NAMES = {
    "B": "The share of answers for the heatmaps (B)",
    "C": "The share of answers for the feature attack (C)",
    "both": "The share of answers for both",
    "none": "The share of answers for none",
    "agreement short": "The agreement of short descriptions",
    "agreement long": "The agreement of long descriptions",
    "agreement concatenated": "The agreement of short and long descriptions as one",
}


def make(analysis: Analysis) -> Section:
    """Differences with effect sizes and corrected p-values; ordinal regression."""
    rows = analysis.differences
    tested = rows[rows["p_holm"].notna()]
    clear = tested[tested["p_holm"] < 1 - analysis.options.confidence]
    if not len(rows):
        lead = sentence(_nothing(analysis))
    elif not len(tested):
        lead = "No comparison of groupings and tiers could be tested; the table says why."
    elif not len(clear):
        lead = f"None of {count(len(tested), 'comparison')} of groupings and tiers is clear after correction for their number."
    else:
        lead = f"{len(clear):,} of {count(len(tested), 'comparison')} of groupings and tiers {'is' if len(clear) == 1 else 'are'} clear after correction for their number."
    models = analysis.ordinal
    notes = [f"Ordinal model of {question}: {model.reason}." for question, model in models.items() if model.reason]
    if len(rows):
        notes.append(
            "Tests and Cliff's delta compare averages of items and take them as independent; the interval of a difference of means resamples workers as well "
            "and is the more careful of the two."
        )
    notes += [_both_sides(rows)] if len(rows) and _both_sides(rows) else []
    return Section(
        id="differences",
        title=TITLE,
        lead=lead,
        text=_text(tested, clear, analysis.options.confidence),
        numbers=(
            Number(
                "Comparisons",
                f"{len(tested):,}",
                n=f"of {len(rows):,} listed",
                help="With at least three items on each side, some variation, and half of the workers on both sides.",
            ),
            Number("Clear after correction", f"{len(clear):,}", help=f"Holm's p below {1 - analysis.options.confidence:.2g}."),
        ),
        figures=(_figure(analysis),),
        tables=(_table(analysis), _omnibus(analysis), _ordinal(analysis)),
        notes=tuple(notes),
        banner=analysis.banner,
    )


def _text(tested: pd.DataFrame, clear: pd.DataFrame, confidence: float) -> tuple[str, ...]:
    """The clearest differences; where there is none, the largest, so that a reader sees how small it is."""
    if clear.empty and len(tested):
        largest = tested.loc[[tested["delta"].astype(float).abs().idxmax()]]
        return (
            f"We compared groupings and error tiers in {count(len(tested), 'comparison')} of {_compared(tested)}. None was clear after "
            f"Holm's correction; the one whose Cliff's delta is furthest from 0: {_sentence(records_of(largest)[0], confidence)}",
        )
    return tuple(_sentence(row, confidence) for row in records_of(clear.sort_values("p_holm", kind="stable").head(6)))


def _sentence(row: dict[str, object], confidence: float) -> str:
    outcome, difference = str(row["outcome"]), float(str(row["difference"]))
    digits = 3 if outcome.startswith("agreement") else 2
    ends = interval(row["low"], row["high"], confidence, digits=digits)
    # The direction is that of the means beside it, as they are printed: Cliff's delta, of averages of items, can have another.
    seen = round(difference, digits)
    direction = "about the same" if not seen else "higher" if seen > 0 else "lower"
    return (
        f"{NAMES.get(outcome, label(outcome))} is {direction} {_where(row['first'])} {'than' if seen else 'as'} {_where(row['second'])} "
        f"({'shares' if outcome in PREFERENCES else 'means'} {decimal(row['mean_first'], digits)} and {decimal(row['mean_second'], digits)}, "
        f"difference {decimal(difference, digits)}{f', {ends}' if ends else ''}; Cliff's delta {decimal(row['delta'])}, {row['magnitude']}"
        f"{_other_way(seen, float(str(row['delta'])), outcome)}; {p_text(row['p_holm'])} after Holm's correction; {row['n_items_first']:,} and "
        f"{row['n_items_second']:,} items)."
    )


def _other_way(difference: float, delta: float, outcome: str) -> str:
    """What to say where averages of items and means over answers do not point the same way."""
    seen = round(delta, 2)
    if difference * seen > 0 or not (difference or seen):
        return ""
    of_items = "the items" if outcome.startswith("agreement") else "averages of items, unlike means over answers,"
    if not seen:
        return f", so {of_items} are as often higher as lower"
    return f", so {of_items} are more often {'higher' if seen > 0 else 'lower'}"


def _compared(tested: pd.DataFrame) -> str:
    """Of what there are tests: "ease, preference and agreement"."""
    kinds = [
        "agreement" if str(one).startswith("agreement") else "preference" if one in PREFERENCES else str(one)
        for one in tested["outcome"]
    ]
    return listed(list(dict.fromkeys(kinds)))


def _nothing(analysis: Analysis) -> str:
    """Why there are no comparisons."""
    return NO_GROUPS if len(analysis.data.answers) else nothing(analysis)


def _where(value: object) -> str:
    text = label(value)
    return f"in the {text}" if text.endswith("tier") else text


def _both_sides(rows: pd.DataFrame) -> str:
    few = rows[rows["n_workers_both"] < rows["n_workers"] / 2]
    if few.empty:
        return ""
    pairs = listed(list(dict.fromkeys(f"{label(row.first)} against {label(row.second)}" for row in rows_of(few))))
    return (
        f"Fewer than half of the workers answered on both sides of: {pairs}. There, different workers would look like different groups, so there is no test; "
        "the intervals of the differences of means and the ordinal model know it."
    )


def _figure(analysis: Analysis) -> Figure:
    rows = analysis.differences
    drawn = rows[rows["delta"].notna()]
    clear = (drawn["p_holm"] < 1 - analysis.options.confidence).fillna(False).to_numpy(dtype=bool)
    shown = pd.DataFrame(
        {
            "comparison": [f"{label(row.first)} − {label(row.second)}" for row in rows_of(drawn)],
            "label": [label(outcome) for outcome in drawn["outcome"]],
            "series": [CLEAR if one else UNCLEAR for one in clear],
            "value": drawn["delta"].to_numpy(dtype=float, na_value=float("nan")),
            "low": drawn["delta_low"].to_numpy(dtype=float, na_value=float("nan")),
            "high": drawn["delta_high"].to_numpy(dtype=float, na_value=float("nan")),
            "p holm": drawn["p_holm"].to_numpy(dtype=float, na_value=float("nan")),
            "items": [f"{row.n_items_first:,} and {row.n_items_second:,}" for row in rows_of(drawn)],
        }
    )
    reason = None if len(shown) else ONE_SIDED if len(rows) else _nothing(analysis)
    content = None
    if not reason:
        content = charts.intervals(
            shown,
            x_title="Cliff's delta of item averages\n(right: the first side is higher)",
            colours=scale({CLEAR: BLUE, UNCLEAR: GREY}),
            reference=0.0,
            dodge=False,
            facet="comparison",
            step=20,
        )
    return figure(
        analysis,
        id="differences",
        title="Differences between groupings and error tiers",
        caption=f"Effect sizes over items with {level(analysis.options.confidence)} intervals, uncorrected. Blue: clear after Holm's correction for all comparisons.",
        computed=how(analysis, FORMULA, packages=PACKAGES),
        text="",
        data=shown,
        content=content,
        reason=reason,
    )


def _table(analysis: Analysis) -> Table:
    rows = analysis.differences
    shown = pd.DataFrame(
        {
            "outcome": rows["outcome"].map(label),
            "first": rows["first"].map(label),
            "second": rows["second"].map(label),
            "items": [f"{row.n_items_first:,} / {row.n_items_second:,}" for row in rows_of(rows)],
            "means": [f"{decimal(row.mean_first)} / {decimal(row.mean_second)}" for row in rows_of(rows)],
            "difference [interval]": merged(rows, "difference", "low", "high", digits=3),
            "delta [interval]": merged(rows, "delta", "delta_low", "delta_high"),
            "magnitude": [MISSING if is_missing(one) else str(one) for one in rows["magnitude"]],
            "p": rows["p"].map(p_value, na_action=None),
            "p (Holm)": rows["p_holm"].map(p_value, na_action=None),
            "note": [MISSING if is_missing(one) else str(one) for one in rows["reason"]],
        }
    )
    return table(
        analysis,
        rows,
        id="differences_table",
        title="All comparisons",
        caption="Difference: of means, first − second, with a two-way interval. Delta: Cliff's, of item averages.",
        computed=how(analysis, FORMULA, intervals=TWO_WAY, packages=PACKAGES),
        shown=shown,
        reason=None if len(rows) else _nothing(analysis),
    )


def _omnibus(analysis: Analysis) -> Table:
    rows = analysis.omnibus
    return table(
        analysis,
        rows,
        id="tiers_at_once",
        title="All tiers at once",
        caption="Kruskal and Wallis' test of item averages; epsilon squared is the effect size, from 0 to 1.",
        computed=how(
            analysis,
            "Kruskal-Wallis H of item averages; epsilon squared = H / (n − 1); p-values corrected by Holm",
            packages=PACKAGES,
        ),
        shown=as_text(rows, outcome="label", factor="label", p="p", p_holm="p", epsilon_squared="fine"),
        reason=None
        if len(rows)
        else "the answers have fewer than three tiers"
        if len(analysis.data.answers)
        else _nothing(analysis),
    )


def _ordinal(analysis: Analysis) -> Table:
    parts = [
        model.effects.assign(question=question, n=model.n) for question, model in analysis.ordinal.items() if len(model.effects)
    ]
    columns = ["question", "factor", "value", "reference", "odds_ratio", "low", "high", "p", "p_holm", "n"]
    rows = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
    reasons = dict.fromkeys(str(model.reason) for model in analysis.ordinal.values() if not is_missing(model.reason))
    return table(
        analysis,
        rows,
        id="ordinal_model",
        title="Ordinal regression",
        caption="Odds of a higher rating than the reference has, grouping and tier at once. Standard errors are corrected for items and workers (two-way clusters); "
        "clusters are not modelled, so odds are those of answers of the whole population.",
        computed=how(
            analysis,
            "proportional-odds (logit) model of the rating on grouping and tier; two-way cluster-robust standard errors (Cameron, Gelbach and Miller 2011), "
            "the larger of the one-way ones where two-way variance is not above 0; "
            "normal intervals; Holm's correction within a question",
            packages=("statsmodels", "scipy", "numpy"),
        ),
        shown=pd.DataFrame(
            {
                "question": rows["question"].map(label),
                "compared": [f"{label(row.value)} with {label(row.reference)}" for row in rows_of(rows)],
                "odds ratio [interval]": merged(rows, "odds_ratio", "low", "high"),
                "p": rows["p"].map(p_value),
                "p (Holm)": rows["p_holm"].map(p_value),
                "n": [f"{n:,}" for n in rows["n"]],
            }
        ),
        reason=None if len(rows) else "; ".join(reasons) or _nothing(analysis),
    )
