"""A failure tree as an indented list: it reads on a phone, prints, and speaks to a screen reader."""

from __future__ import annotations

from html import escape

from barlow_core.failure_modes import FailureAnalysis
from barlow_core.failure_tree import Condition, Node
from barlow_core.wording import percent
from shared.html import rate_bar, term


def tree_html(analysis: FailureAnalysis) -> str:
    """The tree of `analysis`; its failure modes stand out with their rank."""
    ranks = {mode.number: rank for rank, mode in enumerate(analysis.failure_modes, 1)}
    names = "".join(f'<span class="bw-number">{term(name)}</span>' for name in ("ER", "EC", "Failures"))
    head = f'<div class="bw-node bw-head"><span></span><span></span>{names}</div>'
    return f'<div class="bw-tree">{head}<ul>{_branch(analysis.tree.root, None, analysis.ber, ranks)}</ul></div>'


def _branch(node: Node, condition: Condition | None, ber: float, ranks: dict[int, int]) -> str:
    rule = "all images of the group" if condition is None else f"<code>{escape(str(condition))}</code>"
    rank = ranks.get(node.number)
    badge = f' <span class="bw-badge">failure mode {rank}</span>' if rank else ""
    row = (
        f'<div class="bw-node{" bw-mode" if rank else ""}"><span class="bw-rule">{rule}{badge}</span>'
        f"{rate_bar(node.error_rate, ber)}"
        f'<span class="bw-number"><small>ER </small>{percent(node.error_rate)}</span>'
        f'<span class="bw-number"><small>EC </small>{percent(node.error_coverage)}</span>'
        f'<span class="bw-number">{node.n_failures:,} of {node.n_images:,}</span></div>'
    )
    if node.split is None or node.below is None or node.above is None:
        return f"<li>{row}</li>"
    children = _branch(node.below, node.split, ber, ranks) + _branch(node.above, node.split._replace(operator=">"), ber, ranks)
    return f"<li>{row}<ul>{children}</ul></li>"
