"""The images of the chosen node: filtered, sorted, a part at a time; one in full size on demand."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from shared.html import figure, image_words
from shared.pressable import pressable

from barlow_core import views
from barlow_core.export import export_images
from barlow_core.failure_tree import Node
from barlow_core.run import Run
from browsing.data import of_node
from browsing.run_place import Place, bound, go, here

SIZE = 24  # images at a time
MOST = 2000  # images in a zip file, which is made in memory
SHOWN = {"failures": "Failures", "successes": "Successes", "all": "All"}
SORTS = {
    "any": "in random order",
    "highest": "highest value first",
    "lowest": "lowest value first",
    "sure": "most confident first",
    "unsure": "least confident first",
}


def _order(place: Place, feature: int | None) -> tuple[str, bool]:
    if place.sort in ("highest", "lowest") and feature is not None:
        return f"feature[{feature}]", place.sort == "highest"
    if place.sort in ("sure", "unsure"):
        return "confidence", place.sort == "sure"
    return "random", True


def show_images(run: Run, key: str, node: Node, feature: int | None) -> list[int]:
    """The section about images. Returns the positions of those that the filters leave, in order."""
    place = here()
    features = () if feature is None else (feature,)
    table = of_node(run, "images", key, node, features, lambda: views.images_of(run, key, node, features=features))
    st.html(f'<h2 class="bw-h2">Images of this node</h2><p class="bw-lead">{escape(views.rule_words(node.conditions))}</p>')
    _filters(table, feature)
    found = views.filter_images(table, outcome=place.show, label=place.label, prediction=place.predicted)
    by, descending = _order(place, feature)
    found = views.sort_images(found, by, descending=descending)
    page = views.image_page(run, found, page=place.part, size=SIZE)
    if not page.n_images:
        st.info("No image matches these filters. Show all images, or remove a filter.")
        return []
    cells = "".join(_cell(row, feature) for row in page.rows.to_dict("records"))
    pressable(
        f'<div class="bw-images" data-keys="grid" role="group" aria-label="Images, press one for full size">{cells}</div>',
        key="images",
        on_press=lambda value: go(image=int(value)),
    )
    _pages(page)
    _take(run, key, found)
    return [int(position) for position in found["position"]]


def _filters(table: pd.DataFrame, feature: int | None) -> None:
    place = here()
    counts = {name: len(views.filter_images(table, outcome=name)) for name in SHOWN}
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        st.segmented_control(
            "Show",
            list(SHOWN),
            wrap=True,
            format_func=lambda name: f"{SHOWN[name]} {counts[name]:,}",
            **bound("show", place.show, change=lambda value: {"show": value or here().show}),
        )
        for column, field, title in (("prediction", "predicted", "Predicted as"), ("label", "label", "Labelled")):
            offered = views.choices(views.filter_images(table, outcome=place.show), column)
            values = dict(zip(offered["value"].astype(str), offered["n"], strict=True))
            current = getattr(place, field)
            if len(values) > 1 or current is not None:
                _menu(field, title, values, current)
        sorts = [name for name in SORTS if name not in ("highest", "lowest") or feature is not None]
        if table["confidence"].isna().all():
            sorts = [name for name in sorts if name not in ("sure", "unsure")]
        st.selectbox(
            "Sort",
            sorts,
            format_func=lambda name: SORTS[name] if name not in ("highest", "lowest") else f"feature {feature}: {SORTS[name]}",
            width=250,
            **bound("sort", place.sort if place.sort in sorts else sorts[0]),
        )


def _menu(field: str, title: str, values: dict[str, int], current: str | None) -> None:
    options = list(values) if current is None or current in values else [current, *values]
    st.selectbox(
        title,
        options,
        format_func=lambda value: f"{value} ({values.get(value, 0):,})",
        placeholder="anything",
        width=190,
        index=None,
        **bound(field, current),
    )


def _cell(row: Mapping[Any, Any], feature: int | None) -> str:
    words = image_words(row)
    value = f"{row[f'feature[{feature}]']:.3f}" if feature is not None else ""
    outcome = "failure" if row["failure"] else "success"
    alt = f"{row['name']}: {words}, {outcome}" + (f", feature {feature} at {value}" if value else "")
    picture = figure(row["path"], alt=alt)
    return (
        f'<button class="bw-cell bw-{outcome}" data-press="{row["position"]}" tabindex="-1">{picture}'
        f"<span>{escape(words)}</span><small>{value}</small></button>"
    )


def _take(run: Run, key: str, found: pd.DataFrame) -> None:
    """The images that the filters leave, on all pages, to take away."""
    name = re.sub(r"\W+", "-", key)
    positions = found["position"].to_numpy()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            f"Paths of these {len(found):,}",
            partial(taken, run, positions, "list"),
            file_name=f"{name}.txt",
            mime="text/plain",
            on_click="ignore",
            key="take list",
        )
        if len(found) <= MOST:
            st.download_button(
                f"Files of these {len(found):,} (zip)",
                partial(taken, run, positions, "zip"),
                file_name=f"{name}.zip",
                mime="application/zip",
                on_click="ignore",
                key="take zip",
            )
        else:
            st.caption(f"For more than {MOST:,} images use: barlow export {run.path} --out FOLDER")


def taken(run: Run, positions: np.ndarray, how: str) -> bytes:
    """Images as `export_images` takes them away: a list of paths, or a zip file."""
    with tempfile.TemporaryDirectory() as folder:
        return export_images(run, positions, Path(folder) / how, how=how).path.read_bytes()


def _pages(page: views.ImagePage) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="pages"):
        st.button("← Previous", key="before", disabled=page.page <= 1, on_click=go, kwargs={"part": page.page - 1})
        st.html(f'<p class="bw-lead">{page.first:,} to {page.last:,} of {page.n_images:,}</p>', width="content")
        st.button("Next →", key="after", disabled=page.page >= page.n_pages, on_click=go, kwargs={"part": page.page + 1})
