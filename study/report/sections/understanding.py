"""Section 8: does understanding matter?"""

from __future__ import annotations

from typing import Any

import pandas as pd

from barlow_core.wording import count
from study.analysis import Analysis
from study.analysis.understanding import CAUSES, NOT_KNOWN, OF_CLASSES, OUTCOMES
from study.report import charts
from study.report.parts import Figure, Number, Section, Table
from study.report.sections.base import NO_ANSWERS, figure, merged, records_of, rows_of, table
from study.report.style import BLUE, GREY, label, prose, scale
from study.report.wording import MISSING, decimal, how, interval, is_missing, level, listed, p_text, p_value

TITLE = "Does understanding matter?"
PACKAGES = ("scipy", "statsmodels", "numpy", "pandas")
FORMULA = (
    "Spearman's rank correlation over items (over groups, a class by label or by prediction, for the error rate, which items of a group share); p-values from the same resamples as the "
    "intervals, corrected by Holm over all pairs"
)
OVER_CLASSES = "bootstrap over groups (a class by label or by prediction), each with all its items; percentiles"
CLEAR, UNCLEAR = "clear after correction", "not clear"


def make(analysis: Analysis) -> Section:
    """Ease and agreement against error rate, activation, mutual information and salience."""
    rows = analysis.correlations
    tested = rows[rows["p_holm"].notna()]
    clear = tested[tested["p_holm"] < 1 - analysis.options.confidence]
    unknown = [label(cause) for cause in CAUSES if (rows.loc[rows["cause"] == cause, "reason"] == NOT_KNOWN).all()]
    if not len(analysis.data.answers):
        lead = NO_ANSWERS.capitalize() + "."
    elif not len(tested):
        lead = "The study knows too little of its features to say."
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
            "A group is a class by label, or a class by prediction; the interval resamples groups with all their items.",
            "A correlation is no cause: easy features may differ in other ways, too.",
        ),
        banner=analysis.banner,
    )


def _text(analysis: Analysis, tested: pd.DataFrame, clear: pd.DataFrame) -> tuple[str, ...]:
    """Every correlation of ease, and the clearest ones of everything."""
    if tested.empty:
        return ()
    confidence = analysis.options.confidence
    ease = [
        f"{decimal(row['rho'])} with {prose(row['cause'])} ({_ends(row, confidence)}{_n(row['unit'], row['n'], row['n_classes'])})"
        for row in records_of(tested[tested["outcome"] == "ease"])
    ]
    sentences = [f"Spearman's rank correlation of the average ease was {listed(ease)}."] if ease else []
    least = p_text(tested["p_holm"].min())
    if clear.empty:
        sentences.append(
            f"No correlation of {count(len(tested), 'pair')} was clear after Holm's correction (the smallest corrected {least})."
        )
    found = [_sentence(row, confidence) for row in records_of(clear.sort_values("p_holm", kind="stable").head(6))]
    return (" ".join(sentences), *found) if sentences else tuple(found)


def _n(unit: str, n: int, n_classes: int) -> str:
    """What a correlation rests on: "90 items of 18 groups", "18 groups"; a group is a class by label or by prediction."""
    groups = count(int(n_classes), "group")
    return groups if unit == "classes" else f"{count(int(n), 'item')} of {groups}"


def _ends(row: dict[str, Any], confidence: float) -> str:
    ends = interval(row["low"], row["high"], confidence)
    return f"{ends}; " if ends else ""


def _sentence(row: dict[str, Any], confidence: float) -> str:
    direction = "rises" if row["rho"] > 0 else "falls"
    what = _name(row["outcome"])
    return (
        f"{what} {direction} with {prose(row['cause'])}: Spearman's ρ = {decimal(row['rho'])} ({interval(row['low'], row['high'], confidence)}), "
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
    reason = None if len(shown) else ("; ".join(reasons) if len(analysis.data.answers) else NO_ANSWERS)
    content = None
    if not reason:
        content = charts.intervals(
            shown,
            x_title="Spearman's rank correlation",
            colours=scale({CLEAR: BLUE, UNCLEAR: GREY}),
            reference=0.0,
            dodge=False,
            panel="cause",
            step=20,
        )
    return figure(
        analysis,
        id="understanding",
        title="Understanding against what is known of features",
        caption=f"Rank correlations with {level(analysis.options.confidence)} intervals, uncorrected. Blue: clear after Holm's correction for all pairs.",
        computed=how(analysis, FORMULA, n="as in the table, a number for each pair", intervals=OVER_CLASSES, packages=PACKAGES),
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
        caption=f"Each point is a feature. {rho}"
        + (" Features of a group share its error rate." if cause in OF_CLASSES else "")
        + charts.thinning_text(len(drawn), len(charts.thinned(drawn, None))),
        computed=how(analysis, FORMULA, n=_n(row["unit"], row["n"], row["n_classes"]), intervals=OVER_CLASSES, packages=PACKAGES),
        text=rho,
        data=rows,
        content=charts.cloud(drawn, x=cause, y="ease", x_title=axis, y_title="Average ease (1 to 5)", opens="item")
        if len(drawn)
        else None,
        reason=None if len(drawn) else NO_ANSWERS,
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
        computed=how(analysis, FORMULA, n="as in the table", intervals=OVER_CLASSES, packages=PACKAGES),
        shown=shown,
    )
