"""Find directions along which images fail on one part of them, and count their rules on the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from barlow_core.directions import Direction
from barlow_core.errors import BarlowError
from barlow_core.information import check_inputs
from barlow_core.search import noisy_or
from barlow_core.search.rules import Rule
from barlow_core.search.short import ShortRule, agreement, shorten
from barlow_core.search.space import Space, deviation
from barlow_core.search.stability import SAME, recurrence
from barlow_core.statistics import Counts, HeldOutLeaf
from barlow_core.statistics.blocks import as_blocks
from barlow_core.statistics.held_out_counts import LeafBlocks

LEAST_FAILURES = 10  # in the searched part, without which nothing is searched
MOST_FITTED = 50_000  # searched images that directions are fitted to, at random where there are more; all images are counted


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
    resamples: int = 0,
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
        resamples: how often the search is repeated on a random half of the searched images, see `stability.recurrence`.

    Returns:
        A `SearchResult`; without rules where fewer than 10 searched images fail, or fewer than 10 do not.

    Raises:
        BarlowError: settings out of range, or inputs that do not fit.
    """
    settings = SearchSettings(share, penalty, most, starts, alpha, delta, short, seed)
    if resamples < 0:
        raise BarlowError(f"resamples is {resamples}. Expected a whole number of at least 0.")
    features, failure = check_inputs(features, failure)
    blocks = as_blocks(blocks, len(failure))
    searched = _parts(failure, blocks, settings) if searched is None else _checked_parts(searched, failure)
    confirming = ~searched if blocks is None else ~np.isin(blocks, blocks[searched])
    rows = _thinned(np.flatnonzero(searched), seed)
    reason = _too_few(failure[rows])
    rules: list[Rule] = []
    if reason is None:
        space = Space.of(features, _thinned(np.arange(len(failure)), seed))
        known = space.coordinates(features, rows)

        def fit(part: np.ndarray | slice) -> noisy_or.NoisyOr:
            return noisy_or.fit(known[part], failure[rows[part]], penalty=penalty, most=most, starts=starts, seed=seed)

        spread, model = deviation(features), fit(slice(None))
        reasons = [(w, b) for w, b in zip(model.weights, model.offsets.tolist(), strict=True) if w.any()]
        found = _distinct([_Found.of(*space.direction(w, b), spread, features) for w, b in reasons], failure & searched)
        stable: list[float | None] = [None] * len(found)
        if resamples:
            others = space.coordinates(features, np.flatnonzero(confirming))
            stable = recurrence(
                [one.inside[confirming] for one in found],
                lambda half: list((fit(half).scores(others) > 0).T),
                failure[rows],
                None if blocks is None else as_blocks(blocks[rows], len(rows)),
                resamples=resamples,
                seed=seed,
            )
        count = _Counter(failure, searched, confirming, blocks, duplicates)
        rules = _tested(found, stable, features, count, settings)
    return SearchResult(rules, searched, confirming, len(failure), int(failure.sum()), settings, reason)


def _too_few(failure: np.ndarray) -> str | None:
    """Why images with these failures cannot be searched; None where they can."""
    n_failures, n_others = int(failure.sum()), int((~failure).sum())
    if min(n_failures, n_others) >= LEAST_FAILURES:
        return None
    what, n = ("that fail", n_failures) if n_failures <= n_others else ("that do not fail", n_others)
    return f"{n} of {len(failure)} searched images are such {what}; at least {LEAST_FAILURES} are needed"


def _thinned(rows: np.ndarray, seed: int) -> np.ndarray:
    """`MOST_FITTED` of the rows at random, in their order; all where there are no more."""
    if len(rows) <= MOST_FITTED:
        return rows
    return np.sort(np.random.default_rng([seed, 2]).choice(rows, MOST_FITTED, replace=False))


class _Found(NamedTuple):
    """A rule before it is counted: the images with scores, (n,) float64, above 0, which are their values along direction less threshold."""

    direction: Direction
    threshold: float
    scores: np.ndarray

    @classmethod
    def of(cls, weights: np.ndarray, threshold: float, spread: np.ndarray, features: np.ndarray) -> _Found:
        """For weights (D,) of length 1 over features (n, D), whose standard deviations are spread."""
        order = np.argsort(-np.abs(weights * spread), kind="stable")
        order = order[weights[order] != 0]
        direction = Direction(tuple(order.tolist()), tuple(weights[order].tolist()))
        return cls(direction, threshold, direction.values(features) - threshold)

    @property
    def inside(self) -> np.ndarray:
        """(n,) bool, the images that it selects."""
        return self.scores > 0


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


def _tested(
    found: list[_Found], stable: list[float | None], features: np.ndarray, count: _Counter, settings: SearchSettings
) -> list[Rule]:
    held_out = [count.held_out(number, one.inside) for number, one in enumerate(found)]
    p = np.array([leaf.p() for leaf in held_out])
    rows = np.flatnonzero(count.searched)
    shorts = shorten(features, [one.scores[rows] for one in found], most=settings.short, rows=rows)
    rules = []
    for one, leaf, own, corrected, share, short in zip(found, held_out, p, holm(p), stable, shorts, strict=True):
        confirmed = bool(corrected <= settings.alpha and leaf.increase is not None and leaf.increase > settings.delta)
        rules.append(
            Rule(
                direction=one.direction,
                threshold=one.threshold,
                group=count.group(one.inside),
                held_out=leaf,
                p=float(own),
                q=float(corrected),
                confirmed=confirmed,
                stability=share,
                short=_counted(short, one, features, count),
            )
        )
    return sorted(rules, key=lambda rule: (not rule.confirmed, rule.q, -rule.group.n_failures))


def _counted(short: tuple[Direction, float] | None, one: _Found, features: np.ndarray, count: _Counter) -> ShortRule | None:
    """The short form of a rule, which was found on the searched images, counted on the confirming ones."""
    if short is None:
        return None
    direction, threshold = short
    inside = (direction.values(features) > threshold) & count.confirming
    same = agreement(inside, one.inside & count.confirming)
    return ShortRule(direction, threshold, same, int(inside.sum()), int((inside & count.failure).sum()))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's (1979) step-down correction of p-values (n,).

    That of statsmodels gives the same, and has Python collect its garbage at each call: a fifth of a second, longer than a search.
    """
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return corrected


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
