"""One failure mode of a comparison, with its images as either run predicts them."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd
import streamlit as st
from shared import runs
from shared.html import figure, image_words, stats

from barlow_core import views
from barlow_core.compare import Comparison
from barlow_core.run import Run
from barlow_core.wording import percent

SHOWN, SEED = 8, 0  # images of each run; of their order


def show_side_by_side(found: Comparison, mode: pd.Series, first: Run, second: Run) -> None:
    """The failure mode of one row of `Comparison.failure_modes`, left in the first run and right in the second."""
    finder, other = (second, first) if mode["found_in"] == "second" else (first, second)
    node = runs.analysis(finder, mode["group"], int(mode["depth"])).tree.node(int(mode["leaf"]))
    own = views.node_failures(finder, mode["group"], node, n=SHOWN, seed=SEED)
    title = views.group_words(mode["grouping"], mode["class_name"]).title
    st.html(f'<h4 class="bw-h4">{escape(title)}: {escape(views.rule_words(node.conditions))}</h4>')
    left, right = st.columns(2, gap="medium")
    for column, run, side, name in zip((left, right), (first, second), ("first", "second"), found.names, strict=True):
        with column, st.container(border=True):
            _numbers(mode, side, name)
            if run is finder:
                st.html(f'<p class="bw-quiet">Failures here, in random order.</p><div class="bw-few">{_pictures(own)}</div>')
            else:
                _other(found, mode, other, own)


def _numbers(mode: pd.Series, side: str, name: str) -> None:
    rate, images, failures = (mode[f"{column}_{side}"] for column in ("error_rate", "n_images", "n_failures"))
    st.html(f'<h4 class="bw-h4 bw-name">{escape(name)}</h4>')
    if pd.isna(rate):
        st.html('<p class="bw-quiet">The rule cannot be measured in this run.</p>')
        return
    values = [("ER", percent(rate)), ("Failures", f"{int(failures):,} of {int(images):,}"), ("BER", percent(mode[f"ber_{side}"]))]
    if pd.notna(mode[f"error_coverage_{side}"]):
        values.insert(1, ("EC", percent(mode[f"error_coverage_{side}"])))
    st.html(stats(values))


def _other(found: Comparison, mode: pd.Series, other: Run, own: pd.DataFrame) -> None:
    """What the run that did not find the rule has: the same images as it predicts them, or its nearest failure mode."""
    if found.same_images and not found.same_failures:
        positions = _positions(other, own["name"])
        rows = views.images_at(other, positions)
        shown = views.image_page(other, rows, page=1, size=len(rows)).rows
        st.html(f'<p class="bw-quiet">The same images, as predicted here.</p><div class="bw-few">{_pictures(shown)}</div>')
    elif pd.notna(mode["match_leaf"]):
        node = runs.analysis(other, mode["group"], int(mode["depth"])).tree.node(int(mode["match_leaf"]))
        failures = views.node_failures(other, mode["group"], node, n=SHOWN, seed=SEED)
        st.html(
            f'<p class="bw-quiet">The closest failure mode shares {percent(mode["overlap"])} of the images: '
            f'<code>{escape(node.rule)}</code></p><div class="bw-few">{_pictures(failures)}</div>'
        )
    else:
        st.html('<p class="bw-quiet">No failure mode here shares images with it.</p>')


def _positions(run: Run, names: pd.Series) -> list[int]:
    """Where the images of these names lie in a run of the same images."""
    found: np.ndarray = pd.Index(run.benchmark.names).get_indexer(pd.Index(names))
    return [int(position) for position in found]


def _pictures(rows: pd.DataFrame) -> str:
    cells = []
    for row in rows.to_dict("records"):
        outcome, words = ("success" if row["label"] == row["prediction"] else "failure"), image_words(row)
        picture = figure(row["path"], alt=f"{row['name']}: {words}, {outcome}", caption=words)
        cells.append(f'<div class="bw-{outcome}">{picture}</div>')
    return "".join(cells)
