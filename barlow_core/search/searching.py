"""Find directions along which images fail on one part of them, and count their rules on the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from barlow_core.directions import Direction
from barlow_core.errors import BarlowError
from barlow_core.information import check_inputs
from barlow_core.search import noisy_or
from barlow_core.search.rules import Counts, Rule
from barlow_core.search.short import ShortRule, agreement, shorten
from barlow_core.statistics import HeldOutLeaf
from barlow_core.statistics.blocks import as_blocks
from barlow_core.statistics.held_out_counts import LeafBlocks

LEAST_FAILURES = 10  # in the searched part, without which nothing is searched
VARIANCE_KEPT = 0.995
MOST_COMPONENTS = 64
SAME = 0.5  # Jaccard index of two rules that say the same thing


@dataclass(frozen=True)
class SearchSettings:
    """How to search.

    Attributes:
        share: of the images that are searched; the others confirm.
        penalty: on the squared weights of a direction; larger gives flatter, more cautious directions.
        most: rules at most.
        starts: failures at which each new direction is begun.
        alpha: a rule is confirmed when q, which holds for the whole search, is at most this ...
        delta: ... and when ER - BER on the confirming images is above this.
        short: features at most of the short form of a rule (`short.shorten`).
        seed: of the parts and the starts.
    """

    share: float = 0.7
    penalty: float = 0.02
    most: int = 8
    starts: int = 6
    alpha: float = 0.05
    delta: float = 0.1
    short: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (("share", 0, 1), ("alpha", 0, 1)):
            if not low < getattr(self, name) < high:
                raise BarlowError(f"{name} is {getattr(self, name)}. Expected a number between {low} and {high}.")
        if not 0 <= self.delta < 1:
            raise BarlowError(f"delta is {self.delta}. Expected a number from 0 to below 1.")
        if not self.penalty > 0:
            raise BarlowError(f"penalty is {self.penalty}. Expected a number above 0.")
        for name, least in (("most", 1), ("starts", 1), ("short", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise BarlowError(f"{name} is {getattr(self, name)}. Expected a whole number of at least {least}.")


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What a search found in a group of images.

    Attributes:
        rules: no two of which select mostly the same images; the confirmed ones first, then by q, then by failures held.
        searched: (n,) bool, the images that were searched.
        confirming: (n,) bool, those that rules are counted on: the others, as far as they belong together with none that was searched.
        reason: why nothing could be searched; else None.
        n_images, n_failures: of the group.
        settings: of the search.
    """

    rules: list[Rule]
    searched: np.ndarray
    confirming: np.ndarray
    n_images: int
    n_failures: int
    settings: SearchSettings
    reason: str | None = None

    @property
    def ber(self) -> float:
        """Base error rate of the group; 0 without images."""
        return self.n_failures / self.n_images if self.n_images else 0.0

    @property
    def confirmed(self) -> list[Rule]:
        """The rules that hold on images which the search did not see."""
        return [rule for rule in self.rules if rule.confirmed]


def search(
    features: np.ndarray,
    failure: np.ndarray,
    *,
    share: float = SearchSettings.share,
    penalty: float = SearchSettings.penalty,
    most: int = SearchSettings.most,
    starts: int = SearchSettings.starts,
    alpha: float = SearchSettings.alpha,
    delta: float = SearchSettings.delta,
    short: int = SearchSettings.short,
    seed: int = SearchSettings.seed,
    searched: np.ndarray | None = None,
    blocks: np.ndarray | None = None,
    duplicates: np.ndarray | None = None,
) -> SearchResult:
    """Find rules under which images fail, and count them on images that had no part in finding them.

    The images are parted once, failures and others alike. Directions are found on the one part; Fisher's exact test on the other
    asks of each whether as many failures under the rule could be luck, and Holm's correction takes all of them together. Whatever
    was tried on the searched part, p and q of the other are valid, as long as images, or blocks of them, are independent of each other.

    Args:
        features: (n, D) finite real numbers. failure: (n,) bool, True where the classifier is wrong.
        share, penalty, most, starts, alpha, delta, short, seed: see `SearchSettings`.
        searched: (n,) bool, the images to search, instead of a random share of them.
        blocks: (n,) int, the same number for images that belong together (frames of one video): they stand on one side, and count
            for what they are worth (`statistics.blocks`). `share` is then one of blocks.
        duplicates: (n,) int, the same number for near-duplicates, to count how many held-out images have one that was searched.

    Returns:
        A `SearchResult`; without rules where fewer than 10 searched images fail, or fewer than 10 do not.

    Raises:
        BarlowError: settings out of range, or inputs that do not fit.
    """
    settings = SearchSettings(share, penalty, most, starts, alpha, delta, short, seed)
    features, failure = check_inputs(features, failure)
    blocks = as_blocks(blocks, len(failure))
    searched = _parts(failure, blocks, settings) if searched is None else _checked_parts(searched, failure)
    confirming = ~searched if blocks is None else ~np.isin(blocks, blocks[searched])
    reason = _too_few(failure[searched])
    rules: list[Rule] = []
    if reason is None:
        space = _Space.of(features)
        model = noisy_or.fit(
            space.coordinates(features[searched]), failure[searched], penalty=penalty, most=most, starts=starts, seed=seed
        )
        directions = [space.direction(w, b) for w, b in zip(model.weights, model.offsets, strict=True)]
        found = _distinct([_Found(w, t, features @ w > t) for w, t in directions], failure & searched)
        count = _Counter(failure, searched, confirming, blocks, duplicates)
        rules = _tested(found, features, count, settings)
    return SearchResult(rules, searched, confirming, len(failure), int(failure.sum()), settings, reason)


def _too_few(failure: np.ndarray) -> str | None:
    """Why images with these failures cannot be searched; None where they can."""
    n_failures, n_others = int(failure.sum()), int((~failure).sum())
    if min(n_failures, n_others) >= LEAST_FAILURES:
        return None
    what, n = ("that fail", n_failures) if n_failures <= n_others else ("that do not fail", n_others)
    return f"{n} of {len(failure)} searched images are such {what}; at least {LEAST_FAILURES} are needed"


@dataclass(frozen=True)
class _Space:
    """Principal components of the features on one common scale: less to fit, and no feature counts for more than it varies."""

    mean: np.ndarray
    axes: np.ndarray  # (m, D), divided by the scale

    @classmethod
    def of(cls, features: np.ndarray) -> _Space:
        mean = features.mean(axis=0, dtype=np.float64)
        centred = features - mean
        # Of fewer images than features, the products of images have the same eigenvalues, and fewer of them.
        few = len(features) < features.shape[1]
        products = centred @ centred.T if few else centred.T @ centred
        variance, axes = np.linalg.eigh(products / max(len(features), 1))
        variance, axes = np.maximum(variance[::-1], 0), axes[:, ::-1].T
        total = variance.sum()
        if total == 0:
            return cls(mean, np.zeros((0, features.shape[1])))
        kept = int(np.searchsorted(np.cumsum(variance), VARIANCE_KEPT * total)) + 1
        kept = min(kept, MOST_COMPONENTS, int((variance > 1e-10 * variance[0]).sum()))
        axes = axes[:kept]
        if few:
            axes = axes @ centred
            axes /= np.linalg.norm(axes, axis=1, keepdims=True)
        return cls(mean, axes / np.sqrt(variance[0]))

    def coordinates(self, features: np.ndarray) -> np.ndarray:
        return (features - self.mean) @ self.axes.T

    def direction(self, weights: np.ndarray, offset: float) -> tuple[np.ndarray, float]:
        """Weights of length 1 over the features and the threshold for which `weights . coordinates + offset > 0`."""
        over = weights @ self.axes
        length = float(np.linalg.norm(over)) or 1.0
        return over / length, float(over @ self.mean - offset) / length


class _Found(NamedTuple):
    """A rule before it is counted: weights (D,) of length 1, threshold, and (n,) bool, the images above it."""

    weights: np.ndarray
    threshold: float
    inside: np.ndarray


def _distinct(found: list[_Found], known: np.ndarray) -> list[_Found]:
    """Without rules that select mostly the images of one that holds more of the known failures."""
    kept: list[_Found] = []
    for candidate in sorted(found, key=lambda one: -int((one.inside & known).sum())):
        inside = candidate.inside
        same = any((inside & other.inside).sum() >= SAME * (inside | other.inside).sum() for other in kept)
        if inside.any() and not same:
            kept.append(candidate)
    return kept


@dataclass(frozen=True, eq=False)
class _Counter:
    """Counts rules: over all images of a group, and over the confirming ones."""

    failure: np.ndarray
    searched: np.ndarray
    confirming: np.ndarray
    blocks: np.ndarray | None
    duplicates: np.ndarray | None

    def group(self, inside: np.ndarray) -> Counts:
        return Counts(int(inside.sum()), int((inside & self.failure).sum()), len(inside), int(self.failure.sum()))

    def held_out(self, number: int, inside: np.ndarray) -> HeldOutLeaf:
        held = inside & self.confirming
        blocks = None if self.blocks is None else self.blocks[self.confirming]
        seen = None
        if self.duplicates is not None:
            seen = int(np.isin(self.duplicates[held], self.duplicates[self.searched]).sum())
        return HeldOutLeaf(
            number=number,
            n_images=int(held.sum()),
            n_failures=int((held & self.failure).sum()),
            all_images=int(self.confirming.sum()),
            all_failures=int((self.confirming & self.failure).sum()),
            blocks=LeafBlocks.of(inside[self.confirming], self.failure[self.confirming], blocks),
            n_seen=seen,
        )


def _tested(found: list[_Found], features: np.ndarray, count: _Counter, settings: SearchSettings) -> list[Rule]:
    deviation = features.std(axis=0, dtype=np.float64)
    held_out = [count.held_out(number, one.inside) for number, one in enumerate(found)]
    p = np.array([leaf.p() for leaf in held_out])
    rules = []
    for one, leaf, own, corrected in zip(found, held_out, p, holm(p), strict=True):
        order = np.argsort(-np.abs(one.weights * deviation), kind="stable")
        order = order[one.weights[order] != 0]
        direction = Direction(tuple(order.tolist()), tuple(one.weights[order].tolist()))
        confirmed = bool(corrected <= settings.alpha and leaf.increase is not None and leaf.increase > settings.delta)
        said = _short(one, features, count, settings.short)
        rules.append(Rule(direction, one.threshold, count.group(one.inside), leaf, float(own), float(corrected), confirmed, said))
    return sorted(rules, key=lambda rule: (not rule.confirmed, rule.q, -rule.group.n_failures))


def _short(one: _Found, features: np.ndarray, count: _Counter, most: int) -> ShortRule | None:
    """The rule with few features, found on the searched images and counted on the confirming ones."""
    known = features[count.searched]
    found = shorten(known, known @ one.weights - one.threshold, most=most)
    if found is None:
        return None
    direction, threshold = found
    inside = (direction.values(features) > threshold) & count.confirming
    same = agreement(inside, one.inside & count.confirming)
    return ShortRule(direction, threshold, same, int(inside.sum()), int((inside & count.failure).sum()))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's (1979) step-down correction of p-values (n,), by statsmodels."""
    from statsmodels.stats.multitest import multipletests  # a second to import, which only a search should take

    return multipletests(p, method="holm")[1] if len(p) else p


def _parts(failure: np.ndarray, blocks: np.ndarray | None, settings: SearchSettings) -> np.ndarray:
    """(n,) bool: a random share of the images that fail and of the others; of blocks with a failure and of the others."""
    rng = np.random.default_rng([settings.seed, 0])
    if blocks is None:
        return _share(failure, settings.share, rng)
    failing = np.bincount(blocks, weights=failure) > 0
    return _share(failing, settings.share, rng)[blocks]


def _share(outcome: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """(n,) bool: a random share of those with either outcome."""
    chosen = np.zeros(len(outcome), dtype=bool)
    for value in (False, True):
        rows = rng.permutation(np.flatnonzero(outcome == value))
        chosen[rows[: round(share * len(rows))]] = True
    return chosen


def _checked_parts(searched: np.ndarray, failure: np.ndarray) -> np.ndarray:
    searched = np.asarray(searched)
    if searched.shape != failure.shape or searched.dtype != np.bool_:
        raise BarlowError(
            f"searched has shape {searched.shape} and type {searched.dtype}. Expected {failure.shape} bool: True for the images to search."
        )
    if searched.all() or not searched.any():
        raise BarlowError(f"searched is {searched.any()} for every image. Expected images to search and others to confirm.")
    return searched
