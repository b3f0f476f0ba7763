"""What becomes of failure modes on images that took no part in choosing features, thresholds or leaves.

`by_split` searches one part of a group and measures the rules that it found on the rest: what is measured is the very rule
that is shown, on fewer images. `cross_fit` needs no split: the rules that are shown come from all images, and what is
measured is the same search, repeated without the images that it is measured on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from barlow_core.errors import BarlowError
from barlow_core.failure_modes import FailureAnalysis, Settings, explain_depths
from barlow_core.failure_tree import FailureTree, Node
from barlow_core.information import check_inputs
from barlow_core.statistics.blocks import as_blocks, n_folds, split_folds
from barlow_core.statistics.held_out_counts import HeldOut, HeldOutLeaf, HeldOutTree, LeafBlocks


def by_split(
    features: np.ndarray, failure: np.ndarray, search: np.ndarray, settings: Settings, depths: Sequence[int]
) -> tuple[list[FailureAnalysis], HeldOut]:
    """Search for failure modes among some images of a group, and count their leaves on the others.

    What is measured: each leaf of the trees that are returned, on images that the search has not seen. Nothing else comes in:
    the counts are binomial given the rule, and their intervals hold as they stand.

    Args:
        features: (n, D) features of the group's images.
        failure: (n,) bool.
        search: (n,) bool, True for the images to search.
        settings, depths: of the search, as for `explain_depths`.

    Returns:
        The analyses of the searched images, one a depth, and the held-out counts.

    Raises:
        BarlowError: shapes that do not fit, or values that are not finite.

    Cost: that of `explain_depths`.
    """
    features, failure = check_inputs(features, failure)
    search = np.asarray(search)
    if search.shape != failure.shape or search.dtype != np.bool_:
        raise BarlowError(
            f"search has shape {search.shape} and type {search.dtype}. Expected one True or False for each of {len(failure)} images."
        )
    analyses = explain_depths(features[search], failure[search], settings, depths)
    return analyses, measure(analyses, features[~search], failure[~search])


def measure(
    analyses: Sequence[FailureAnalysis],
    features: np.ndarray,
    failure: np.ndarray,
    *,
    blocks: np.ndarray | None = None,
    seen: np.ndarray | None = None,
) -> HeldOut:
    """Count the leaves of trees on images that took no part in finding them.

    Args:
        analyses: of `explain_depths`, on other images.
        features: (n, D) features of the held-out images.
        failure: (n,) bool.
        blocks: (n,) int, images that belong together have the same; the intervals then count what they are worth.
        seen: (n,) bool, the images that have a near-duplicate among those that were searched, to count them; None for no count.

    Raises:
        BarlowError: as `explain_depths`.
    """
    features, failure = check_inputs(features, failure)
    together = as_blocks(blocks, len(failure))
    if not len(failure):
        return HeldOut("split", 0, (), reason="no image of this group is held out")
    n, f = len(failure), int(failure.sum())
    trees = []
    for analysis in analyses:
        found = assign(analysis.tree, features)
        images, failures = _count(found, failure, len(analysis.leaves))
        leaves = [
            HeldOutLeaf(
                n_images=int(images[i]),
                n_failures=int(failures[i]),
                all_images=n,
                all_failures=f,
                number=leaf.number,
                blocks=LeafBlocks.of(found == i, failure, together),
                n_seen=None if seen is None else int(seen[found == i].sum()),
            )
            for i, leaf in enumerate(analysis.leaves)
        ]
        cells = [(0, int(images[i]), int(failures[i])) for i in range(len(images))]
        by_blocks = None if together is None else ((found, together, failure),)
        trees.append(HeldOutTree(analysis.settings.depth, n, f, tuple(leaves), tuple(cells), by_blocks))
    return HeldOut("split", 1, tuple(trees))


def cross_fit(
    features: np.ndarray,
    failure: np.ndarray,
    analyses: Sequence[FailureAnalysis],
    *,
    folds: int = 5,
    seed: int = 0,
    information: Callable[[np.ndarray], np.ndarray] | None = None,
    blocks: np.ndarray | None = None,
    duplicates: np.ndarray | None = None,
) -> HeldOut:
    """Measure the failure modes of a group on held-out images where no image can be spared for it.

    The images are dealt into `folds` parts of about equal size and equal BER. For each part, the whole search (selection of
    features, tree of each depth) is repeated on all the other parts. The leaf of that tree which overlaps a leaf of the full
    tree most stands for it: most by Jaccard index (images in both / images in either) over the images searched, the first in
    the order of `FailureTree.leaves` among equals. The images of the held-out part that fall into the stand-in are counted,
    and the counts of all parts are added up. Where no leaf overlaps at all, nothing is counted in that part.

    What is measured:
        n_images, n_failures: images in the stand-ins, each image in a rule that was found without it.
        error_rate: of these images together: what the *search* delivers on new images when it is after this leaf; an average
            over K rules, each from (K - 1) / K of the images, so a little lower than the full rule's own rate as a rule.
        error_coverage: n_failures / all failures of the group. The stand-ins need not partition the images: one leaf can stand
            for two, and the coverages of a tree's leaves need not add up to 1.
        increase: error_rate - BER of the group (every image is held out once).
        agreement: mean Jaccard index of the stand-ins, 1 when the same images were found again every time. When it is low, the
            counts speak of rules other than the one shown.
        aler, aler_increase: of the K trees, each on its own part, with no matching of leaves; weighed by the parts' failures.
    The leaf of the full tree, and so the choice of its stand-in among at most 2^depth leaves, has seen all images; what this
    leaves of optimism is measured in docs/calibration.md. The counts are treated as binomial by the intervals, as is common,
    although the K rules share images.

    Args:
        features: (n, D) features of the group's images.
        failure: (n,) bool.
        analyses: of `explain_depths` on exactly these images; their settings, alike but for the depth, are those of the search.
        folds: K, at least 2; fewer are used when there are fewer failures or successes, or fewer blocks with such.
        seed: of the dealing.
        information: gives the mutual information (D,) of every feature with failure over the images at some positions, where it
            is remembered from another search; None works it out.
        blocks: (n,) int, images that belong together have the same: a block is in one part as a whole, and the intervals count
            what its images are worth (`blocks`). None where every image stands for itself.
        duplicates: (n,) int, near-duplicates have the same number, to count held-out images that were as good as searched.

    Raises:
        BarlowError: as `explain_depths`; fewer than 2 folds; analyses of other images.

    Cost: K times `explain_depths` on (K - 1) / K of the images.
    """
    features, failure = check_inputs(features, failure)
    if folds < 2:
        raise BarlowError(f"folds is {folds}. Expected at least 2: one part to hold out and one to search.")
    check_analyses(analyses, failure)
    n, f = len(failure), int(failure.sum())
    reason = next((analysis.reason for analysis in analyses if analysis.reason), None)
    if reason is None and min(f, n - f) < 2:
        reason = f"cross-fitting needs at least 2 failures and 2 successes, here there are {f} and {n - f}"
    together = as_blocks(blocks, n)
    if reason is None and n_folds(failure, together, folds) < 2:
        reason = "cross-fitting needs failures in at least 2 blocks of images that belong together, and successes in 2"
    if reason is not None or not analyses:
        return HeldOut("cross-fit", 0, (), reason=reason)

    folds = n_folds(failure, together, folds)
    depths = [analysis.settings.depth for analysis in analyses]
    full_leaves = [assign(analysis.tree, features) for analysis in analyses]
    totals = [np.zeros((len(analysis.leaves), 2), dtype=np.int64) for analysis in analyses]
    overlaps = [np.zeros((len(analysis.leaves), folds)) for analysis in analyses]
    cells: list[list[tuple[int, int, int]]] = [[] for _ in analyses]
    stand_ins: list[list[list[Node]]] = [[[] for _ in analysis.leaves] for analysis in analyses]
    members: list[list[list[np.ndarray]]] = [[[] for _ in analysis.leaves] for analysis in analyses]
    by_blocks: list[list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = [[] for _ in analyses]
    seen = np.zeros(n, dtype=bool)
    for fold, (searched, held_out) in enumerate(split_folds(failure, together, folds, seed)):
        if duplicates is not None:
            seen[held_out] = np.isin(duplicates[held_out], duplicates[searched])
        known = None if information is None else information(searched)
        again = explain_depths(features[searched], failure[searched], analyses[0].settings, depths, information=known)
        for i, analysis in enumerate(again):
            found = assign(analysis.tree, features)
            images, failures = _count(found[held_out], failure[held_out], len(analysis.leaves))
            cells[i] += [(fold, int(images[j]), int(failures[j])) for j in range(len(images))]
            if together is not None:
                by_blocks[i].append((found[held_out], together[held_out], failure[held_out]))
            overlap = jaccard(full_leaves[i][searched], found[searched], len(totals[i]), len(images))
            overlaps[i][:, fold] = overlap.max(axis=1)
            for j, best in enumerate(overlap.argmax(axis=1)):
                if overlap[j, best] > 0:
                    totals[i][j] += images[best], failures[best]
                    stand_ins[i][j].append(analysis.leaves[best])
                    members[i][j].append(held_out[found[held_out] == best])
    trees = []
    for i, analysis in enumerate(analyses):
        inside = [_inside(found, n) for found in members[i]]
        leaves = [
            HeldOutLeaf(
                n_images=int(totals[i][j, 0]),
                n_failures=int(totals[i][j, 1]),
                all_images=n,
                all_failures=f,
                number=leaf.number,
                agreement=float(overlaps[i][j].mean()),
                stand_ins=tuple(stand_ins[i][j]),
                blocks=LeafBlocks.of(inside[j], failure, together),
                n_seen=None if duplicates is None else int(seen[inside[j]].sum()),
            )
            for j, leaf in enumerate(analysis.leaves)
        ]
        trees.append(
            HeldOutTree(depths[i], n, f, tuple(leaves), tuple(cells[i]), None if together is None else tuple(by_blocks[i]))
        )
    return HeldOut("cross-fit", folds, tuple(trees))


def assign(tree: FailureTree, features: np.ndarray) -> np.ndarray:
    """Which leaf each image falls into, (n,) int64 positions in `tree.leaves`, for features (n, D)."""
    position = np.zeros(len(features), dtype=np.int64)
    for i, leaf in enumerate(tree.leaves):
        position[leaf.contains(features)] = i
    return position


def jaccard(one: np.ndarray, two: np.ndarray, n_one: int, n_two: int) -> np.ndarray:
    """Overlap of the parts of two partitions of the same images, (n_one, n_two) in [0, 1].

    Args:
        one, two: (n,) int, the part of each image, from 0 to n_one - 1 and n_two - 1.
    """
    both = np.bincount(one * n_two + two, minlength=n_one * n_two).reshape(n_one, n_two)
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0, keepdims=True) - both
    return both / np.maximum(either, 1)


def check_analyses(analyses: Sequence[FailureAnalysis], failure: np.ndarray) -> None:
    """Raise BarlowError when `analyses` are not of images with this `failure`."""
    for analysis in analyses:
        if (analysis.n_images, analysis.n_failures) != (len(failure), int(failure.sum())):
            raise BarlowError(
                f"The analysis of depth {analysis.settings.depth} is of {analysis.n_failures} failures in {analysis.n_images} "
                f"images, but {int(failure.sum())} failures in {len(failure)} images were given. Expected the same images."
            )


def _inside(found: Sequence[np.ndarray], n_images: int) -> np.ndarray:
    """(n,) bool, from positions."""
    inside = np.zeros(n_images, dtype=bool)
    for positions in found:
        inside[positions] = True
    return inside


def _count(position: np.ndarray, failure: np.ndarray, n_leaves: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and failures in each leaf."""
    return np.bincount(position, minlength=n_leaves), np.bincount(position[failure], minlength=n_leaves)
