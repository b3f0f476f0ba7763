"""Panels: what a feature means, in pictures (paper, section 4, appendices B and C).

A panel belongs to a feature and a group. Section A shows the most activating images, B their heatmaps, C what
a feature attack makes of them. In a run folder it is `panels/<group>/<feature>/` with

    a_0.png, a_1.png, ...   the images as the extractor sees them, most activating first
    h_0.png, ...            their heatmaps in grey: black is 0, white is 1
    b_0.png, ...            the heatmaps laid over the images
    c_0.png, ...            the attacked images
    panel.json              what is in them (see `Panel`); images of 128 pixels and more are .jpg, except
    heatmaps

The pictures lie on each other pixel by pixel. Each panel is attacked as a batch of its own, so that its bytes
do not depend on which other panels are made with it, and its folder appears all at once, when it is complete.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from barlow_core.panels.files import Panel, PanelImage
from barlow_core.panels.plan import feature_requests, load_panel, most_activating
from barlow_core.panels.settings import AttackSettings, attack_settings, default_steps

if TYPE_CHECKING:
    from barlow_core.panels.attack import AttackStage, attack_stages, feature_attack
    from barlow_core.panels.render import make_panel, make_panels, visualize

__all__ = [
    "AttackSettings",
    "AttackStage",
    "Panel",
    "PanelImage",
    "attack_settings",
    "attack_stages",
    "default_steps",
    "feature_attack",
    "feature_requests",
    "load_panel",
    "make_panel",
    "make_panels",
    "most_activating",
    "visualize",
]

# Looked up on first use: reading panels does without the seconds and the memory that torch takes.
_NEED_TORCH = {
    "AttackStage": "attack",
    "attack_stages": "attack",
    "feature_attack": "attack",
    "make_panel": "render",
    "make_panels": "render",
    "visualize": "render",
}


def __getattr__(name: str) -> Any:
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_NEED_TORCH[name]}"), name)
