"""Answers behind the answers: models of which choice an item deserves and how much each worker is to be trusted, by crowd-kit.

Dawid and Skene (1979) give every worker a table of how they confuse choices; MACE (Hovy et al. 2013) tells who answers at random.
Both take the question to have one true answer an item, which question 5 (a preference) has only in part: read them as a second opinion on the
majority vote and on workers, not as the truth.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import Any, cast

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError
from study.answers.table import checked
from study.statistics.likert import votes

MISSING = "Models of workers need crowd-kit, which is not installed. Install it: pip install 'barlow[crowd]'"
NOTHING = "nobody answered question 5"
RESTARTS = 3
ONE_EACH = "no item has two answers to question 5, so workers cannot be compared"


@dataclass(frozen=True)
class LatentVotes:
    """What the models say.

    Attributes:
        items: the items as index: `majority` (the vote, None when tied), `dawid_skene`, `mace` (the model's choice), and `p_<model>`: its
            probability (Float64).
        workers: the workers as index: `n`, `dawid_skene` (chance of the model's choice, averaged over choices as they occur) and `mace` (chance
            of not answering at random), Float64 from 0 to 1.
        same: share of items with a majority for which the model chooses it, by model.
        versions: of crowd-kit.
        reason: why there is nothing; then the tables are empty.
    """

    items: pd.DataFrame
    workers: pd.DataFrame
    same: dict[str, float | None]
    versions: str
    reason: str | None


def installed() -> bool:
    """Whether crowd-kit is there, without the seconds that loading it takes."""
    return find_spec("crowdkit") is not None


def latent_votes(answers: pd.DataFrame, *, seed: int = 0, iterations: int = 50) -> LatentVotes:
    """Fit both models to the answers to question 5.

    Args:
        answers: a table of answers (`study.answers.table`).

    Raises:
        BarlowError: crowd-kit is not installed; or see `study.answers.table.checked`.
    """
    if not installed():
        raise BarlowError(MISSING)
    from crowdkit.aggregation import MACE, DawidSkene

    table = checked(answers, ["useful"])
    table = table[table["useful"].notna()]
    vote = votes(table)
    items = pd.DataFrame({"majority": vote["vote"]}, index=vote.index)
    workers = pd.DataFrame({"n": table.groupby("worker", sort=False).size()})
    version = f"crowd-kit {metadata.version('crowd-kit')}"
    if not (vote["n"] > 1).any():
        return LatentVotes(items.iloc[:0], workers.iloc[:0], {}, version, ONE_EACH if len(table) else NOTHING)
    # As numbers in the order in which they appear: crowd-kit's MACE mixes up order of appearance and sorted order, which then agree.
    task, tasks = pd.factorize(table["item"])
    worker, worker_names = pd.factorize(table["worker"])
    label, labels = pd.factorize(table["useful"])
    data = pd.DataFrame({"task": task, "worker": worker, "label": label})
    # The generator, and not a seed: with a seed all restarts would start at the same point.
    start = cast("Any", np.random.RandomState(seed))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="crowdkit")  # what pandas will change one day
        dawid_skene = DawidSkene(n_iter=iterations).fit(data)
        mace = MACE(n_restarts=RESTARTS, n_iter=iterations, method="vb", random_state=start).fit(data)
    workers = workers.reindex(worker_names)
    workers["dawid_skene"] = _chance_of_right(
        cast("pd.DataFrame", dawid_skene.errors_), cast("pd.Series", dawid_skene.priors_), len(workers)
    )
    workers["mace"] = mace.spamming_[:, 1]
    workers = workers.astype({"dawid_skene": "Float64", "mace": "Float64"}).rename_axis("worker")
    same: dict[str, float | None] = {}
    for name, model in (("dawid_skene", dawid_skene), ("mace", mace)):
        known = (
            cast("pd.DataFrame", model.probas_)
            .reindex(index=range(len(tasks)), columns=range(len(labels)))
            .fillna(0.0)
            .to_numpy()
        )
        chosen = pd.DataFrame({name: labels[known.argmax(axis=1)].astype(object), f"p_{name}": known.max(axis=1)}, index=tasks)
        items = items.join(chosen.astype({f"p_{name}": "Float64"}))
        clear = items["majority"].notna()
        same[name] = float((items.loc[clear, name] == items.loc[clear, "majority"]).mean()) if clear.any() else None
    return LatentVotes(items, workers, same, version, None)


def _chance_of_right(errors: pd.DataFrame, priors: pd.Series, n_workers: int) -> np.ndarray:
    """(n_workers,) chance that a worker answers what the item deserves, averaged over what items deserve.

    Args:
        errors: of Dawid and Skene: rows (worker, what was answered), columns what the item deserves.
        priors: how often items deserve what.
    """
    right = np.zeros(n_workers)
    for label in range(len(priors)):
        prior, diagonal = priors.loc[label], errors.xs(label, level="label")[label]
        right += prior * diagonal.reindex(range(n_workers)).fillna(0.0).to_numpy()
    return right
