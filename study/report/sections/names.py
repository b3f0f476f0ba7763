"""Section 7: what people call the features."""

from __future__ import annotations

import pandas as pd

from barlow_core.vega import BLUE
from barlow_core.wording import count
from study.analysis import Analysis
from study.report import charts
from study.report.elements import Figure, Number, Section, Table
from study.report.sections.base import as_text, attributes_to_show, figure, table
from study.report.wording import how, listed, markdown, nothing, sentence, share

TITLE = "Names of the features"
NAMES_TABLE = "names_table"
FORMULA = (
    "the name is the medoid: the short description with the largest mean cosine to the others of the item (British spellings and plurals count as one word); "
    "support: descriptions that share a word with it, itself included"
)


def make(analysis: Analysis) -> Section:
    """A name for each feature, with its support."""
    rows = analysis.names
    named = rows[rows["name"].notna()]
    shared = int((named["support"] > 1).sum())
    lead = sentence(_unnamed(analysis))
    if len(named):
        lead = f"{len(named):,} of {count(len(rows), 'feature')} {'has' if 1 in (len(named), len(rows)) else 'have'} a name{_sharing(len(named), shared)}."
    return Section(
        id="names",
        title=TITLE,
        lead=lead,
        text=_text(named, lead),
        numbers=(
            Number(
                "Features with a name",
                f"{len(named):,}",
                n=f"of {count(len(rows), 'feature')}",
                help="Somebody described them in words.",
            ),
            Number(
                "Supported names",
                share(shared / len(named) if len(named) else None, len(named)),
                n=f"{shared:,} of {count(len(named), 'name')}",
                help="At least one other description shares a word with the name.",
            ),
        ),
        figures=(_figure(analysis),),
        tables=(_table(analysis),),
        notes=("Names are what one worker typed; a name with little support is a guess.",) if len(named) else (),
        banner=analysis.banner,
    )


def _sharing(named: int, shared: int) -> str:
    """How many of the names have a word of another worker."""
    if named == 1:
        return f", which shares {'a' if shared else 'no'} word with another worker's description"
    return f"; {shared:,} of these names {'shares' if shared == 1 else 'share'} a word with another worker's description"


def _unnamed(analysis: Analysis) -> str:
    """Why no feature has a name."""
    return nothing(analysis, "a short description with a word that is not a stop word, so no feature has a name")


def _text(named: pd.DataFrame, lead: str) -> tuple[str, ...]:
    best = named[named["support"] > 1].sort_values(["support", "similarity"], ascending=False, kind="stable").head(3)
    if best.empty:
        return (lead,) if len(named) else ()
    names = [
        f"“{row.name}” ({row.item}, {row.support:,} of {row.n:,} descriptions)"
        for row in best.reset_index().itertuples(index=False)
    ]
    return (f"{lead} The best supported {'name is' if len(names) == 1 else 'names are'} {listed(names)}.",)


def _how(analysis: Analysis) -> str:
    return how(
        analysis,
        FORMULA,
        n=f"{len(analysis.names):,} items",
        extra=[("Vectors", markdown(analysis.vectors_text))],
        packages=("numpy", "gensim", "pandas"),
    )


def _figure(analysis: Analysis) -> Figure:
    named = analysis.names[analysis.names["name"].notna()]
    bins = (
        charts.binned(named["support"].to_numpy(), whole=True) if len(named) else pd.DataFrame(columns=["low", "high", "count"])
    )
    reason = None if len(named) else _unnamed(analysis)
    return figure(
        analysis,
        id="name_support",
        title="How many descriptions support the name",
        caption="Descriptions that share a word with the name of the feature, the name itself included.",
        computed=_how(analysis),
        text="",
        data=bins,
        content=None
        if reason
        else charts.histogram(bins, x_title="Descriptions that share a word with the name", y_title="Features", colour=BLUE),
        reason=reason,
    )


def _table(analysis: Analysis) -> Table:
    items = analysis.item_table
    columns = [column for column in ("grouping", "class_name", "tier", "feature") if column in items]
    rows = analysis.names.join(items[[*columns, "ease", "short"]].rename(columns={"short": "agreement"})).reset_index()
    rows = rows[["item", *columns, "name", "support", "n", "similarity", "words", "ease", "agreement", "reason"]]
    rows = rows.sort_values("support", ascending=False, kind="stable")
    return table(
        analysis,
        rows,
        id=NAMES_TABLE,
        title="Names",
        caption="Name: the description nearest to all others. Similarity: its mean cosine to them. Words: those that several descriptions have, with their number. "
        "Best supported first.",
        computed=_how(analysis),
        shown=as_text(rows[["item", *attributes_to_show(rows, columns), *rows.columns[len(columns) + 1 :]]], feature="whole"),
        items_column="item",
        reason=None if len(rows) else _unnamed(analysis),
    )
