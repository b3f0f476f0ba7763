"""Everything to download: a report, its files, the command that makes them."""

from __future__ import annotations

from functools import partial
from html import escape
from pathlib import Path

import streamlit as st

from analyzing.csv_columns import columns_of
from analyzing.results import heading
from analyzing.source import Source
from analyzing.study_place import here
from study.analysis import Analysis
from study.analysis.command import analyze_command
from study.answers.mapping import guess_mapping, mapping_text


def show_report(analysis: Analysis, start: Source) -> None:
    """Buttons that make the report of what the filters keep."""
    st.html(heading("Report", f"All sections with their figures and tables, for what the filters keep: {analysis.n_text}."))
    if analysis.data.answers.empty:
        st.info("There are no answers to report on yet.")
        return
    name = Path(analysis.study.name).stem
    cards = (
        (
            "Report (HTML)",
            "report.html",
            "text/html",
            _page,
            "One self-contained page that opens in any browser, offline too.",
        ),
        ("Report (PDF)", "report.pdf", "application/pdf", _print, "The same as a document to print, with all figures."),
        (
            "Everything (ZIP)",
            "report.zip",
            "application/zip",
            _files,
            "The reports, every figure as PNG and SVG, every table as CSV.",
        ),
    )
    for column, (label, file, kind, make, text) in zip(st.columns(3), cards, strict=True):
        with column.container(border=True, height="stretch"):
            st.download_button(
                label,
                partial(make, analysis),  # made when it is asked for
                f"{name}-{file}",
                kind,
                key=f"download {file}",
                on_click="ignore",
                icon=":material/download:",
            )
            st.html(f'<p class="bw-caption">{text} Takes a few seconds to make.</p>')
    st.html(
        '<p class="bw-prose">The same study file and filters always give the same files, byte for byte. To make them without this page:</p>'
    )
    st.code(_command(analysis, start), language="bash", wrap_lines=True)
    digest = f"SHA-256 of what was analysed: <code>{analysis.data.digest}</code>"
    st.html(f'<p class="bw-note">{escape(analysis.study.source)} {digest}</p>')


def _command(analysis: Analysis, start: Source) -> str:
    """What makes the same files at the terminal."""
    columns = mapping_text(columns_of(start), guess_mapping(start.path)) if start.is_csv else ""
    return analyze_command(
        start.path.absolute(),
        analysis.filters,
        analysis.options,
        vectors=here().vectors,
        columns=columns,
        missing=start.missing,
    )


def _page(analysis: Analysis) -> bytes:
    from study.report import report_html  # templates and fonts, which looking does without

    return report_html(analysis)


def _print(analysis: Analysis) -> bytes:
    from study.report import report_pdf

    return report_pdf(analysis)


def _files(analysis: Analysis) -> bytes:
    from study.report import archive

    return archive(analysis)
