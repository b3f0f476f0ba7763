"""The columns of the metadata in a rule: they have no pictures, so their values are counted."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from html import escape
from typing import Any

import streamlit as st

from barlow_core import views
from barlow_core.failure_tree import Node
from barlow_core.run import Run
from barlow_core.wording import percent
from browsing.data import of_node

ROWS = 12


def show_columns(run: Run, key: str, node: Node) -> None:
    """A table for each column of the rule: how many images have each value, and how many of them fail."""
    said = views.column_words(node.conditions)
    for column in node.columns:
        table = of_node(run, "column", key, node, (column,), partial(views.column_values, run, key, column, node=node))
        rows = "".join(
            f"<tr><th scope=row>{_value(row)}</th><td>{row['n_images']:,}</td><td>{row['n_failures']:,}</td>"
            f"<td>{percent(row['error_rate'])}</td></tr>"
            for row in table.head(ROWS).to_dict("records")
        )
        more = f'<p class="bw-quiet">… and {len(table) - ROWS:,} more values.</p>' if len(table) > ROWS else ""
        st.html(
            f'<h2 class="bw-h2">{escape(column)} <span class="bw-lead">In this rule it is {escape(said[column])}.</span></h2>'
            f'<table class="bw-numbers"><thead><tr><th>{escape(column)}</th><th>Searched images</th><th>Failures</th><th>ER</th></tr></thead>'
            f"<tbody>{rows}</tbody></table>{more}"
        )


def _value(row: dict[Hashable, Any]) -> str:
    """A value, marked where the rule holds for it."""
    text = escape(str(row["value"]))
    return f"<strong>{text}</strong>" if row["in_rule"] else text
