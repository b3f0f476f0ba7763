"""A failure tree whose nodes are chosen by mouse, touch or keyboard: an indented list, which reads on a phone and to a screen reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import pandas as pd

from barlow_core.analyses.verdicts import CONFIRMED
from barlow_core.wording import percent
from shared.html import rate_bar, term
from shared.pressable import pressable


def show_tree(
    nodes: pd.DataFrame, chosen: int, names: Mapping[int, str], *, key: str, title: str, on_choose: Callable[[int], None]
) -> None:
    """The tree of one group.

    Args:
        nodes: of `views.node_rates`.
        chosen: number of the node that is shown beside the tree.
        names: what people call the features, by feature.
    """
    pressable(tree_html(nodes, chosen, names, title=title), key=key, on_press=lambda value: on_choose(int(value)))


def tree_html(nodes: pd.DataFrame, chosen: int, names: Mapping[int, str], *, title: str) -> str:
    """One line a node, in depth-first order; the numbers are spelled out for those who do not see the columns."""
    ber = float(nodes["error_rate"].iloc[0])
    held_out = nodes["held_out_error_rate"].notna().any()
    numbers = "".join(f'<span class="bw-number">{term(name)}</span>' for name in ("ER", "EC", "Failures"))
    lines = "".join(_line(row, chosen, ber, names) for row in nodes.itertuples())
    below = (
        '<p class="bw-quiet">Small figures: held out, on images that played no part in finding the rules.</p>' if held_out else ""
    )
    return (
        f'<div class="bw-tree"><div class="bw-node bw-head"><span>Images</span><span></span>{numbers}</div>'
        f'<div role="tree" aria-label="{escape(title)}" data-keys="tree">{lines}</div>{below}</div>'
    )


def _line(row: Any, chosen: int, ber: float, names: Mapping[int, str]) -> str:
    rule = f"<code>{escape(row.split)}</code>" if row.split else "all images of the group"
    named = "".join(
        f' <span class="bw-named">{escape(name)}</span>'
        for feature, name in names.items()
        if row.split.startswith(f"feature[{feature}]")
    )
    verdict = f", {row.verdict}" if pd.notna(row.verdict) else ""
    badge = f' <span class="bw-badge">failure mode {row.rank}{verdict}</span>' if pd.notna(row.rank) else ""
    again, again_ec = "", ""
    said = f"{row.rule}: ER {percent(row.error_rate)}, EC {percent(row.error_coverage)}, {row.n_failures:,} failures of {row.n_images:,}"
    if pd.notna(row.held_out_error_rate):
        again = f"<small>{percent(row.held_out_error_rate)}</small>"
        said += f"; held out ER {percent(row.held_out_error_rate)}"
        if pd.notna(row.held_out_error_coverage):
            again_ec = f"<small>{percent(row.held_out_error_coverage)}</small>"
    again_n = (
        f"<small>{int(row.held_out_n_failures):,} of {int(row.held_out_n_images):,}</small>"
        if pd.notna(row.held_out_n_images)
        else ""
    )
    if pd.notna(row.rank):
        said += f"; failure mode {row.rank}{verdict}"
    doubted = pd.notna(row.verdict) and row.verdict != CONFIRMED
    kind = " bw-mode" if pd.notna(row.rank) and not doubted else ""
    return (
        f'<div role="treeitem" class="bw-node{kind}" data-press="{row.node}" aria-level="{row.level + 1}" tabindex="-1" '
        f'aria-selected="{"true" if row.node == chosen else "false"}" aria-label="{escape(said)}" style="--level:{row.level}">'
        f'<span class="bw-rule">{rule}{named}{badge}</span>{rate_bar(row.error_rate, ber)}'
        f'<span class="bw-number"><i>ER </i>{percent(row.error_rate)}{again}</span>'
        f'<span class="bw-number"><i>EC </i>{percent(row.error_coverage)}{again_ec}</span>'
        f'<span class="bw-number">{row.n_failures:,} of {row.n_images:,}{again_n}</span></div>'
    )
