"""One image in full size, with the heatmap of a feature over it and its feature values."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd
import streamlit as st
from shared.html import figure, image_words, plain

from barlow_core import views
from barlow_core.failure_tree import Condition, Node, threshold_text
from barlow_core.panels import overlays
from barlow_core.panels.jobs import Job
from barlow_core.run import Run
from barlow_core.wording import percent
from browsing.jobs import find, jobs, show_job, start
from browsing.judgements import Opinions
from browsing.run_place import Place, go, here, write_url


def show_full_size(
    run: Run, key: str, node: Node, feature: int | None, order: list[int], opinions: Opinions, usual: Place
) -> None:
    """The dialog about the image that the place names.

    Args:
        order: positions of the images as the grid has them, for the ways to the one before and the next.
        usual: for the URL, which changes with the image.
    """

    @st.dialog("Image", width="large", on_dismiss=lambda: go(image=None))
    def dialog() -> None:
        position = here().image
        if position is None or not 0 <= position < len(run.benchmark):
            st.info("This run has no such image.")
            return
        row = views.images_at(run, [position]).iloc[0].to_dict()
        st.html(f'<h3 class="bw-h3 bw-name">{escape(str(row["name"]))}</h3><p class="bw-lead">{escape(image_words(row))}</p>')
        _steps(order, position)
        left, right = st.columns([1, 1], gap="medium")
        with left:
            alt = f"{row['name']}, {image_words(row)}"
            shown = views.image_page(run, pd.DataFrame([row]), page=1, size=1).rows.iloc[0]
            st.html(f'<div class="bw-full">{figure(shown["path"], alt=alt)}</div>')
        with right:
            if feature is not None:
                _overlay(run, position, feature, row, opinions.read_only)
        features = list(dict.fromkeys([*node.features, *([] if feature is None else [feature])]))
        if features:
            _values(run, key, node, position, features, opinions)
        st.caption(plain(str(shown["path"])))
        write_url(usual)

    dialog()


def _steps(order: list[int], position: int) -> None:
    if position not in order:
        return
    at = order.index(position)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("← Previous", key="image before", disabled=at == 0, on_click=go, kwargs={"image": order[at - 1]})
        st.html(f'<p class="bw-lead">{at + 1:,} of {len(order):,}</p>', width="content")
        st.button(
            "Next →",
            key="image after",
            disabled=at == len(order) - 1,
            on_click=go,
            kwargs={"image": order[min(at + 1, len(order) - 1)]},
        )


def _overlay(run: Run, position: int, feature: int, row: Mapping[Any, Any], read_only: bool) -> None:
    found = overlays.found_overlay(run, position, feature)
    name = f"overlay {position} {feature}"

    def begin() -> Job:
        return start(run, name, lambda: jobs().overlay(run, position, feature))

    if found is None:
        job = find(run, name)
        # Without a press only once pictures were made: until then the network is not in memory, and looking does not need it.
        if job is None and not read_only and jobs().all():
            job = begin()
        show_job(
            job,
            begin,
            label="Show the heatmap",
            hint=f"Where feature {feature} responds in this image.",
            key=name,
            read_only=read_only,
        )
        return
    alt = f"Heatmap of feature {feature} over {row['name']}, yellow where it responds most"
    st.html(
        f'<div class="bw-full">{figure(found.overlay, alt=alt, caption=f"Feature {feature}: yellow where it responds most")}</div>'
    )


def _values(run: Run, key: str, node: Node, position: int, features: list[int], opinions: Opinions) -> None:
    table = views.values_of_image(run, key, position, features)
    names = opinions.names(key, set(features))
    lines = "".join(_value(row, node, names.get(feature, "")) for feature, row in zip(features, table.itertuples(), strict=True))
    head = "<tr><th>Feature</th><th>Value</th><th>Rule</th><th>Higher than</th><th>Mean of failures</th><th>Mean of successes</th></tr>"
    st.html(f'<table class="bw-numbers"><thead>{head}</thead><tbody>{lines}</tbody></table>')


def _value(row: Any, node: Node, name: str) -> str:
    rule = " and ".join(_asked(c) for c in node.conditions if isinstance(c, Condition) and c.feature == row.feature)
    cells = [
        f"{row.value:.3f}",
        rule or "none",
        percent(row.share_below) if pd.notna(row.share_below) else "unknown",
        f"{row.mean_failures:.3f}" if pd.notna(row.mean_failures) else "none",
        f"{row.mean_successes:.3f}" if pd.notna(row.mean_successes) else "none",
    ]
    said = f' <span class="bw-named">{escape(name)}</span>' if name else ""
    return f"<tr><th scope=row>{row.feature}{said}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _asked(condition: Condition) -> str:
    return f"{condition.operator} {threshold_text(condition.threshold)}"
