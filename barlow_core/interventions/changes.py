"""Changes of images through the robust extractor: features raised or lowered within an l2 ball, in steps of equal size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from barlow_core.directions import Direction
from barlow_core.errors import BarlowError
from barlow_core.extractors import Extractor
from barlow_core.panels.attack import feature_attack_frames
from barlow_core.wording import count

STRETCH = 2.0  # a control's change that is shorter than that of the feature is made longer, at most so many times
# Features that are correlated with the target by more are copies of it. Leaving out more would leave out those on its side of what most
# features of a group have in common, and make p too small: at 0.3, a test at 0.025 rejects 8 % of null modes, at 0.9 as many as it should.
CORRELATED = 0.9
ACTIVE = 0.9  # share of the images in which a feature has to be active to be a control: a dead one cannot be changed


def latent_changes(
    extractor: Extractor,
    images: Tensor,
    changed: Direction | np.ndarray,
    *,
    raised: np.ndarray,
    doses: int,
    epsilon: float,
) -> Tensor:
    """Change images so that a feature becomes stronger or weaker.

    Args:
        images: (n, 3, S, S) in [0, 1], as the extractor sees them.
        changed: the direction, for all images; or (n,) int64 features, one for each.
        raised: (n,) bool, whether it is raised or lowered.
        doses: number of steps, each of length epsilon / doses.
        epsilon: l2 length of the whole path, and radius of the ball.

    Returns:
        (doses + 1, n, 3, S, S) float32: what is added to the images; the first is 0 everywhere.
    """
    found = torch.zeros(doses + 1, *images.shape)
    for up in (True, False):
        rows = np.flatnonzero(raised == up)
        if not len(rows):
            continue
        what = changed if isinstance(changed, Direction) else changed[rows]
        frames = feature_attack_frames(
            extractor,
            images[rows],
            what,
            frames=doses + 1,
            steps=doses,
            epsilon=epsilon,
            step_size=epsilon / doses,
            lower=not up,
            exact=True,  # whoever calls has chosen how the network is run
        )
        for dose, frame in enumerate(frames):
            found[dose, rows] = frame.images.cpu() - images[rows]
    return found


def lengths(changes: Tensor) -> np.ndarray:
    """l2 norms of changes (..., 3, S, S), float32."""
    return torch.linalg.vector_norm(changes.flatten(-3), dim=-1).numpy()


def of_length(changes: Tensor, wanted: np.ndarray, *, most: float = STRETCH) -> Tensor:
    """Changes (..., 3, S, S) scaled to l2 norms `wanted` (...); they grow at most `most` times, and what is 0 stays so."""
    own = lengths(changes)
    factor = np.divide(wanted, own, out=np.zeros_like(own), where=own > 0)
    return changes * torch.from_numpy(np.minimum(factor, most).astype(np.float32))[..., None, None, None]


def random_changes(shape: Sequence[int], wanted: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Changes in a random direction of the pixels, one for each image, of the l2 norms `wanted` (doses, n): (doses, n, 3, S, S)."""
    direction = torch.from_numpy(rng.standard_normal(tuple(shape)).astype(np.float32))
    return of_length(direction[None].expand(len(wanted), *shape), wanted, most=np.inf)


def control_features(
    stored: np.ndarray, target: Direction, rows: np.ndarray, among: np.ndarray, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, int]]:
    """Draw the random features that a feature is compared with.

    Drawn from those that are active in at least `ACTIVE` of the changed images (or in as many as the target, where that is less), and
    whose correlation with the target over the group is at most `CORRELATED` on either side of 0. Where these are too few, the
    least correlated of the others follow.

    Args:
        stored: (N, D) features of the run.
        rows: positions of the images that are changed.
        among: positions of the group's images, over which features are correlated.
        n: how many.

    Returns:
        (n,) int64 features, and how many there were to draw from (n_pool), how many of all are too correlated (n_correlated) or
        too often inactive (n_inactive).

    Raises:
        BarlowError: the extractor has not so many features beside the target's own.
    """
    values = np.asarray(stored[among], dtype=np.float64)
    own = target.values(stored, among)
    centred = values - values.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0) * ((own - own.mean()) ** 2).sum())
    correlation = np.abs(np.divide((own - own.mean()) @ centred, scale, out=np.zeros(len(scale)), where=scale > 0))
    activity = (np.asarray(stored[rows]) != 0).mean(axis=0)
    least = min(ACTIVE, float(activity[list(target.features)].min()))
    active, apart = activity >= least, correlation <= CORRELATED
    candidates = np.ones(stored.shape[1], dtype=bool)
    candidates[list(target.features)] = False
    if candidates.sum() < n:
        raise BarlowError(
            f"The extractor has {count(int(candidates.sum()), 'other feature')}, and {n} are wanted as controls. Ask for fewer: --controls."
        )
    pool = rng.permutation(np.flatnonzero(candidates & active & apart))
    rest = np.flatnonzero(candidates & ~(active & apart))
    rest = rest[np.lexsort((correlation[rest], ~active[rest]))]
    counts = {
        "n_pool": len(pool),
        "n_correlated": int((candidates & ~apart).sum()),
        "n_inactive": int((candidates & ~active).sum()),
    }
    return np.concatenate([pool, rest])[:n].astype(np.int64), counts


def like(target: Direction, features: np.ndarray) -> Direction:
    """A direction with the target's weights along other features, as many as it has."""
    return Direction(tuple(map(int, features)), target.weights)
