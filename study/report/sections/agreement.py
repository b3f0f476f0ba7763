"""Section 4: how much descriptions of a feature agree (appendix G: Figure 66, Tables 6 and 7)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from barlow_core.wording import count
from study.agreement.descriptions import KINDS
from study.analysis import Analysis
from study.answers.tokenization import AS_THE_PAPER
from study.report import charts
from study.report.elements import Figure, Number, Section, Table
from study.report.sections.base import as_text, attributes_to_show, figure, rows_of, table
from study.report.style import KIND_COLOURS, label, scale
from study.report.wording import (
    MISSING,
    OVER_PAIRS,
    decimal,
    how,
    interval,
    is_missing,
    listed,
    markdown,
    nothing,
    share,
    with_interval,
)
from study.statistics.estimates import ALL_THE_SAME
from study.statistics.examples import DIFFICULT, EASY

TITLE = "Agreement of descriptions"
PACKAGES = ("numpy", "scipy", "pandas", "gensim")
RULE = (
    "lower case, split on punctuation, stop words (NLTK's 179) and words without a vector dropped; a description is the mean of the raw word vectors; "
    "agreement is the mean cosine over all pairs of descriptions of an item, equal ones included. Fewer than two usable descriptions: not defined"
)

PAPER_VECTORS = ("Vectors", "those that a caller gave loaded, else those that ship with Barlow")

SAME_AGREEMENT = "all pairs of descriptions agree alike: nothing to resample, so no interval"


def make(analysis: Analysis) -> Section:
    """Agreement of short, long and concatenated descriptions; coverage; easy and difficult items; the paper's items."""
    found = analysis.coverage
    means = analysis.mean_agreement
    return Section(
        id="agreement",
        title=TITLE,
        lead=_lead(analysis),
        text=_text(analysis),
        numbers=(
            *(
                Number(
                    label(kind),
                    decimal(estimate.value, 3),
                    interval(estimate.low, estimate.high, estimate.confidence, digits=3),
                    f"{estimate.n_items:,} of {count(len(analysis.agreement[kind]), 'item')}",
                    "Mean over the items whose agreement is defined, from −1 to 1.",
                )
                for kind, estimate in means.items()
            ),
            Number(
                "Words with a vector",
                share(found.share, found.words),
                "",
                f"{found.known:,} of {count(found.words, 'word')}",
                "Occurrences of words that are not stop words, in all descriptions. The others are dropped.",
            ),
        ),
        figures=(_distribution(analysis),),
        tables=(*_examples(analysis), _unknown(analysis), _undefined(analysis), _paper(analysis)),
        notes=_notes(analysis),
        banner=analysis.banner,
    )


def wording_text(analysis: Analysis) -> str:
    """Departures from the paper's rule."""
    wording = analysis.options.wording
    on = [
        text
        for used, text in (
            (wording.spelling, "British and American spellings count as one (grey, gray)"),
            (wording.hyphens, "hyphenated words are looked up whole first"),
            (wording.plurals, "plurals count as singulars"),
        )
        if used
    ]
    return f"departures from the paper's rule: {listed(on)}" if on else "the paper's rule, without departures"


def _lead(analysis: Analysis) -> str:
    means = analysis.mean_agreement
    if all(estimate.value is None for estimate in means.values()):
        return f"The agreement of descriptions is not defined: {_undefined_reason(analysis)}."
    parts = [
        f"{decimal(estimate.value, 2)} for {label(kind).lower()}"
        for kind, estimate in means.items()
        if estimate.value is not None
    ]
    return f"The mean cosine between descriptions of the same feature is {listed(parts)}."


def _text(analysis: Analysis) -> tuple[str, ...]:
    means, found = analysis.mean_agreement, analysis.coverage
    if not found.words:
        return ()
    parts = "; ".join(
        f"{label(kind).lower()} {with_interval(estimate, digits=3)}"
        for kind, estimate in means.items()
        if estimate.value is not None
    )
    measured = "Agreement of descriptions, measured as the mean pairwise cosine of averaged word vectors"
    first = (
        f"{measured}{': ' + parts if parts else f', is not defined: {_undefined_reason(analysis)}'}. The vectors ({analysis.vectors_text}) know "
        f"{share(found.share, found.words)} of {count(found.words, 'word that is not a stop word', 'words that are not stop words')}"
        f"{'' if found.known == found.words else '; the others are left out'}."
    )
    if not parts:
        return (first,)
    undefined = {kind: int(table["agreement"].isna().sum()) for kind, table in analysis.agreement.items()}
    second = "It is defined for every feature."
    if any(undefined.values()):
        missing = listed([f"{n:,} ({label(kind).lower()})" for kind, n in undefined.items() if n])
        second = f"It is not defined, for want of two usable descriptions, for {missing} of {count(len(analysis.agreement['short']), 'feature')}."
    return (first, second)


def _undefined_reason(analysis: Analysis) -> str:
    """Why no item has an agreement."""
    return "no item has two usable descriptions" if len(analysis.data.answers) else nothing(analysis, "a description")


def _notes(analysis: Analysis) -> tuple[str, ...]:
    found = analysis.coverage
    reasons = dict.fromkeys(
        SAME_AGREEMENT if one.reason == ALL_THE_SAME else str(one.reason)
        for one in analysis.mean_agreement.values()
        if one.value is not None and not is_missing(one.reason)
    )
    notes = [f"Mean agreement: {reason}." for reason in reasons]
    notes += [f"Word vectors: {analysis.vectors_text}; {wording_text(analysis)}."]
    if len(found.unknown):
        words = [f"{row.word} ({row.occurrences})" for row in rows_of(found.unknown.head(12))]
        more = f" and {len(found.unknown) - 12:,} more" if len(found.unknown) > 12 else ""
        notes.append(f"Words without a vector: {', '.join(words)}{more}.")
    return tuple(notes)


def _extra(analysis: Analysis) -> list[tuple[str, str]]:
    found = analysis.coverage
    return [
        (
            "Vectors",
            f"{markdown(analysis.vectors_text)}; {found.known:,} of {found.words:,} words known ({share(found.share, found.words)})",
        ),
        ("Wording", wording_text(analysis)),
    ]


def _distribution(analysis: Analysis) -> Figure:
    parts = []
    for kind, found in analysis.agreement.items():
        defined = found[found["agreement"].notna()].sort_values("agreement", kind="stable")
        n = len(defined)
        parts.append(
            pd.DataFrame(
                {
                    "series": label(kind),
                    "item": defined.index,
                    "agreement": defined["agreement"].to_numpy(dtype=float),
                    "descriptions": defined["usable"].to_numpy(),
                    "share": np.arange(1, n + 1) / max(n, 1),
                }
            )
        )
    points = pd.concat(parts, ignore_index=True)
    reason = None if len(points) else _undefined_reason(analysis)
    return figure(
        analysis,
        id="agreement",
        paper="Figure 66",
        title="Agreement of the descriptions of a feature",
        caption="Each point is a feature: the mean cosine between its descriptions, and the share of features up to and with it."
        + charts.thinning_text(len(points), len(charts.thinned(points, "series"))),
        computed=how(
            analysis,
            RULE,
            n="; ".join(
                f"{label(kind)}: {int(found['agreement'].notna().sum()):,} of {len(found):,} items"
                for kind, found in analysis.agreement.items()
            ),
            intervals=f"of the means over items: {OVER_PAIRS}",
            extra=_extra(analysis),
            packages=PACKAGES,
        ),
        text=_lead(analysis) if len(points) else "",
        data=points,
        content=None
        if reason
        else charts.staircase(
            points,
            x="agreement",
            x_title="Mean cosine between descriptions",
            y_title="Share of items with at most this value",
            colours=scale({label(kind): colour for kind, colour in KIND_COLOURS.items()}),
        ),
        reason=reason,
        opens="item",
    )


def _examples(analysis: Analysis) -> list[Table]:
    tables = []
    for rows, paper, criterion, name, title in (
        (analysis.easy, "Table 6", EASY, "easy_items", "Features that are easy to describe"),
        (analysis.difficult, "Table 7", DIFFICULT, "difficult_items", "Features that are difficult to describe"),
    ):
        data = rows.reset_index()
        hidden = ("item", "class_name", "grouping", "tier", "short_descriptions", "long_descriptions")
        columns = ["item", *attributes_to_show(data, ("class_name", "grouping", "tier"))]
        columns += [column for column in data.columns if column not in hidden]
        shown = as_text(data[[*columns, "short_descriptions", "long_descriptions"]], **dict.fromkeys(KINDS, "fine"))
        tables.append(
            table(
                analysis,
                data,
                id=name,
                paper=paper,
                title=title,
                caption=criterion.format(min_answers=analysis.options.min_answers)
                + " The paper does not say how it chose; this criterion is ours. Short, long, concatenated: agreement of these descriptions.",
                computed=how(analysis, RULE, extra=_extra(analysis), packages=PACKAGES),
                shown=shown,
                items_column="item",
                pictures=True,
                reason=None if len(data) else f"no item has {count(analysis.options.min_answers, 'rating')} of ease",
            )
        )
    return tables


def _unknown(analysis: Analysis) -> Table:
    rows = analysis.coverage.unknown
    return table(
        analysis,
        rows,
        id="unknown_words",
        title="Words without a vector",
        caption="They are left out of the agreement. Stop words are not listed.",
        reason=None
        if len(rows)
        else "every word has a vector"
        if analysis.coverage.words
        else nothing(analysis, "a word that is not a stop word"),
    )


def _undefined(analysis: Analysis) -> Table:
    rows = [
        {"kind": label(kind), "reason": reason, "items": int(n)}
        for kind, found in analysis.agreement.items()
        for reason, n in found.loc[found["agreement"].isna(), "reason"].value_counts().sort_index().items()
    ]
    data = pd.DataFrame(rows, columns=["kind", "reason", "items"])
    return table(
        analysis,
        data,
        id="undefined_agreement",
        title="Items without an agreement, and why",
        caption="They are in no mean and in no curve.",
        reason=None
        if len(data)
        else "the agreement of every item is defined"
        if len(analysis.data.answers)
        else nothing(analysis, "a description"),
    )


def _paper(analysis: Analysis) -> Table:
    rows = analysis.paper_agreement
    departs = analysis.options.wording != AS_THE_PAPER
    shown = as_text(rows.drop(columns="table"), paper="fine", computed="fine", difference="fine", feature="whole")
    shown["unknown"] = [", ".join(words) if words else MISSING for words in rows["unknown"]]
    return table(
        analysis,
        rows,
        id="paper_agreement",
        title="The paper's own items: computed against printed",
        caption="Short descriptions of Tables 6 and 7 of the paper. Unknown: words of theirs without a vector here. "
        f"{_reproduced(rows, wording_text(analysis) if departs else '')} These are not answers of this study.",
        computed=how(
            analysis,
            RULE,
            n=f"{count(len(rows), 'item')} of the paper",
            extra=[PAPER_VECTORS, *_extra(analysis)[1:]],
            packages=PACKAGES,
            of_study=False,
        ),
        shown=shown,
    )


def _reproduced(rows: pd.DataFrame, departures: str) -> str:
    """How many of the paper's numbers come out, of all items and of those whose words are all known.

    Args:
        departures: from the paper's rule, in words; "" for none.
    """
    known = rows[[not words for words in rows["unknown"]]]
    text = f"To the four decimals that the paper prints, {int(rows['same'].sum()):,} of {count(len(rows), 'number')} {'comes' if rows['same'].sum() == 1 else 'come'} out the same"
    if len(known):
        text += f", {int(known['same'].sum()):,} of the {count(len(known), 'item')} without unknown words"
    if departures:
        return f"{text}; they need not, with {departures}."
    missed = [
        f"{row.class_name} ({row.paper:.4f} printed, {decimal(row.computed, 4)} here)" for row in rows_of(known[~known["same"]])
    ]
    text += ". With unknown words another number is to be expected, without any the same."
    return f"{text} Not explained: {listed(missed)}." if missed else text
