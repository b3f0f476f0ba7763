"""Panels: what a feature means, in pictures (paper, section 4, appendices B and C).

A panel belongs to a feature and a group, or to a direction (a weighted sum of features) and a group. Section A shows the most activating images, B their heatmaps, C what
a feature attack makes of them. In a run folder it is `panels/<group>/<feature>/` (or `<direction>/`) with

    a_0.png, a_1.png, ...   the images as the extractor sees them, most activating first
    h_0.png, ...            their heatmaps in grey: black is 0, white is 1
    b_0.png, ...            the heatmaps laid over the images
    c_0.png, ...            the attacked images
    panel.json              what is in them (see `Panel`); images of 128 pixels and more are .jpg, except
    heatmaps

The pictures lie on each other pixel by pixel. On a CPU the bytes of a panel do not depend on which other panels
are made with it (see `attack_steps`), and its folder appears all at once, when it is complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barlow_core.lazy import attach
from barlow_core.panels.files import Panel, PanelImage
from barlow_core.panels.plan import feature_requests, load_panel, most_activating, rule_requests
from barlow_core.panels.settings import AttackSettings, attack_settings, default_steps

if TYPE_CHECKING:
    from barlow_core.panels.attack import feature_attack, feature_attack_frames
    from barlow_core.panels.attack_steps import AttackFrame
    from barlow_core.panels.render import make_panel, make_panels, visualize

__all__ = [
    "AttackFrame",
    "AttackSettings",
    "Panel",
    "PanelImage",
    "attack_settings",
    "default_steps",
    "feature_attack",
    "feature_attack_frames",
    "feature_requests",
    "load_panel",
    "make_panel",
    "make_panels",
    "most_activating",
    "rule_requests",
    "visualize",
]

# Reading panels does without the seconds and the memory that torch takes.
__getattr__ = attach(
    __name__,
    {
        "attack": ["feature_attack_frames", "feature_attack"],
        "attack_steps": ["AttackFrame"],
        "render": ["make_panel", "make_panels", "visualize"],
    },
)
