"""What a search finds: rules over directions in feature space, with the counts that tell whether they are true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from barlow_core.statistics import Interval, increase_interval

SHOWN = 5  # features that str() writes of a direction


@dataclass(frozen=True)
class Counts:
    """Images and failures under a rule, among the images and failures that were counted.

    Attributes:
        n_images, n_failures: under the rule.
        of_images, of_failures: of the whole group, or of its confirmation part.
    """

    n_images: int
    n_failures: int
    of_images: int
    of_failures: int

    @property
    def error_rate(self) -> float | None:
        """ER (Definition 1), None without images."""
        return self.n_failures / self.n_images if self.n_images else None

    @property
    def error_coverage(self) -> float | None:
        """EC (Definition 2), None without failures."""
        return self.n_failures / self.of_failures if self.of_failures else None

    @property
    def base_error_rate(self) -> float | None:
        """BER (Definition 3), None without images."""
        return self.of_failures / self.of_images if self.of_images else None

    @property
    def increase(self) -> float | None:
        """ER - BER, None without images under the rule."""
        rate, base = self.error_rate, self.base_error_rate
        return None if rate is None or base is None else rate - base

    def increase_interval(self, confidence: float = 0.95) -> Interval:
        """Of ER - BER; see `barlow_core.statistics.increase_interval`."""
        return increase_interval(self.n_failures, self.n_images, self.of_failures, self.of_images, confidence=confidence)


@dataclass(frozen=True, eq=False)
class Rule:
    """Images whose weighted sum of features lies above a threshold: `weights . features > threshold`.

    Attributes:
        weights: (D,) float64, of the features as they are, scaled to length 1; 0 for a feature that plays no part.
        threshold: in the unit of the features.
        strength: (D,) float64, weights times the features' standard deviations in the group: how much each takes part.
        group: counts over all images of the group. Most of them were searched, so its ER is too high by luck.
        confirmation: counts over the images that the search did not see: honest for whatever was searched.
        p: Fisher's exact test, one-sided, of the confirmation counts: as many failures by luck, given what was found?
        q: p corrected by Holm for all rules of the search: chance that any rule with such a q is luck.
        confirmed: q <= alpha and held-out ER - BER > delta.
    """

    weights: np.ndarray
    threshold: float
    strength: np.ndarray
    group: Counts
    confirmation: Counts
    p: float
    q: float
    confirmed: bool

    def scores(self, features: np.ndarray) -> np.ndarray:
        """(n,) float64 for features (n, D): how far above the threshold each image lies, in the unit of the features."""
        return np.asarray(features, dtype=np.float64) @ self.weights - self.threshold

    def holds(self, features: np.ndarray) -> np.ndarray:
        """(n,) bool: the images that the rule selects."""
        return self.scores(features) > 0

    @property
    def features(self) -> tuple[int, ...]:
        """The features that take part, the one with the most part first."""
        order = np.argsort(-np.abs(self.strength), kind="stable")
        return tuple(int(j) for j in order if self.strength[j] != 0)

    @property
    def rule(self) -> str:
        parts = [
            f"{'- ' if self.weights[j] < 0 else '+ ' if number else ''}{abs(self.weights[j]):.2f} feature[{j}]"
            for number, j in enumerate(self.features[:SHOWN])
        ]
        more = len(self.features) - SHOWN
        rest = f" + … ({more} more)" if more > 0 else ""
        return f"{' '.join(parts)}{rest} > {self.threshold:.4g}"

    def __str__(self) -> str:
        held = self.confirmation
        verdict = "confirmed" if self.confirmed else "not confirmed"
        return (
            f"{self.rule}: {verdict}, {held.n_failures:,} failures in {held.n_images:,} images that the search did not see, "
            f"q {self.q:.2g}; {self.group.n_failures:,} in {self.group.n_images:,} images of the group"
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON; weights of the features that take part alone."""
        low, high = self.confirmation.increase_interval()
        return {
            "rule": self.rule,
            "weights": {str(j): float(self.weights[j]) for j in self.features},
            "threshold": self.threshold,
            "n_images": self.group.n_images,
            "n_failures": self.group.n_failures,
            "error_rate": self.group.error_rate,
            "error_coverage": self.group.error_coverage,
            "held_out_n_images": self.confirmation.n_images,
            "held_out_n_failures": self.confirmation.n_failures,
            "held_out_error_rate": self.confirmation.error_rate,
            "held_out_error_coverage": self.confirmation.error_coverage,
            "held_out_increase": self.confirmation.increase,
            "held_out_increase_low": float(low),
            "held_out_increase_high": float(high),
            "p": self.p,
            "q": self.q,
            "confirmed": self.confirmed,
        }
