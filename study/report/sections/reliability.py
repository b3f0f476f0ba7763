"""Section 5, first part: do workers agree with each other?"""

from __future__ import annotations

import pandas as pd

from barlow_core.wording import count
from study.analysis import Analysis
from study.report import charts
from study.report.elements import Figure, Number, Section, Table
from study.report.sections.base import as_text, figure, merged, rows_of, table
from study.report.style import label
from study.report.wording import MISSING, because, decimal, how, interval, is_missing, level, listed, nothing, sentence, share

TITLE = "Reliability of answers"
WHAT = {"ease": "a rating of ease", "confidence": "a rating of confidence", "useful": "a choice in question 5"}
PACKAGES = ("krippendorff", "numpy", "scipy", "pandas")
FORMULA = (
    "Krippendorff's alpha, 1 − observed / expected disagreement; ordinal distances for ease and confidence, nominal for preferences; items with one "
    "answer say nothing and are left out"
)
OVER_ITEMS = (
    "about other items with the same workers: Fisher's transformation for intraclass correlations with Student's t, its standard error the jackknife's "
    "over items or, if larger, that without agreement (permutations, in closed form)"
)


def make(analysis: Analysis) -> Section:
    """Krippendorff's alpha of the three questions; models of workers where they were asked for."""
    rows = analysis.alphas
    known = rows[rows["value"].notna()]
    lead = sentence(f"agreement between workers is not defined: {_undefined(analysis)}")
    if len(known):
        parts = [f"{decimal(row.value)} for {label(row.question).lower()}" for row in rows_of(known)]
        lead = f"Krippendorff's alpha is {listed(parts)}: 0 is what chance would give, 1 is perfect agreement."
    tables = [_table(analysis)]
    latent = analysis.latent
    notes = [
        f"{label(row.question)}: {because(analysis, row.reason, WHAT[row.question])}."
        for row in rows_of(rows)
        if not is_missing(row.reason)
    ]
    if latent is not None:
        tables += _latent_tables(analysis)
        if latent.reason:
            notes.append(f"Models of workers: {latent.reason}.")
    return Section(
        id="reliability",
        title=TITLE,
        lead=lead,
        text=_text(analysis),
        numbers=tuple(
            Number(
                f"Alpha, {label(row.question).lower()}",
                decimal(row.value),
                interval(row.low, row.high, row.confidence),
                f"{count(int(row.n_paired), 'answer')} about {count(int(row.n_items), 'item')}",
                f"Krippendorff's alpha, {row.measurement}. The interval is about other items with the same workers.",
            )
            for row in rows_of(rows)
        ),
        figures=(_figure(analysis),),
        tables=tuple(tables),
        notes=tuple(notes),
        banner=analysis.banner,
    )


def _undefined(analysis: Analysis) -> str:
    """Why there is no alpha."""
    if not len(analysis.data.answers):
        return nothing(analysis)
    reasons = {row.question: because(analysis, row.reason, WHAT[row.question]) for row in rows_of(analysis.alphas)}
    if len(set(reasons.values())) == 1:
        return reasons["ease"]
    return "; ".join(f"{label(question).lower()}: {reason}" for question, reason in reasons.items())


def _text(analysis: Analysis) -> tuple[str, ...]:
    parts = []
    for row in rows_of(analysis.alphas):
        if not is_missing(row.value):
            ends = interval(row.low, row.high, row.confidence)
            parts.append(
                f"α = {decimal(row.value)} for {label(row.question).lower()} ({', '.join(filter(None, (str(row.measurement), ends)))})"
            )
    texts = (
        [
            f"Agreement between workers, as Krippendorff's alpha: {listed(parts)}; intervals are about other items and the same workers."
        ]
        if parts
        else []
    )
    latent = analysis.latent
    if latent is not None and latent.same:
        n = int(analysis.votes["vote"].notna().sum())
        same = [
            f"{share(value, n)} ({name})" for name, value in zip(("Dawid and Skene", "MACE"), latent.same.values(), strict=True)
        ]
        texts.append(
            f"Models of workers choose the majority vote of question 5 for {listed(same)} of the items that have one ({latent.versions})."
        )
    return tuple(texts)


def _figure(analysis: Analysis) -> Figure:
    rows = analysis.alphas
    drawn = rows[rows["value"].notna()]
    drawn = pd.DataFrame(
        {
            "label": [f"{label(row.question)} ({row.measurement})" for row in rows_of(drawn)],
            "value": drawn["value"].to_numpy(dtype=float),
            "low": drawn["low"].to_numpy(dtype=float),
            "high": drawn["high"].to_numpy(dtype=float),
            "answers": drawn["n_paired"].to_numpy(),
            "items": drawn["n_items"].to_numpy(),
        }
    )
    reason = None if len(drawn) else _undefined(analysis)
    return figure(
        analysis,
        id="alpha",
        title="Agreement between workers",
        caption=f"Krippendorff's alpha with {level(analysis.options.confidence)} intervals. 0 is what chance would give, 1 is perfect agreement.",
        computed=how(
            analysis, FORMULA, extra=[("Interval", f"{level(analysis.options.confidence)}, {OVER_ITEMS}")], packages=PACKAGES
        ),
        text=" ".join(_text(analysis)[:1]),
        data=drawn,
        content=None if reason else charts.intervals(drawn, x_title="Krippendorff's alpha", reference=0.0),
        reason=reason,
    )


def _table(analysis: Analysis) -> Table:
    rows = analysis.alphas.drop(columns="confidence").rename(columns={"value": "alpha"})
    return table(
        analysis,
        rows,
        id="alphas",
        title="Krippendorff's alpha",
        caption="Answers: those about items with two answers or more, which are all that alpha looks at, of all.",
        computed=how(
            analysis, FORMULA, extra=[("Interval", f"{level(analysis.options.confidence)}, {OVER_ITEMS}")], packages=PACKAGES
        ),
        shown=pd.DataFrame(
            {
                "question": rows["question"].map(label),
                "distance": rows["measurement"],
                "alpha [interval]": merged(rows, "alpha", "low", "high", digits=3),
                "answers": [f"{row.n_paired:,} of {row.n:,}" for row in rows_of(rows)],
                "items": [f"{n:,}" for n in rows["n_items"]],
                "workers": [f"{n:,}" for n in rows["n_workers"]],
                "note": [MISSING if is_missing(one) else str(one) for one in rows["reason"]],
            }
        ),
    )


def _latent_tables(analysis: Analysis) -> list[Table]:
    latent = analysis.latent
    assert latent is not None
    formula = "Dawid and Skene (1979) and MACE (Hovy et al. 2013) on question 5, by crowd-kit"
    computed = how(analysis, formula, extra=[("Seed", str(analysis.options.seed))], packages=("crowd-kit", "numpy", "pandas"))
    workers, items = latent.workers.reset_index(), latent.items.reset_index()
    return [
        table(
            analysis,
            workers,
            id="worker_models",
            title="Workers, by models of question 5",
            caption="Dawid and Skene: chance of choosing what the item deserves. MACE: chance of not answering at random. A preference has no one true answer: "
            "a second opinion, not a verdict.",
            computed=computed,
            shown=as_text(workers, dawid_skene="share", mace="share"),
            items_column="worker",
            reason=latent.reason,
        ),
        table(
            analysis,
            items,
            id="item_models",
            title="Items, by models of question 5",
            caption="The majority vote (a dash where it is tied) beside what the models choose, with their probability.",
            computed=computed,
            shown=as_text(items, majority="label", dawid_skene="label", mace="label", p_dawid_skene="share", p_mace="share"),
            items_column="item",
            reason=latent.reason,
        ),
    ]
