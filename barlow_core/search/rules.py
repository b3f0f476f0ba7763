"""What a search finds: rules over directions in feature space, with the counts that tell whether they are true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from barlow_core.directions import Direction
from barlow_core.search.short import ShortRule
from barlow_core.statistics import Counts, HeldOutLeaf

SHOWN = 5  # features that the text of a rule writes of a direction


@dataclass(frozen=True)
class Rule:
    """Images whose weighted sum of features lies above a threshold: `weights . features > threshold`.

    Attributes:
        direction: of length 1, of the features as they are; the feature that takes the most part (weight times standard deviation in
            the group) first.
        threshold: in the unit of the features.
        group: counts over all images of the group. Most of them were searched, so its ER is too high by luck.
        held_out: counts over the images that the search did not see: honest for whatever was searched.
        p: Fisher's exact test, one-sided, of the held-out counts: as many failures by luck, given what was found? Where images
            belong together, of as many independent ones as they are worth.
        q: p corrected by Holm for all rules of the search: chance that any rule with such a q is luck.
        confirmed: q <= alpha and held-out ER - BER > delta.
        stability: share of random halves of the searched images in which the search, repeated, finds a rule for mostly the same held-out
            images (`stability.recurrence`); None where that was not tried, or no held-out image follows the rule.
        short: the rule said with few features; None where a few tell nothing of it.
    """

    direction: Direction
    threshold: float
    group: Counts
    held_out: HeldOutLeaf
    p: float
    q: float
    confirmed: bool
    stability: float | None = None
    short: ShortRule | None = None

    def scores(self, features: np.ndarray) -> np.ndarray:
        """(n,) float64 for features (n, D): how far above the threshold each image lies, in the unit of the features."""
        return self.direction.values(features) - self.threshold

    def holds(self, features: np.ndarray) -> np.ndarray:
        """(n,) bool: the images that the rule selects."""
        return self.scores(features) > 0

    @property
    def features(self) -> tuple[int, ...]:
        """The features that take part, the one with the most part first."""
        return self.direction.features

    @property
    def rule(self) -> str:
        return rule_text(self.direction, self.threshold)

    def __str__(self) -> str:
        verdict = "confirmed" if self.confirmed else "not confirmed"
        return (
            f"{self.rule}: {verdict}, {self.held_out.n_failures:,} failures in {self.held_out.n_images:,} images that the search did "
            f"not see, q {self.q:.2g}; {self.group.n_failures:,} in {self.group.n_images:,} images of the group"
        )

    def to_dict(self, confidence: float = 0.95) -> dict[str, Any]:
        """As plain values, for JSON; intervals at `confidence`."""
        return {
            "rule": self.rule,
            "features": list(self.direction.features),
            "weights": list(self.direction.weights),
            "threshold": self.threshold,
            "n_images": self.group.n_images,
            "n_failures": self.group.n_failures,
            "error_rate": self.group.error_rate,
            "error_coverage": self.group.error_coverage,
            "held_out": self.held_out.to_dict(confidence),
            "p": self.p,
            "q": self.q,
            "confirmed": self.confirmed,
            "stability": self.stability,
            **self._short(),
        }

    def _short(self) -> dict[str, Any]:
        if self.short is None:
            return {}
        return {
            "short_rule": rule_text(self.short.direction, self.short.threshold),
            "short_features": list(self.short.direction.features),
            "short_weights": list(self.short.direction.weights),
            "short_threshold": self.short.threshold,
            "short_agreement": self.short.agreement,
            "short_held_out_n_images": self.short.held_out_n_images,
            "short_held_out_n_failures": self.short.held_out_n_failures,
        }


def rule_text(direction: Direction, threshold: float) -> str:
    """0.80 feature[12] - 0.60 feature[7] > 1.234; of a long direction its beginning."""
    shown = Direction(direction.features[:SHOWN], direction.weights[:SHOWN])
    more = len(direction.features) - SHOWN
    return f"{shown}{f' + … ({more} more)' if more > 0 else ''} > {threshold:.4g}"
