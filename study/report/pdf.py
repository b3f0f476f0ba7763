"""All results as one PDF, laid out by reportlab: the same sections, figures and tables as the HTML."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import PIL.Image
from reportlab.lib import colors
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, Image, KeepTogether, PageTemplate, Paragraph, Spacer
from reportlab.platypus import Table as Grid

from barlow_core.vega import INK, LINE, MUTED, fonts
from study.analysis import Analysis
from study.report import front
from study.report.cells import number_columns, printable
from study.report.elements import Figure, Section, Table
from study.report.pictures import PANEL_SECTIONS, pictures_of
from study.report.sections import all_sections
from study.report.style import WARNING, heading
from study.report.wording import listed

# Of a table of items or workers, of which there are many, and of any other; the text quotes rows of those.
LISTED, ROWS = 25, 80
MARGIN = 18 * mm
WIDTH = A4[0] - 2 * MARGIN
_FONT, _BOLD = "BarlowSans", "BarlowSans-Bold"


def report_pdf(analysis: Analysis, sections: Sequence[Section] | None = None) -> bytes:
    """The report as PDF; the same study and settings give the same bytes.

    Letters that DejaVu Sans lacks (Chinese, Japanese, Korean, emoji) come out as empty boxes here, and as they are in the HTML.

    Args:
        sections: those that are made already; None makes all.
    """
    _register_fonts()
    made = list(all_sections(analysis)) if sections is None else sections
    file = io.BytesIO()
    document = BaseDocTemplate(
        file,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=22 * mm,
        bottomMargin=18 * mm,
        title=front.title(analysis),
        author="Barlow",
        invariant=1,
    )
    frame = Frame(document.leftMargin, document.bottomMargin, WIDTH, document.height, id="body", leftPadding=0, rightPadding=0)

    def page(canvas: Any, _: Any) -> None:
        canvas.saveState()
        canvas.setFont(_FONT, 7.5)
        canvas.setFillColor(colors.HexColor(MUTED))
        canvas.drawRightString(A4[0] - MARGIN, 10 * mm, f"{canvas.getPageNumber()}")
        if analysis.banner:
            canvas.setFillColor(colors.HexColor(WARNING))
            canvas.rect(MARGIN, A4[1] - 16 * mm, WIDTH, 7 * mm, stroke=0, fill=1)
            canvas.setFillColor(colors.white)
            canvas.setFont(_BOLD, 8.5)
            canvas.drawString(MARGIN + 3 * mm, A4[1] - 13.6 * mm, analysis.banner)
        canvas.restoreState()

    document.addPageTemplates([PageTemplate(id="page", frames=[frame], onPage=page)])
    story: list[Flowable] = [Paragraph(escape(front.title(analysis)), _style("title")), *_facts(front.facts(analysis))]
    for section in made:
        story += _section(analysis, section)
    document.build(story)
    return file.getvalue()


def _register_fonts() -> None:
    for name, file in ((_FONT, "DejaVuSans.ttf"), (_BOLD, "DejaVuSans-Bold.ttf")):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, str(fonts() / file)))
    pdfmetrics.registerFontFamily(_FONT, normal=_FONT, bold=_BOLD, italic=_FONT, boldItalic=_BOLD)


def _style(kind: str) -> ParagraphStyle:
    base: dict[str, Any] = {"fontName": _FONT, "fontSize": 9, "leading": 12.5, "textColor": colors.HexColor(INK), "spaceAfter": 4}
    changes: dict[str, dict[str, Any]] = {
        "title": {"fontName": _BOLD, "fontSize": 17, "leading": 21, "spaceAfter": 8},
        "h2": {"fontName": _BOLD, "fontSize": 13, "leading": 16, "spaceBefore": 16, "spaceAfter": 4, "keepWithNext": 1},
        "lead": {"fontSize": 10, "leading": 14, "keepWithNext": 1},
        "text": {},
        "small": {"fontSize": 7.2, "leading": 9.6, "textColor": colors.HexColor(MUTED), "spaceAfter": 2},
        "value": {"fontName": _BOLD, "fontSize": 12, "leading": 15, "spaceAfter": 0},
        "head": {"fontName": _BOLD, "fontSize": 6.6, "leading": 8.2, "spaceAfter": 0},
        "head_number": {"fontName": _BOLD, "fontSize": 6.6, "leading": 8.2, "spaceAfter": 0, "alignment": TA_RIGHT},
        "cell": {"fontSize": 6.6, "leading": 8.4, "spaceAfter": 0, "splitLongWords": 1},
        "number": {"fontSize": 6.6, "leading": 8.4, "spaceAfter": 0, "alignment": TA_RIGHT},
    }
    return ParagraphStyle(kind, **{**base, **changes[kind]})


def _facts(rows: Sequence[tuple[str, str]]) -> list[Flowable]:
    cells = [[Paragraph(escape(name), _style("small")), Paragraph(escape(text), _style("small"))] for name, text in rows]
    return [
        Grid(cells, colWidths=[32 * mm, WIDTH - 32 * mm], style=[("VALIGN", (0, 0), (-1, -1), "TOP"), *_TIGHT]),
        Spacer(1, 4 * mm),
    ]


_TIGHT = [("LEFTPADDING", (0, 0), (-1, -1), 0), ("TOPPADDING", (0, 0), (-1, -1), 0.5), ("BOTTOMPADDING", (0, 0), (-1, -1), 0.5)]


def _section(analysis: Analysis, section: Section) -> Iterator[Flowable]:
    yield Paragraph(escape(section.title), _style("h2"))
    yield Paragraph(escape(section.lead), _style("lead"))
    if section.numbers:
        yield _numbers(section)
        yield Spacer(1, 2.5 * mm)
    for text in section.text:
        yield Paragraph(escape(text), _style("text"))
    for note in section.notes:
        yield Paragraph(f"• {escape(note)}", _style("small"))
    for figure in section.figures:
        yield _figure(figure)
    for table in section.tables:
        yield from _table(analysis, table)


def _numbers(section: Section, columns: int = 4) -> Flowable:
    cells: list[list[Flowable]] = [
        [
            Paragraph(escape(number.label), _style("small")),
            Paragraph(escape(number.value), _style("value")),
            Paragraph(escape("; ".join(part for part in (number.interval, number.n) if part)), _style("small")),
        ]
        for number in section.numbers
    ]
    rows = [cells[at : at + columns] for at in range(0, len(cells), columns)]
    rows[-1] += [[] for _ in range(columns - len(rows[-1]))]
    return Grid(rows, colWidths=[WIDTH / columns] * columns, style=[("VALIGN", (0, 0), (-1, -1), "TOP"), *_TIGHT], hAlign="LEFT")


def _figure(figure: Figure) -> Flowable:
    name = f"<b>{escape(figure.title)}</b>{f' ({escape(figure.paper)} of the paper)' if figure.paper else ''}. "
    if figure.reason:
        return Paragraph(f"{name}No figure: {escape(figure.reason)}.", _style("small"))
    picture = Image(io.BytesIO(figure.png()))
    wide, high = picture.imageWidth, picture.imageHeight
    # At the size at which its letters are those of the text, and never larger than the page.
    factor = min(0.6 / 2, WIDTH / wide, 205 * mm / high)
    picture.drawWidth, picture.drawHeight, picture.hAlign = wide * factor, high * factor, "LEFT"
    how = "; ".join(f"<b>{escape(label)}:</b> {escape(text)}" for label, text in front.computed_lines(figure.computed))
    return KeepTogether(
        [
            picture,
            Paragraph(f"{name}{escape(figure.caption)}", _style("small")),
            Paragraph(how, _style("small")),
            Spacer(1, 3 * mm),
        ]
    )


def _table(analysis: Analysis, table: Table) -> Iterator[Flowable]:
    name = (
        f"<b>{escape(table.title)}</b>{f' ({escape(table.paper)} of the paper)' if table.paper else ''}. {escape(table.caption)}"
    )
    if table.reason and table.shown.empty:
        yield Paragraph(f"{name} Empty: {escape(table.reason)}.", _style("small"))
        return
    shown, left_out = _that_fit(printable(table.shown))
    most = LISTED if table.items_column else ROWS
    more = f" The first {most} of {len(table.data):,} rows; the CSV has all." if len(table.data) > most else ""
    if left_out:
        more += f" No room here for {listed([heading(name) for name in left_out])}; the CSV has them."
    title = _style("small")
    title.keepWithNext = 1
    title.spaceBefore = 6
    yield Paragraph(name + more, title)
    right = number_columns(shown)
    heads = [Paragraph(escape(heading(column)), _style("head_number" if column in right else "head")) for column in shown.columns]
    rows: list[list[Any]] = [heads]
    style: list[Any] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.HexColor(MUTED)),
        ("LINEBELOW", (0, 1), (-1, -1), 0.3, colors.HexColor(LINE)),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 4),
        ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
    ]
    for _, row in shown.head(most).iterrows():
        rows.append([Paragraph(escape(str(row[name])), _style("number" if name in right else "cell")) for name in shown.columns])
        if table.pictures and table.items_column:
            panel = _panel(analysis, str(row[table.items_column]))
            rows.append([panel, *([""] * (len(shown.columns) - 1))])
            style += [("SPAN", (0, len(rows) - 1), (-1, len(rows) - 1)), ("NOSPLIT", (0, len(rows) - 2), (-1, len(rows) - 1))]
    yield Grid(rows, colWidths=_widths(shown), repeatRows=1, style=style, hAlign="LEFT")
    yield Spacer(1, 4 * mm)


def _that_fit(shown: Any) -> tuple[Any, list[str]]:
    """The first columns, as many as a page is wide when no word is broken, and the names of the others."""
    wide = 0.0
    for at, column in enumerate(shown.columns):
        wide += _room(shown, column)[0]
        if wide > WIDTH and at:
            return shown[shown.columns[:at]], [str(name) for name in shown.columns[at:]]
    return shown, []


def _room(shown: Any, column: Any) -> tuple[float, float]:
    """What a column needs: at least its longest word, at most its longest text."""
    texts = [(heading(column), _BOLD), *((str(cell), _FONT) for cell in shown[column].head(ROWS))]
    # A number and its sign of percent stay together, as in the cell.
    words = ((word, font) for text, font in texts for word in (text.split(" ") or [""]))
    least = max(min(_wide(word, font), 30 * mm) for word, font in words)
    return least + 6, max(min(_wide(text, font), 95 * mm) for text, font in texts) + 6


def _widths(shown: Any) -> list[float]:
    """Widths of columns by the room that their texts need, within the page."""
    least, most = map(list, zip(*(_room(shown, column) for column in shown.columns), strict=True))
    left = WIDTH - sum(least)
    if left <= 0:
        return [one * WIDTH / sum(least) for one in least]
    wish = [max(large - small, 0.0) for small, large in zip(least, most, strict=True)]
    share = min(1.0, left / sum(wish)) if sum(wish) else 0.0
    return [small + share * more for small, more in zip(least, wish, strict=True)]


def _wide(text: str, font: str) -> float:
    return pdfmetrics.stringWidth(text, font, 6.6)


def _photo(path: Path) -> io.BytesIO:
    """A picture as JPEG, which a PDF holds as it is: a quarter of the bytes of its pixels, and no difference to see at this size."""
    made = io.BytesIO()
    with PIL.Image.open(path) as picture:
        picture.convert("RGB").save(made, "JPEG", quality=90)
    made.seek(0)
    return made


def _panel(analysis: Analysis, item: str) -> Flowable | list[Flowable]:
    pictures = pictures_of(analysis, item)
    if pictures.reason:
        return Paragraph(escape(pictures.reason), _style("small"))
    side = 15 * mm
    rows = [
        [
            Paragraph(f"<b>{letter}</b> {text}", _style("small")),
            *(Image(_photo(path), width=side, height=side, kind="proportional") for path, _ in row),
        ]
        for (letter, text), row in zip(PANEL_SECTIONS, pictures.rows, strict=True)
    ]
    return Grid(
        rows,
        colWidths=[26 * mm, *([side + 1.5 * mm] * (len(rows[0]) - 1))],
        style=[("VALIGN", (0, 0), (-1, -1), "MIDDLE"), *_TIGHT],
        hAlign="LEFT",
    )
