"""Section 8: does understanding matter?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from barlow_core.vega import BLUE, GREY
from barlow_core.wording import count
from study.analysis import Analysis
from study.report import charts
from study.report.elements import Figure, Number, Section, Table
from study.report.sections.base import figure, merged, records_of, rows_of, table
from study.report.style import label, prose, scale
from study.report.wording import (
    MISSING,
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
from study.statistics.understanding import (
    CAUSES,
    FEWEST_CLASSES,
    MOST_PARTS,
    NO_OUTCOME,
    NOT_KNOWN,
    OF_CLASSES,
    OUTCOMES,
    PERMUTATIONS,
    cannot_be_clear,
    class_columns,
    class_of_items,
)

TITLE = "Does understanding matter?"
PACKAGES = ("scipy", "numpy", "pandas")
GROUP_IS = {
    ("group",): "A group is a class by label, or a class by prediction",
    ("grouping", "class_name"): "A group is a class by label, or a class by prediction",
    ("class_name",): "A group is a class; its grouping (by label or by prediction) is not known",
}
INDEPENDENT = "No item's class is known, so items are taken as independent, and the error rate, which items of a class share, has neither interval nor p-value."
SHARED = "Features of a group share its error rate."
CLEAR, UNCLEAR = "clear after correction", "not clear"


def make(analysis: Analysis) -> Section:
    """Ease and agreement against error rate, activation, mutual information and salience."""
    rows = analysis.correlations
    tested = rows[rows["p_holm"].notna()]
    clear = tested[tested["p_holm"] < 1 - analysis.options.confidence]
    unknown = [label(cause) for cause in CAUSES if (rows.loc[rows["cause"] == cause, "reason"] == NOT_KNOWN).all()]
    if not len(analysis.data.answers):
        lead = sentence(nothing(analysis))
    elif not len(tested):
        lead = _why_not(rows)
    elif cannot_be_clear(tested, 1 - analysis.options.confidence).all():
        lead = f"Too few groups: whatever their order, {count(len(tested), 'correlation')} could not be clear after correction for their number."
    elif not len(clear):
        lead = f"None of {count(len(tested), 'correlation')} between understanding and what is known of features is clear after correction for their number."
    else:
        lead = f"{len(clear):,} of {count(len(tested), 'correlation')} {'is' if len(clear) == 1 else 'are'} clear after correction for their number."
    return Section(
        id="understanding",
        title=TITLE,
        lead=lead,
        text=_text(analysis, tested, clear),
        numbers=tuple(
            Number(
                f"Ease and {prose(row.cause)}",
                f"ρ = {decimal(row.rho)}",
                interval(row.low, row.high, analysis.options.confidence),
                _n(row.unit, row.n, row.n_classes),
                "Spearman's rank correlation.",
            )
            for row in rows_of(rows[(rows["outcome"] == "ease") & rows["rho"].notna()])
        ),
        figures=(_forest(analysis), *(_scatter(analysis, cause) for cause in CAUSES if analysis.data.has(cause))),
        tables=(_table(analysis),),
        notes=(
            *((f"Not known in this study: {listed(unknown)}.",) if unknown else ()),
            _groups(analysis),
            "Correlation is not causation: easy features may differ in other ways, too.",
        ),
        banner=analysis.banner,
    )


def _why_not(rows: pd.DataFrame) -> str:
    """Why nothing could be tested: what is wrong with the features that are known, else that none are."""
    reasons = [reason for reason in rows["reason"].dropna().unique() if reason != NOT_KNOWN]
    if not reasons:
        return "The study knows too little of its features to say."
    # What was not asked is no reason where something else was.
    reasons = [reason for reason in reasons if reason != NO_OUTCOME] or reasons
    return f"No correlation can be tested: {'; '.join(reasons)}."


def _groups(analysis: Analysis) -> str:
    """What a group is here, and how it is used."""
    columns = class_columns(analysis.item_table)
    if not columns:
        return INDEPENDENT
    left_out = int((class_of_items(analysis.item_table) < 0).sum())
    without = f" {count(left_out, 'item')} of no known group {'is' if left_out == 1 else 'are'} left out." if left_out else ""
    return f"{GROUP_IS[columns]}; intervals leave out one group after the other with all its items, and need {FEWEST_CLASSES} groups.{without}"


def _text(analysis: Analysis, tested: pd.DataFrame, clear: pd.DataFrame) -> tuple[str, ...]:
    """Every correlation of ease, and the clearest ones of everything."""
    rows = analysis.correlations
    confidence = analysis.options.confidence
    ease = [
        f"{decimal(row['rho'])} with {prose(row['cause'])} ({_ends(row, confidence)}{_n(row['unit'], row['n'], row['n_classes'])})"
        for row in records_of(rows[(rows["outcome"] == "ease") & rows["rho"].notna()])
    ]
    sentences = [f"Spearman's rank correlation of the average ease was {listed(ease)}."] if ease else []
    if tested.empty:
        return (" ".join([*sentences, _why_not(rows)]),) if sentences else ()
    if clear.empty:
        least = p_text(tested["p_holm"].min())
        sentences.append(
            f"No correlation of {count(len(tested), 'pair')} was clear after Holm's correction (the smallest corrected {least})."
        )
    found = [_sentence(row, confidence) for row in records_of(clear.sort_values("p_holm", kind="stable").head(6))]
    return (" ".join(sentences), *found) if sentences else tuple(found)


def _n(unit: str, n: int, n_classes: Any) -> str:
    """What a correlation rests on: "90 items of 18 groups", "18 groups", "90 items, taken as independent"."""
    if is_missing(n_classes):
        return f"{count(int(n), 'item')}, taken as independent"
    groups = count(int(n_classes), "group")
    return groups if unit == "classes" else f"{count(int(n), 'item')} of {groups}"


def _how(analysis: Analysis, n: str, causes: Sequence[str] = CAUSES) -> str:
    """How correlations with these causes were computed."""
    options = analysis.options
    columns = class_columns(analysis.item_table)
    known = [cause for cause in causes if analysis.data.has(cause)]
    of_classes = [prose(cause) for cause in known if cause in OF_CLASSES]
    of_items = [prose(cause) for cause in known if cause not in OF_CLASSES]
    formulas, tests = [], []
    if of_classes and columns:
        orders = max(options.replicates, PERMUTATIONS)
        formulas.append(f"Spearman's rank correlation over groups, of {listed(of_classes)} and the averages of the groups' items")
        tests.append(
            f"{listed(of_classes)}: permutation test, two-sided, of the groups' values in any order (all orders, or {orders:,} random ones where there are more; seed {options.seed})"
        )
    elif of_classes:
        formulas.append(f"Spearman's rank correlation over items, of {listed(of_classes)}, without a test")
    if of_items:
        formulas.append(f"Spearman's rank correlation over items, of {listed(of_items)}")
        tests.append(f"{listed(of_items)}: two-sided, from the same t as the interval")
    n_tested = int(analysis.correlations["p"].notna().sum())
    left_out = "one group at a time with all its items" if columns else "one item at a time"
    ends = (
        f"{level(options.confidence)}, jackknife of Fisher's z: {left_out} left out (of more than {MOST_PARTS}: in {MOST_PARTS} parts), Student's t with one "
        f"degree of freedom less than there are parts; none with fewer than {FEWEST_CLASSES} {'groups' if columns else 'items'}"
    )
    extra = [("Intervals", ends)] if columns or of_items else []
    extra += (
        [("p-values", f"{'; '.join(tests)}; corrected by Holm over all correlations that have one: {n_tested:,}")]
        if tests
        else []
    )
    if columns:
        extra.append(("Groups", GROUP_IS[columns].removeprefix("A group is ")))
    return how(
        analysis,
        "; ".join(formulas) or "Spearman's rank correlation, of nothing that is known here",
        n=n,
        extra=extra,
        packages=PACKAGES,
    )


def _ends(row: dict[str, Any], confidence: float) -> str:
    ends = interval(row["low"], row["high"], confidence)
    return f"{ends}; " if ends else ""


def _sentence(row: dict[str, Any], confidence: float) -> str:
    direction = "rises" if row["rho"] > 0 else "falls"
    ends = interval(row["low"], row["high"], confidence)
    return (
        f"{_name(row['outcome'])} {direction} with {prose(row['cause'])}: Spearman's ρ = {decimal(row['rho'])}{f' ({ends})' if ends else ''}, "
        f"{p_text(row['p_holm'])} after Holm's correction, {_n(row['unit'], row['n'], row['n_classes'])}."
    )


def _name(outcome: str) -> str:
    return label(outcome) if outcome in ("ease", "confidence") else label(f"agreement {outcome}")


def _forest(analysis: Analysis) -> Figure:
    rows = analysis.correlations
    drawn = rows[rows["rho"].notna()]
    clear = (drawn["p_holm"] < 1 - analysis.options.confidence).fillna(False).to_numpy(dtype=bool)
    shown = pd.DataFrame(
        {
            "cause": [label(cause) for cause in drawn["cause"]],
            "label": [_name(outcome) for outcome in drawn["outcome"]],
            "series": [CLEAR if one else UNCLEAR for one in clear],
            "value": drawn["rho"].to_numpy(dtype=float, na_value=float("nan")),
            "low": drawn["low"].to_numpy(dtype=float, na_value=float("nan")),
            "high": drawn["high"].to_numpy(dtype=float, na_value=float("nan")),
            "p holm": drawn["p_holm"].to_numpy(dtype=float, na_value=float("nan")),
            "n": [_n(row.unit, row.n, row.n_classes) for row in rows_of(drawn)],
        }
    )
    reasons = [str(reason) for reason in dict.fromkeys(rows["reason"].dropna())]
    reason = None if len(shown) else ("; ".join(reasons) if len(analysis.data.answers) else nothing(analysis))
    content = None
    if not reason:
        content = charts.intervals(
            shown,
            x_title="Spearman's rank correlation",
            colours=scale({CLEAR: BLUE, UNCLEAR: GREY}),
            reference=0.0,
            dodge=False,
            facet="cause",
            step=20,
        )
    return figure(
        analysis,
        id="understanding",
        title="Understanding against what is known of features",
        caption=f"Rank correlations with {level(analysis.options.confidence)} intervals, uncorrected. Blue: clear after Holm's correction for all pairs.",
        computed=_how(analysis, "as in the table, a number for each pair"),
        text="",
        data=shown,
        content=content,
        reason=reason,
    )


def _scatter(analysis: Analysis, cause: str) -> Figure:
    items = analysis.item_table
    columns = [column for column in ("class_name", "grouping", "name") if column in items]
    rows = items[[cause, "ease", "short", *columns]].rename(columns={"short": "agreement"}).reset_index()
    rows = rows.astype({"ease": "float64", "agreement": "float64", **dict.fromkeys(columns, object)})
    drawn = rows[rows["ease"].notna() & rows[cause].notna()].sort_values([cause, "item"], kind="stable")
    pairs = analysis.correlations
    row: Any = pairs[(pairs["cause"] == cause) & (pairs["outcome"] == "ease")].iloc[0]
    ends = interval(row["low"], row["high"], analysis.options.confidence)
    rho = (
        ""
        if pd.isna(row["rho"])
        else f"Spearman's ρ = {decimal(row['rho'])}{f' ({ends})' if ends else ''}, {_n(row['unit'], row['n'], row['n_classes'])}."
    )
    axis = f"{label(cause)}" if cause != "ber" else "Error rate of the class (BER)"
    return figure(
        analysis,
        id=f"ease_against_{cause}",
        title=f"Ease against {prose(cause)}",
        caption=" ".join(filter(None, ["Each point is a feature.", rho, SHARED if cause in OF_CLASSES else ""]))
        + charts.thinning_text(len(drawn), len(charts.thinned(drawn, None))),
        computed=_how(analysis, _n(row["unit"], row["n"], row["n_classes"]), [cause]),
        text=rho,
        data=rows,
        content=charts.cloud(drawn, x=cause, y="ease", x_title=axis, y_title="Average ease (1 to 5)", opens="item")
        if len(drawn)
        else None,
        reason=None if len(drawn) else nothing(analysis),
        opens="item",
    )


def _table(analysis: Analysis) -> Table:
    rows = analysis.correlations
    shown = pd.DataFrame(
        {
            "what is known": rows["cause"].map(label),
            "understanding": rows["outcome"].map(_name),
            "n": [_n(row.unit, row.n, row.n_classes) for row in rows_of(rows)],
            "rho [interval]": merged(rows, "rho", "low", "high"),
            "p": rows["p"].map(p_value),
            "p (Holm)": rows["p_holm"].map(p_value),
            "note": [MISSING if is_missing(one) else str(one) for one in rows["reason"]],
        }
    )
    return table(
        analysis,
        rows,
        id="correlations",
        title="All correlations",
        caption=f"Between {listed([prose(cause) for cause in CAUSES])}, and {count(len(OUTCOMES), 'measure')} of understanding.",
        computed=_how(analysis, "as in the table"),
        shown=shown,
    )
