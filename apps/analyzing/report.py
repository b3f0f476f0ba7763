"""The whole of it to take away: a report, its files, the answers as they are kept."""

from __future__ import annotations

from html import escape

import streamlit as st
from shared.html import plain

from analyzing.opening import Started
from analyzing.results import heading
from study.analysis import Analysis


def show_report(analysis: Analysis, start: Started) -> None:
    """Buttons that make the report of what the filters keep."""
    st.html(heading("Report", f"All sections with their figures and tables, of what the filters keep: {analysis.n_text}."))
    if analysis.data.answers.empty:
        st.info("There is no answer to report on yet.")
        return
    name = analysis.data.name.rsplit(".", 1)[0]
    left, right = st.columns(2)
    with left.container(border=True, height="stretch"):
        st.html(
            '<h3 class="bw-h3">One page</h3><p class="bw-caption">HTML with everything inside it: opens in any browser, prints, '
            "and needs no connection.</p>"
        )
        st.download_button(
            "Report (HTML)",
            lambda: _page(analysis),
            f"{name}-report.html",
            "text/html",
            key="download report html",
            on_click="ignore",
            icon=":material/download:",
            type="primary",
        )
    with right.container(border=True, height="stretch"):
        st.html(
            '<h3 class="bw-h3">All files</h3><p class="bw-caption">The report, and every figure as PNG and SVG and every table as CSV '
            "beside it, zipped.</p>"
        )
        st.download_button(
            "Everything (ZIP)",
            lambda: _files(analysis),
            f"{name}-report.zip",
            "application/zip",
            key="download report zip",
            on_click="ignore",
            icon=":material/download:",
        )
    st.html(
        '<p class="bw-prose">The same study file and the same filters give the same files, to the byte. Without this page:</p>'
    )
    st.code(f"barlow study analyze {start.path} --out REPORT", language="bash")
    st.html(
        f'<p class="bw-note">{escape(analysis.data.source)} SHA-256 of what was analysed: <code>{analysis.data.digest}</code></p>'
    )
    if analysis.data.path is not None:
        st.caption(f"The answers themselves: barlow study export {plain(str(start.path))} answers.csv")


def _page(analysis: Analysis) -> bytes:
    from study.report import report_html  # templates and fonts, which looking does without

    return report_html(analysis)


def _files(analysis: Analysis) -> bytes:
    from study.report import archive

    return archive(analysis)
