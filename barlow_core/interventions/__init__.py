"""From correlation to dependence: change a feature in the image, and watch the model under inspection.

A rule says that failures are more frequent where a feature is weak (or strong). It does not say that the model depends on it. So in
failures of the leaf the feature is moved out of the rule, in successes outside of it into the rule, and the model is asked again:

    latent      by an l2-bounded change of the picture along the gradient of the robust extractor (the feature attack)
    regions     by changing the region that the feature looks at: painted over, in the mean colour, blurred, in noise

docs/interventions.md says what this is compared with, and how far the verdict reaches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barlow_core.interventions.record import Intervention, interventions, load_intervention
from barlow_core.interventions.settings import FILLS, InterventionSettings
from barlow_core.interventions.target import Target, leaf_target, node_target, rule_target
from barlow_core.lazy import attach

if TYPE_CHECKING:
    from barlow_core.interventions.running import intervene

__all__ = [
    "FILLS",
    "Intervention",
    "InterventionSettings",
    "Target",
    "intervene",
    "interventions",
    "leaf_target",
    "load_intervention",
    "node_target",
    "rule_target",
]

# Reading what was found does without the seconds and the memory that torch takes.
__getattr__ = attach(__name__, {"running": ["intervene"]})
