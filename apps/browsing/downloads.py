"""Taking results away: a report of chosen failure modes, tables, images of a node, a link to exactly this state."""

from __future__ import annotations

import tempfile
import zipfile
from functools import partial
from html import escape
from io import BytesIO
from pathlib import Path
from urllib.parse import urlencode

import pandas as pd
import streamlit as st
from shared.html import plain

from barlow_core import export, views
from barlow_core.errors import BarlowError
from barlow_core.failure_tree import Node
from barlow_core.run import Run
from barlow_core.wording import percent
from browsing.data import of_group, of_run
from browsing.header import depth_of
from browsing.judgements import Opinions
from browsing.run_place import Kept, Place, go, here, unparse

FORMATS = ("csv", "parquet", "json")
STRONGEST = 5  # failure modes that are offered to an empty basket


def show_downloads(run: Run, opinions: Opinions, usual: Place) -> None:
    """The page, from top to bottom.

    Args:
        usual: the place as it is by default in this run, which the link leaves out.
    """
    st.html(
        '<h2 class="bw-h2">Export</h2><p class="bw-lead">A report on the failure modes that you selected, every table, '
        "and a link to this page.</p>"
    )
    kept = _known(run)
    _basket(run, kept)
    _report(run, kept, opinions)
    _tables(run, opinions)
    _images(run, kept)
    _link(usual)


def _known(run: Run) -> list[Kept]:
    """What is in the basket and in the run."""
    kept = []
    for mark in here().kept:
        try:
            _node(run, mark)
        except (BarlowError, KeyError):
            continue
        kept.append(mark)
    if len(kept) < len(here().kept):
        st.warning("Some of the selected failure modes are not in this run, or no longer; they are left out.")
    return kept


def _node(run: Run, mark: Kept) -> Node:
    """The node that was kept.

    Raises:
        BarlowError, KeyError: the run has no such group, or its tree no such node.
    """
    evaluation = of_group(run, views.re_evaluate, mark.key, depth=mark.depth, min_leaf=mark.min_leaf)
    return evaluation.analysis.tree.node(mark.node)


def _basket(run: Run, kept: list[Kept]) -> None:
    if not kept:
        st.info("Nothing is selected yet. Open a failure mode and press “Add to export”, or start with the strongest ones:")
        best = of_run(run, export.strongest, depth=depth_of(run), top=STRONGEST)
        marks = tuple(Kept(chosen.group, chosen.depth, chosen.leaf) for chosen in best)
        st.button(f"Add the {len(marks)} strongest", on_click=go, kwargs={"kept": marks}, disabled=not marks)
        return
    for mark in kept:
        grouping, _, name = mark.key.partition(":")
        node = _node(run, mark)
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", border=True):
            st.html(
                f"<strong>{escape(views.group_words(grouping, name).title)}</strong> · ER {percent(node.error_rate)} · "
                f"{node.n_failures:,} of {node.n_images:,}<br><code>{escape(node.rule)}</code>",
                width="content",
            )
            with st.container(horizontal=True, width="content"):
                place = {"grouping": grouping, "name": name, "depth": mark.depth, "node": mark.node, "leaf": mark.min_leaf}
                st.button("Open", key=f"open {mark}", on_click=go, kwargs={"page": "group", **place})
                st.button("Remove", key=f"drop {mark}", on_click=go, kwargs={"kept": tuple(k for k in kept if k != mark)})


def _report(run: Run, kept: list[Kept], opinions: Opinions) -> None:
    st.html(
        '<h3 class="bw-h3">Report</h3><p class="bw-lead">One HTML file with rules, numbers, pictures and notes. '
        "It opens offline and prints.</p>"
    )
    st.download_button(
        "Report (HTML)",
        lambda: export.report(run, [tuple(mark) for mark in kept], judgements=opinions.judgements, names=opinions.crowd.names),
        file_name=f"{run.path.resolve().name}-failure-modes.html",
        mime="text/html",
        disabled=not kept,
        on_click="ignore",
        key="report",
    )


def _tables(run: Run, opinions: Opinions) -> None:
    st.html(
        '<h3 class="bw-h3">Tables</h3><p class="bw-lead">Images, groups, failure modes and notes of the whole run, '
        "for pandas, R or a spreadsheet.</p>"
    )
    with st.container(horizontal=True):
        for form in FORMATS:
            st.download_button(
                f"Tables ({form.upper() if form != 'parquet' else 'Parquet'})",
                partial(tables_zip, run, form, opinions),
                file_name=f"{run.path.resolve().name}-{form}.zip",
                mime="application/zip",
                on_click="ignore",
                key=f"tables {form}",
            )


def tables_zip(run: Run, form: str, opinions: Opinions) -> bytes:
    """Every table of the run in one format, as a zip file."""
    with tempfile.TemporaryDirectory() as folder:
        files = export.export_tables(
            run, Path(folder), formats=(form,), judgements=opinions.judgements, names=opinions.crowd.names
        )
        return _zip(Path(folder), files)


def _zip(folder: Path, files: list[Path]) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(folder))
    return packed.getvalue()


def _images(run: Run, kept: list[Kept]) -> None:
    st.html(
        '<h3 class="bw-h3">Images</h3><p class="bw-lead">The images of the selected failure modes: as a list of '
        "paths, or as files in one folder each.</p>"
    )
    with st.container(horizontal=True):
        st.download_button(
            "List of paths (CSV)",
            lambda: paths_csv(run, kept),
            file_name=f"{run.path.resolve().name}-images.csv",
            mime="text/csv",
            disabled=not kept,
            on_click="ignore",
            key="paths",
        )
        st.download_button(
            "Image files (zip)",
            lambda: images_zip(run, kept),
            file_name=f"{run.path.resolve().name}-images.zip",
            mime="application/zip",
            disabled=not kept,
            on_click="ignore",
            key="files",
        )


def paths_csv(run: Run, kept: list[Kept]) -> str:
    """The images of each node with their paths, label, prediction and confidence."""
    tables = []
    for mark in kept:
        rows = views.images_of(run, mark.key, _node(run, mark))
        shown = views.image_page(run, rows, page=1, size=max(len(rows), 1)).rows
        tables.append(shown.assign(group=mark.key, rule=_node(run, mark).rule))
    return str(pd.concat(tables).to_csv(index=False))


def images_zip(run: Run, kept: list[Kept]) -> bytes:
    """The files of the images of each node, a folder each."""
    with tempfile.TemporaryDirectory() as folder:
        for i, mark in enumerate(kept, 1):
            positions = views.images_of(run, mark.key, _node(run, mark))["position"].to_numpy()
            export.export_images(run, positions, Path(folder) / f"{i}", how="copy")
        return _zip(Path(folder), [path for path in sorted(Path(folder).rglob("*")) if path.is_file()])


def _link(usual: Place) -> None:
    st.html(
        '<h3 class="bw-h3">Link</h3><p class="bw-lead">The address holds everything that you have chosen, on this page and all others: '
        "copy it to show somebody exactly what you see.</p>"
    )
    query = urlencode(unparse(here(), usual), safe="/,:")
    st.code(f"{st.context.url or ''}{'?' if query else ''}{query}", language=None)
    st.caption(plain("In Python, barlow_core.export.images_frame(run) gives a table for FiftyOne and Renumics Spotlight."))
