"""What a results section is made of: numbers, figures, tables, text. Plain data that can be pickled, shown, and written to files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pandas as pd

from barlow_core import vega
from barlow_core.errors import BarlowError
from study.report.style import WARNING
from study.store.export import safe

CLICK = "pick"


@dataclass(frozen=True)
class Number:
    """A number of a section, as text.

    Attributes:
        label, value: what it is, and how much.
        interval: of it, or "".
        n: what it rests on.
        help: one sentence on what it means.
    """

    label: str
    value: str
    interval: str = ""
    n: str = ""
    help: str = ""


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure with everything that belongs to it.

    Attributes:
        id: also of its files.
        title, caption: plain text.
        paper: the figure of the paper that it stands for, such as "Figure 9a".
        computed: Markdown: how it was computed (formula, n, exclusions, seed, versions). What comes from the study is escaped.
        text: plain text, ready to paste.
        data: what is drawn, as its CSV has it.
        content: the Vega-Lite specification without title and style; None where there is nothing to draw, and `reason` says why.
        subtitle: what it is about; banner: of simulated data, in the figure itself.
        opens: "item" or "worker" where a point leads to one; the points carry a field of that name.
    """

    id: str
    title: str
    caption: str
    computed: str
    text: str
    data: pd.DataFrame
    content: Mapping[str, Any] | None
    paper: str | None = None
    reason: str | None = None
    subtitle: str = ""
    banner: str | None = None
    opens: str | None = None

    @property
    def selection(self) -> str | None:
        """The selection whose points carry `opens`; None where nothing can be picked."""
        return CLICK if self.opens and self.content else None

    def spec(self) -> dict[str, Any]:
        """The whole Vega-Lite specification, without a ground of its own.

        Raises:
            BarlowError: there is nothing to draw.
        """
        if self.content is None:
            raise BarlowError(f"No figure {self.id}: {self.reason}.")
        lines = [line for line in (self.banner, self.subtitle) if line]
        title = {"text": self.title, "subtitle": lines, "subtitleColor": WARNING if self.banner else vega.MUTED}
        if self.banner:
            title["subtitleFontWeight"] = "bold"
        return {"$schema": vega.SCHEMA, "title": title, **self.content, "config": vega.config()}

    @property
    def chart(self) -> Any:
        """The figure as an Altair chart."""
        import altair

        return altair.Chart.from_dict(self.spec())

    def svg(self) -> bytes:
        """The figure as SVG, on white."""
        return _rendered(self, "svg", 1.0)

    def png(self, scale: float = 2.0) -> bytes:
        """The figure as PNG, on white; a scale of 2 is about 200 dots per inch at the size of the SVG."""
        return _rendered(self, "png", scale)

    def csv(self) -> bytes:
        """What is drawn, as CSV; with a column `simulated` where the data are."""
        return csv_bytes(self.data, self.banner)

    def file_name(self, kind: str) -> str:
        """ "figure_9a_ease_and_confidence.png" """
        paper = f"{self.paper.lower().replace(' ', '_')}_" if self.paper else ""
        return f"{paper}{self.id}.{kind}"

    def selected(self, selection: Mapping[str, Any] | None) -> list[str]:
        """The ids that a reader picked, from what Streamlit gives as `event.selection`."""
        picked = (selection or {}).get(CLICK) or []
        rows = picked if isinstance(picked, list) else [picked]
        found: list[str] = []
        for row in rows:
            value = row.get(self.opens) if isinstance(row, Mapping) and self.opens else None
            found += [str(one) for one in (value if isinstance(value, list) else [value]) if one is not None]
        return list(dict.fromkeys(found))


@dataclass(frozen=True, eq=False)
class Table:
    """A table with everything that belongs to it.

    Attributes:
        id: also of its file.
        title, caption: plain text.
        paper: the table of the paper that it stands for, such as "Table 6".
        computed: Markdown, as of a figure.
        data: all of it, as its CSV has it.
        shown: the same as text, at most `SHOWN` rows.
        items_column: "item" or "worker" where a row leads to one; both tables then have that column.
        pictures: whether the panels of the items belong beside the rows.
        reason: why it is empty.
    """

    id: str
    title: str
    caption: str
    data: pd.DataFrame
    shown: pd.DataFrame
    computed: str = ""
    paper: str | None = None
    items_column: str | None = None
    pictures: bool = False
    reason: str | None = None
    banner: str | None = None

    def csv(self) -> bytes:
        """All rows, as CSV; with a column `simulated` where the data are."""
        return csv_bytes(self.data, self.banner)

    def file_name(self, kind: str = "csv") -> str:
        """ "table_6_easy_items.csv" """
        paper = f"{self.paper.lower().replace(' ', '_').replace('.', '')}_" if self.paper else ""
        return f"{paper}{self.id}.{kind}"


SHOWN = 500


@dataclass(frozen=True, eq=False)
class Section:
    """A part of the results.

    Attributes:
        id, title.
        lead: the finding in a sentence or two, plain text.
        text: paragraphs ready to paste, plain text.
        numbers, figures, tables: of it.
        notes: what limits it, a sentence each.
        banner: of simulated data.
    """

    id: str
    title: str
    lead: str
    text: tuple[str, ...] = ()
    numbers: tuple[Number, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = field(default_factory=tuple)
    banner: str | None = None


def csv_bytes(table: pd.DataFrame, banner: str | None) -> bytes:
    """A table as CSV that a spreadsheet cannot take for formulas; lists become text."""
    made = table.copy()
    for column in made.columns:
        if made[column].dtype == object:
            made[column] = made[column].map(lambda cell: "; ".join(map(_text, cell)) if isinstance(cell, list | tuple) else cell)
    if banner and "simulated" not in made:
        made["simulated"] = banner
    file = io.StringIO()
    safe(made).to_csv(file, index=False, lineterminator="\n", float_format="%.10g")
    return file.getvalue().encode()


def _text(cell: Any) -> str:
    return f"{cell[0]} ({cell[1]})" if isinstance(cell, tuple) and len(cell) == 2 else str(cell)


# The files of a report and its two documents show the same pictures.
@lru_cache(maxsize=64)
def _rendered(figure: Figure, kind: str, scale: float) -> bytes:
    spec = {**figure.spec(), "padding": 12}
    return vega.svg(spec) if kind == "svg" else vega.png(spec, scale=scale)
