"""A panel with the failures that it explains, as one figure."""

from __future__ import annotations

import numpy as np
from PIL import Image

from barlow_core.analyses import load_analysis
from barlow_core.benchmark.images import open_image
from barlow_core.panels import Panel
from barlow_core.panels.figure import panel_figure
from barlow_core.run import Run
from barlow_core.views import node_failures


def leaf_figure(run: Run, panel: Panel, *, seed: int = 0) -> Image.Image:
    """The figure of a panel with failures of the leaf that its feature defines, as the paper's figures 21 to 64.

    The leaf is the failure mode whose rule names the feature: of the shallowest tree, then with the highest importance value.
    A feature in no failure mode gets a figure without failures.

    Args:
        seed: of the draw of failures.
    """
    modes = run.failure_modes()
    names_it = np.array([panel.feature in features for features in modes["features"]], dtype=bool)
    modes = modes[(modes["group"] == panel.group) & names_it]
    if modes.empty:
        return panel_figure(panel)
    mode = modes.sort_values(["depth", "importance_value"], ascending=[True, False], kind="stable").iloc[0]
    leaf = load_analysis(run, panel.group, depth=int(mode["depth"])).tree.node(int(mode["leaf"]))
    drawn = node_failures(run, panel.group, leaf, n=panel.k, seed=seed)
    failures = [(open_image(str(row.path)), f"{row.label}\nas {row.prediction}") for row in drawn.itertuples()]
    title = (
        f"{panel.group}: when {mode['rule']}, the error rate is {mode['error_rate']:.4f} ({mode['increase'] * 100:+.2f} points), "
        f"with {mode['error_coverage']:.4f} of all failures"
    )
    return panel_figure(panel, failures, title)
