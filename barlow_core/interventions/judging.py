"""From what a model said of changed images to rates, tests and a verdict.

The null hypothesis is that the model depends no more on the feature than on a random one of the same extractor. The test behind the verdict
is exact under it: the feature and K random features are changed in the same images by the same length, and p is the rank of the feature's
effect among all K + 1 (a permutation test over features). Over all ways of changing images together, it is the rank of the mean of the
effects, each in deviations from those of all K + 1 in its way. Tests over images compare the feature with the mean of the random ones
image by image; they take these features as given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import permutation_test
from statsmodels.stats.contingency_tables import mcnemar

from barlow_core.interventions.kinds import (
    CANNOT_TELL,
    DEPENDS,
    ELSEWHERE,
    FEATURE,
    LATENT,
    LEAF,
    NO_EVIDENCE,
    RANDOM_DIRECTION,
    RANDOM_FEATURE,
    RANDOM_REGION,
    SIDES,
    WAY_WORDS,
)
from barlow_core.statistics import paired_difference_interval, wilson_interval
from barlow_core.wording import count, percent, points, points_interval

FEWEST = 10  # changed images without which nothing can be told
LARGE = 0.2  # a difference of rates that an interval must exclude for "no evidence"
MOVED = 0.5  # share of the images whose feature must cross its threshold for "no evidence"
RESAMPLES = 9_999
TOLERANCE = 1e-9  # of sums in another order
ANSWER = np.dtype([("margin", "<f4"), ("prediction", "<i8"), ("length", "<f4")])


@dataclass(frozen=True)
class Measured:
    """What the model said of images that were changed in one way.

    Attributes:
        way: `LATENT`, or the fill of the region.
        trials: (t,) what was changed in each trial; the first is `FEATURE`.
        answers: (t, doses + 1, n) of `ANSWER`; margin NaN for an image that was not changed in a trial. The first dose is 0.
        sides: (n,) of `kinds.SIDES`.
        labels: (n,) int64.
        values: (doses + 1, n) float, the value of the feature that is tested, as the extractor sees it in the changed images.
        crossed: (n,) bool, whether the full change brought the value over the threshold.
        positions: (n,) int64, of the images in the benchmark.
    """

    way: str
    trials: tuple[str, ...]
    answers: np.ndarray
    sides: np.ndarray
    labels: np.ndarray
    values: np.ndarray
    crossed: np.ndarray
    positions: np.ndarray

    @property
    def tested(self) -> np.ndarray:
        """(n,) bool: the images of the group, which the test is about."""
        return np.asarray(self.sides != ELSEWHERE)

    @property
    def effects(self) -> np.ndarray:
        """(t, doses + 1, n): by how much the margin moves as it would if the model depended on the feature: up in the leaf, down outside."""
        margins = self.answers["margin"]
        return np.asarray((margins - margins[0, 0]) * np.where(self.sides == LEAF, 1.0, -1.0))

    @property
    def flips(self) -> np.ndarray:
        """(t, doses + 1, n) float, 1 where the prediction becomes right (leaf) or wrong (outside, other classes); NaN where not changed."""
        right = self.answers["prediction"] == self.labels
        flipped = np.where(self.sides == LEAF, right, ~right).astype(np.float64)
        return np.where(np.isnan(self.answers["margin"]), np.nan, flipped)

    def rows(self, kind: str) -> np.ndarray:
        """Which trials are of a kind."""
        return np.flatnonzero(np.array(self.trials) == kind)


class Judged(NamedTuple):
    """What comes of an intervention.

    Attributes:
        ways: of each way of changing images, its rates, intervals and tests.
        p: of the test over features, all ways together; None where nothing could be changed.
        verdict: one of `kinds.VERDICTS`, and why.
    """

    ways: list[dict[str, Any]]
    p: float | None
    verdict: str
    why: str


def judge(measured: Sequence[Measured], *, alpha: float, n_ways: int, seed: int) -> Judged:
    """What was found in each way of changing images, the verdict over all of them, and why.

    Args:
        alpha: level of the test over features, all ways together; the tests over images are at alpha / n_ways (Bonferroni).
        n_ways: how many ways there are, those that could not be measured included.
    """
    level = alpha / n_ways
    ways = [_way(one, level=level, confidence=1 - alpha, seed=seed) for one in measured]
    if not ways:
        return Judged(ways, None, CANNOT_TELL, "there were no images that could be changed")
    p = _over_features([way["statistic"] for way in ways])
    for way in ways:
        way["control_effects"] = [float(one) for one in way.pop("statistic")[1:]]
        way["unclear"] = _unclear(way, p=p, alpha=alpha)
    following = [way for way in ways if way["follows"]]
    if p <= alpha + TOLERANCE and following:
        best = min(following, key=lambda way: float(way["p"]))
        together = f"; together with {WAY_WORDS[next(w['way'] for w in ways if w is not best)]}" if len(ways) == 2 else ""
        together = f"; in all {len(ways)} ways together" if len(ways) > 2 else together
        return Judged(ways, p, DEPENDS, _in_words(best) + (f"{together} p {p:.2g}" if together else ""))
    conclusive = [way for way in ways if way["unclear"] is None]
    if conclusive:
        return Judged(ways, p, NO_EVIDENCE, "; ".join(_in_words(way) for way in conclusive))
    return Judged(ways, p, CANNOT_TELL, "; ".join(f"{WAY_WORDS[way['way']]}: {way['unclear']}" for way in ways))


def _over_features(statistics: Sequence[np.ndarray]) -> float:
    """The rank of the first of K + 1 features, by the mean over ways of statistics (K + 1,) in deviations from their mean."""
    together = np.mean([(one - one.mean()) / (one.std() or 1.0) for one in statistics], axis=0)
    return float((together >= together[0] - TOLERANCE).mean())


def _in_words(way: dict[str, Any]) -> str:
    excess = f"{points(way['excess'])} ({points_interval(way['excess_low'], way['excess_high'])})"
    return (
        f"{WAY_WORDS[way['way']]}, predictions follow the feature in {percent(way['rate'])} of "
        f"{count(way['n'], 'image')}, with random features in {percent(way['control_rate'])}: {excess}, p {way['p']:.2g}"
    )


def _way(measured: Measured, *, level: float, confidence: float, seed: int) -> dict[str, Any]:
    """One way of changing images: the test over features, and the rates on each side."""
    tested = measured.tested
    controls = measured.rows(RANDOM_FEATURE)
    effects = measured.effects[:, -1]
    statistic = effects[:, tested].mean(axis=1)
    n_as_good = int((statistic[controls] >= statistic[0]).sum())
    p = (1 + n_as_good) / (len(controls) + 1)
    both = _against(measured, tested, confidence=confidence, seed=seed)
    moved = float(measured.crossed[tested].mean()) if tested.any() else 0.0
    found = {
        "way": measured.way,
        "n_controls": len(controls),
        "effect": float(statistic[0]),
        "statistic": statistic[[0, *controls]],
        "n_as_good": n_as_good,
        "p": p,
        "level": level,
        "moved": moved,
        **both,
        "sides": [
            {"side": side, **_against(measured, measured.sides == side, confidence=confidence, seed=seed)}
            for side in SIDES
            if (measured.sides == side).any()
        ],
    }
    found["follows"] = bool(both["p_images"] <= level and both["excess_low"] > 0 and both["n"] >= FEWEST)
    return found


def _unclear(way: dict[str, Any], *, p: float, alpha: float) -> str | None:
    """Why a way that shows no dependence does not speak against it either; None where it does."""
    if way["n"] < FEWEST:
        return f"only {count(way['n'], 'image')} could be changed, and at least {FEWEST} are needed"
    if 1 / (way["n_controls"] + 1) > alpha + TOLERANCE:
        return f"with {count(way['n_controls'], 'random feature')} p is {1 / (way['n_controls'] + 1):.2g} at best"
    if way["follows"] and p > alpha:
        excess = f"{points(way['excess'])}, {points_interval(way['excess_low'], way['excess_high'])}"
        return (
            f"predictions follow it more than random features on average ({excess}), but {way['n_as_good']} of "
            f"{count(way['n_controls'], 'random feature')} move the model as much"
        )
    if way["way"] == LATENT and way["moved"] < MOVED:
        return (
            f"the feature crossed its threshold in {percent(way['moved'])} of the images only, so the change was too small for it"
        )
    if way["excess_high"] > LARGE:
        return f"the difference from random features may be {points(way['excess_high'])}; more images (--images) would tell"
    return None


def _against(measured: Measured, chosen: np.ndarray, *, confidence: float, seed: int) -> dict[str, Any]:
    """The full change of the feature against the controls, over `chosen` (n,) bool images."""
    flips, effects = measured.flips[:, -1, chosen], measured.effects[:, -1][:, chosen]
    controls = measured.rows(RANDOM_FEATURE)
    n = int(chosen.sum())
    own, random = flips[0], flips[controls]
    # Where an image was changed with some of the random features alone, its mean is over those.
    mean, mean_effect = np.nanmean(random, axis=0), np.nanmean(effects[controls], axis=0)
    table = [np.sum(own * mean), np.sum(own * (1 - mean)), np.sum((1 - own) * mean), np.sum((1 - own) * (1 - mean))]
    interval = paired_difference_interval(*table, confidence=confidence)
    low, high = wilson_interval(own.sum(), n, confidence=confidence)
    matched = random[_matched(random, n), np.arange(n)]
    pairs = [[int(np.sum((own == a) & (matched == b))) for b in (1, 0)] for a in (1, 0)]
    others = {}
    for kind, name in ((RANDOM_DIRECTION, "direction"), (RANDOM_REGION, "region")):
        rows = measured.rows(kind)
        others[f"{name}_rate"] = float(np.nanmean(flips[rows])) if len(rows) and np.isfinite(flips[rows]).any() else None
    return {
        "n": n,
        "rate": float(own.mean()) if n else 0.0,
        "rate_low": float(low),
        "rate_high": float(high),
        "control_rate": float(mean.mean()) if n else 0.0,
        "excess": float((own - mean).mean()) if n else 0.0,
        "excess_low": float(interval.low),
        "excess_high": float(interval.high),
        "margin": float(effects[0].mean()) if n else 0.0,
        "control_margin": float(mean_effect.mean()) if n else 0.0,
        "p_images": _sign_flips(effects[0] - mean_effect, seed),
        "p_mcnemar": float(mcnemar(pairs, exact=True).pvalue),
        **others,
    }


def _matched(random: np.ndarray, n: int) -> np.ndarray:
    """(n,) for each image one random feature of those that it was changed with: another one for the next image."""
    return np.array(
        [rows[i % len(rows)] for i, rows in enumerate(np.flatnonzero(~np.isnan(column)) for column in random.T)], int
    )[:n]


def _sign_flips(differences: np.ndarray, seed: int) -> float:
    """One-sided p of the mean of differences by flipping their signs (exact for few images); 1 without images."""
    if len(differences) < 2 or not differences.any():
        return 1.0
    found = permutation_test(
        (differences.astype(np.float64),),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        alternative="greater",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=1000,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


DOSE_COLUMNS = ("way", "changed", "side", "dose", "length", "n", "rate", "rate_low", "rate_high", "margin", "value")


def dose_table(measured: Sequence[Measured], *, confidence: float) -> pd.DataFrame:
    """Rates by the size of the change; `DOSE_COLUMNS`.

    Returns:
        One row a way, what was changed, side and dose (a share of the full change). length is the mean l2 length of the change, n
        the images, rate the share of them whose prediction follows; its ends are Wilson's interval for the feature, and where
        the middle 90 % of the random features, directions or regions lie for these. margin is the mean of `Measured.effects`,
        value the feature's mean value (of the feature alone).
    """
    rows = []
    for one in measured:
        n_doses = one.answers.shape[1]
        for kind in dict.fromkeys(one.trials):
            trials = one.rows(kind)
            for side in SIDES:
                chosen = one.sides == side
                if not chosen.any():
                    continue
                for dose in range(n_doses):
                    flips, effects = one.flips[trials, dose][:, chosen], one.effects[trials, dose][:, chosen]
                    if not np.isfinite(flips).any():
                        continue
                    whole = flips[np.isfinite(flips).all(axis=1)].mean(axis=1)
                    if kind == FEATURE:
                        ends = wilson_interval(flips.sum(), chosen.sum(), confidence=confidence)
                        low, high = float(ends.low), float(ends.high)
                    else:
                        low, high = map(float, np.quantile(whole, [0.05, 0.95]) if len(whole) else (np.nan, np.nan))
                    rows.append(
                        (
                            one.way,
                            kind,
                            side,
                            dose / (n_doses - 1),
                            float(np.nanmean(one.answers["length"][trials, dose][:, chosen])),
                            int(chosen.sum()),
                            float(np.nanmean(flips)),
                            low,
                            high,
                            float(np.nanmean(effects)),
                            float(one.values[dose, chosen].mean()) if kind == FEATURE else np.nan,
                        )
                    )
    return pd.DataFrame(rows, columns=list(DOSE_COLUMNS))
