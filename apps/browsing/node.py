"""The chosen node: its rule in words, its numbers in-sample and held-out, what to do about it, and the basket."""

from __future__ import annotations

from html import escape

import pandas as pd
import streamlit as st
from shared.html import figure, image_words, plain, term

from barlow_core import views
from barlow_core.analyses import ExplainRecord
from barlow_core.failure_tree import Node
from barlow_core.run import Run
from barlow_core.views import WhatIf
from barlow_core.views.suggestions import suggest
from barlow_core.wording import percent, percent_interval, points, points_interval
from browsing.data import of_node
from browsing.judgements import Opinions
from browsing.panels import strongest
from browsing.run_place import Kept, go, here

SHOWN = 12  # images of a suggestion


def show_node(run: Run, key: str, evaluation: WhatIf, node: Node, row: pd.Series) -> None:
    """Everything about a node but its pictures."""
    badge = f' <span class="bw-badge">failure mode {row["rank"]}</span>' if pd.notna(row["rank"]) else ""
    st.html(
        f'<h3 class="bw-h3">{escape(views.rule_words(node.conditions))}{badge}</h3>'
        f'<code class="bw-code">{escape(node.rule)}</code>'
        f"{_conditions(run, key, node)}{_numbers(run, key, evaluation, node, row)}"
    )
    _keep(run, key, evaluation, node)


def _conditions(run: Run, key: str, node: Node) -> str:
    """The features of a rule of several, each in a few pictures; one alone is shown at large below."""
    features = list(views.condition_words(node.conditions))
    if len(features) < 2:
        return ""
    return f'<div class="bw-strips bw-conditions">{"".join(strongest(run, key, feature) for feature in features)}</div>'


def _numbers(run: Run, key: str, evaluation: WhatIf, node: Node, row: pd.Series) -> str:
    """A small table: a measure a row; held out beside it where there is any, with an interval. What was searched has none: it would
    know nothing of the search."""
    again = pd.notna(row["held_out_n_images"])
    measures = [
        ("ER", percent(row["error_rate"]), _held_out(row, "error_rate", percent)),
        ("Increase", points(row["increase"]), _held_out(row, "increase", points)),
        ("EC", percent(row["error_coverage"]), _held_out(row, "error_coverage", percent)),
        ("IV", f"{row['importance_value']:.3f}", ""),
        (
            "Failures",
            f"{int(row['n_failures']):,} of {int(row['n_images']):,}",
            f"{int(row['held_out_n_failures']):,} of {int(row['held_out_n_images']):,}" if again else "",
        ),
    ]
    head = f"<tr><th></th><th>Searched images</th>{'<th>Held out</th>' if again else ''}</tr>"
    body = "".join(
        f"<tr><th scope=row>{term(name)}</th><td>{escape(own)}</td>{f'<td>{escape(held)}</td>' if again else ''}</tr>"
        for name, own, held in measures
    )
    found = f'<table class="bw-numbers"><thead>{head}</thead><tbody>{body}</tbody></table>'
    return found + _checks(run, key, evaluation, node)


def _held_out(row: pd.Series, name: str, say: object) -> str:
    value = row[f"held_out_{name}"]
    if pd.isna(value):
        return "unknown"
    words = points(value) if say is points else percent(value)
    if f"held_out_{name}_low" not in row or pd.isna(row[f"held_out_{name}_low"]):
        return words
    low, high = row[f"held_out_{name}_low"], row[f"held_out_{name}_high"]
    return f"{words} ({points_interval(low, high) if say is points else percent_interval(low, high)})"


def _checks(run: Run, key: str, evaluation: WhatIf, node: Node) -> str:
    """What the checks of the run say, where this is a failure mode that they were made for."""
    if evaluation.refitted:
        return '<p class="bw-quiet">Fitted just now, with settings that differ from those of the run: not tested for chance.</p>'
    try:
        mode = views.failure_mode(run, key, depth=evaluation.analysis.settings.depth, leaf=node.number)
    except KeyError:
        return ""
    said = [f"{term('Verdict')} {escape(str(mode['verdict']))}: {escape(str(mode['verdict_reason']))}"]
    luck = views.luck_words(mode)
    if luck is not None:
        said.append(f"{term('Luck')} {escape(luck)}")
    if pd.notna(mode["stability"]):
        said.append(f"{term('Stability')} {percent(mode['stability'])}")
    same = views.same_images_words(mode)
    if same:
        said.append(f"{term('Mostly the same images')} {escape('; '.join(same))}")
    held_out = views.held_out_words(run, mode)
    line = f'<p class="bw-checks">{" · ".join(said)}</p>' if said else ""
    return line + (f'<p class="bw-quiet">{escape(held_out.how)}</p>' if held_out is not None else "")


def _keep(run: Run, key: str, evaluation: WhatIf, node: Node) -> None:
    """Into the basket and out of it."""
    if not node.conditions:
        return
    settings = evaluation.analysis.settings
    own = ExplainRecord.of(run).settings.min_leaf
    mark = Kept(key, settings.depth, node.number, None if settings.min_leaf == own else settings.min_leaf)
    kept = here().kept
    if mark in kept:
        st.button("✓ In the export; remove", on_click=go, kwargs={"kept": tuple(k for k in kept if k != mark)}, key="keep")
    else:
        st.button("Add to export", on_click=go, kwargs={"kept": (*kept, mark)}, key="keep")


def show_suggestions(run: Run, key: str, evaluation: WhatIf, node: Node, opinions: Opinions) -> None:
    """What follows from the numbers of a node: facts, and the images that they are about."""
    if not node.conditions:
        return
    settings = evaluation.analysis.settings
    found = of_node(
        run,
        "suggestions",
        key,
        node,
        (settings.depth, settings.min_leaf, settings.delta, settings.tau, opinions.stamp),
        lambda: suggest(run, key, evaluation, node.number, judgements=opinions.judgements),
    )
    if not found:
        return
    items = "".join(
        f'<li><span class="bw-kind">{escape(suggestion.kind.capitalize())}</span> {escape(suggestion.text)}'
        f"<small> {escape(suggestion.measured_on)}</small></li>"
        for suggestion in found
    )
    st.html(f'<h2 class="bw-h2">What could be done</h2><ul class="bw-suggestions">{items}</ul>')
    shown = [(suggestion.kind, suggestion.images) for suggestion in found if suggestion.images is not None]
    with st.container(horizontal=True):
        for kind, images in shown:
            if len(images):
                _images(f"{key} {node.number}", kind, images)


def _images(place: str, kind: str, images: pd.DataFrame) -> None:
    """The images that a suggestion is about, on demand, and as a list to take away."""
    with st.popover(f"{len(images):,} images: {plain(kind)}", type="tertiary"):
        pictures = "".join(
            figure(row["path"], alt=f"{row['name']}: {image_words(row)}", caption=image_words(row))
            for row in images.head(SHOWN).to_dict("records")
        )
        st.html(f'<div class="bw-few">{pictures}</div>')
        st.download_button(
            f"List of all {len(images):,} (CSV)",
            lambda: images.to_csv(index=False),
            file_name="images.csv",
            mime="text/csv",
            on_click="ignore",
            key=f"list {place} {kind}",
        )
