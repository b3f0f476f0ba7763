"""What may be said of a failure mode: confirmed on held-out images, not confirmed, or too few images to tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.statistics.evidence import SAME_RULE, held_out_q, lowest_held_out_p
from barlow_core.wording import count, percent, points

# Of q of a leaf. Cross-fitting makes low p a little more frequent than they should be. With half of the tenth that is promised, and the
# permutation test of the tree, what is confirmed keeps the promise; without that test not always (docs/calibration.md).
LEVEL = 0.05
TREE_LEVEL = 0.1  # of q of the permutation test
TOLERANCE = 1e-9
CONFIRMED, NOT_CONFIRMED, TOO_FEW = "confirmed", "not confirmed", "too few images to tell"
VERDICTS = (CONFIRMED, NOT_CONFIRMED, TOO_FEW)
VERDICT_COLUMNS = {
    "held_out_q": "float64",
    "evidence": "float64",
    "verdict": "string",
    "verdict_reason": "string",
}


def with_verdicts(
    modes: pd.DataFrame, tested: Mapping[int, int], unmeasured: Mapping[str, str], *, shuffles: int | None = None
) -> pd.DataFrame:
    """Add what held-out images say of each failure mode.

    Confirmed is a failure mode of which all of this holds on held-out images:
        - the interval of ER - BER lies above 0;
        - q of the leaf is below `LEVEL` (Fisher's exact test against the rest of the group, corrected for all leaves of all
          groups at this depth);
        - the search, repeated without the images that it was measured on, found mostly the same images: agreement of at least
          `SAME_RULE`, so that the numbers speak of this rule;
    and, where the search was repeated on shuffled failures, q of the tree is below `TREE_LEVEL`, or not one shuffle did as well:
    then p is as low as so many shuffles allow, and among thousands of groups even that can leave q high.
    Of what is confirmed at a depth, at most a tenth is expected to be luck; where groups are small and the search was not repeated on
    shuffled failures, it may be a fifth.
    There are too few images to tell where no outcome could have been confirmed: had every held-out image of the leaf failed, q
    would still not be below `LEVEL`. Everything else is not confirmed.

    Args:
        modes: of `parquet.failure_modes_table`, with held-out counts and p, _held_out_images and _held_out_failures (of the whole
            group), and q (of the tree).
        tested: depth -> how many leaves were tested.
        shuffles: most of the permutation test of a group; None for no test.
        unmeasured: group -> why nothing of it was measured on held-out images, for groups where nothing could be.

    Returns:
        The table with `VERDICT_COLUMNS`. evidence, by which failure modes are ranked, is the lower end of the interval of the
        held-out ER - BER times held-out EC; NaN where nothing was measured. It is IV with what is certain of the increase in the
        place of ER. In made-up runs none of five other orders puts clearly more of what is truly bad on top (docs/calibration.md).
    """
    measured = modes["held_out_n_images"].notna().to_numpy(dtype=bool)
    counts = modes.loc[measured, ["_held_out_images", "_held_out_failures"]].to_numpy(dtype=np.int64)
    # Images that belong together tell no more than one of them where all fail.
    worth = modes["held_out_n_blocks"].fillna(modes["held_out_n_images"])[measured].to_numpy(dtype=np.int64)
    p = modes["held_out_p"].to_numpy(dtype=np.float64)
    lowest, q, lowest_q = (np.full(len(modes), np.nan) for _ in range(3))
    lowest[measured] = np.minimum(lowest_held_out_p(worth, *counts.T), p[measured])
    for depth, n_tested in tested.items():
        here = measured & (modes["depth"] == depth).to_numpy(dtype=bool)
        q[here] = held_out_q(p[here], n_tested)
        found = int((q[here] < LEVEL).sum())
        lowest_q[here] = np.minimum(lowest[here] * n_tested / np.where(q[here] < LEVEL, max(found, 1), found + 1), 1.0)
    as_good = modes["q"].to_numpy(dtype=np.float64) >= TREE_LEVEL
    if shuffles:
        as_good &= modes["p"].to_numpy(dtype=np.float64) * (shuffles + 1) > 1 + TOLERANCE
    table = modes.assign(held_out_q=q, _lowest_q=lowest_q, _shuffled_as_good=as_good)
    table["evidence"] = table["held_out_increase_low"] * table["held_out_error_coverage"].fillna(0.0)
    said = [
        _verdict(row, unmeasured)
        for row in (dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False, name=None))
    ]
    table["verdict"], table["verdict_reason"] = [verdict for verdict, _ in said], [reason for _, reason in said]
    return table


RANKS = ("evidence", "iv")


def ranked(modes: pd.DataFrame, by: str = "evidence") -> pd.DataFrame:
    """Failure modes with the most important first, with a new index.

    Args:
        modes: rows of `Run.failure_modes`.
        by: "evidence": the confirmed ones first, by evidence, then those not confirmed, then those of too few images; "iv": by
            importance value on the images that were searched, as in the paper.

    Raises:
        BarlowError: another order.
    """
    if by not in RANKS:
        raise BarlowError(f"{by!r} is not an order of failure modes. Expected one of: {', '.join(RANKS)}.")
    if by == "iv":
        return modes.sort_values("importance_value", ascending=False, kind="stable", ignore_index=True)
    return modes.iloc[ranked_positions(modes)].reset_index(drop=True)


def ranked_positions(modes: pd.DataFrame) -> np.ndarray:
    """(m,) int64, the positions of failure modes in the order "evidence" of `ranked`."""
    standing = modes["verdict"].map({verdict: i for i, verdict in enumerate(VERDICTS)}).to_numpy(dtype=np.int64)
    evidence, iv = modes["evidence"].fillna(-np.inf).to_numpy(), modes["importance_value"].to_numpy()
    return np.lexsort((-iv, -evidence, standing))


def verdict_counts(modes: pd.DataFrame) -> dict[str, int]:
    """How many failure modes have each of `VERDICTS`, in this order."""
    found = modes["verdict"].value_counts()
    return {verdict: int(found.get(verdict, 0)) for verdict in VERDICTS}


def _verdict(row: Mapping[str, Any], unmeasured: Mapping[str, str]) -> tuple[str, str]:
    """The verdict on one row, and why."""
    if pd.isna(row["held_out_n_images"]):
        reason = unmeasured.get(row["group"])
        if reason is not None:
            return TOO_FEW, reason
        return NOT_CONFIRMED, "nothing was measured on held-out images"
    if row["_lowest_q"] >= LEVEL:
        n = count(int(row["held_out_n_images"]), "held-out image")
        return TOO_FEW, f"{n}: had all of them failed, it could still be luck (q {row['_lowest_q']:.2g} at best)"
    increase, low, q = row["held_out_increase"], row["held_out_increase_low"], row["held_out_q"]
    held_out = f"held out {points(increase)}"
    if low <= 0:
        return NOT_CONFIRMED, f"{held_out}, but it may be none at all (the interval starts at {points(low)})"
    if q >= LEVEL:
        return NOT_CONFIRMED, f"{held_out}, which among so many rules may be luck (q {q:.2g})"
    if row["held_out_agreement"] < SAME_RULE:
        return (
            NOT_CONFIRMED,
            f"{held_out}, but of other rules: only {percent(row['held_out_agreement'])} of their images are the same",
        )
    if row["_shuffled_as_good"]:
        return NOT_CONFIRMED, f"{held_out}, but the search finds as much in shuffled failures (q {row['q']:.2g})"
    return CONFIRMED, f"{held_out}, at least {points(low)}; q {q:.2g}"
