"""Resamples of items and workers, each with replacement and independently of the other (the pigeonhole bootstrap), and sums over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix

REPLICATES = 2000
# Numbers drawn at a time, so that memory does not grow with the replicates.
DRAWS = 1 << 20


class Clusters:
    """The items and workers of some answers, and resamples of both.

    Args:
        items, workers: (n,) ids of any kind, one each for an answer; none missing.
    """

    def __init__(self, items: ArrayLike, workers: ArrayLike):
        self.item, item_labels = pd.factorize(ids_of(items))
        self.worker, worker_labels = pd.factorize(ids_of(workers))
        self.n_items, self.n_workers = len(item_labels), len(worker_labels)

    def __len__(self) -> int:
        return len(self.item)

    def resampled_sums(self, values: np.ndarray, *, replicates: int = REPLICATES, seed: int = 0) -> np.ndarray:
        """Sums of values over resampled answers.

        Args:
            values: (n, K) float64, finite.

        Returns:
            (replicates, K) float64: sum over answers of (times the item was drawn) x (times the worker was drawn) x value.
        """
        return self.sums_of([self.by_item_and_worker(values[:, k]) for k in range(values.shape[1])], replicates, seed)

    def sums_of(self, tables: Sequence[csr_matrix], replicates: int, seed: int) -> np.ndarray:
        """`resampled_sums` of values that stand in a table of items and workers each."""
        sums = np.empty((replicates, len(tables)))
        at = 0
        for item_counts, worker_counts in self._resamples(replicates, seed):
            size = item_counts.shape[1]
            for k, table in enumerate(tables):
                sums[at : at + size, k] = np.einsum("ib,ib->b", item_counts, table @ worker_counts)
            at += size
        return sums

    def resampled_shares_above(
        self, values: np.ndarray, threshold: float, *, replicates: int = REPLICATES, seed: int = 0
    ) -> np.ndarray:
        """Among resampled items, the share whose averages over the resampled workers are above a threshold in all K values.

        Args:
            values: (n, K) float64, finite.

        Returns:
            (replicates,) float64; NaN where no item has an answer left.
        """
        tables = [self.by_item_and_worker(values[:, k] - threshold) for k in range(values.shape[1])]
        counts = self.by_item_and_worker(np.ones(len(self)))
        shares = np.empty(replicates)
        at = 0
        for item_counts, worker_counts in self._resamples(replicates, seed):
            size = item_counts.shape[1]
            weights = item_counts * (counts @ worker_counts > 0)
            above = np.logical_and.reduce([table @ worker_counts > 1e-9 for table in tables])
            with np.errstate(invalid="ignore"):
                shares[at : at + size] = (weights * above).sum(axis=0) / weights.sum(axis=0)
            at += size
        return shares

    def item_sums(self, values: np.ndarray) -> np.ndarray:
        """(n_items,) sums of values over the answers of an item."""
        return np.bincount(self.item, weights=values, minlength=self.n_items)

    def by_item_and_worker(self, values: np.ndarray) -> csr_matrix:
        kept = values != 0
        return csr_matrix((values[kept], (self.item[kept], self.worker[kept])), shape=(self.n_items, self.n_workers))

    def _resamples(self, replicates: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return resamples(self.n_items, self.n_workers, 0, replicates, seed)

    @property
    def n(self) -> int:
        return len(self)


def resamples(n_items: int, n_workers: int, width: int, replicates: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """How often each item and each worker is drawn, (n_items, B) and (n_workers, B), until there are enough; the same draws in batches of
    any size, which are smaller where `width` further numbers are held a resample."""
    items, workers = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    batch = int(np.clip(DRAWS // max(n_items, n_workers, width, 1), 4 if width else 8, 256))
    for at in range(0, replicates, batch):
        size = min(batch, replicates - at)
        yield _counts(items, n_items, size), _counts(workers, n_workers, size)


def _counts(rng: np.random.Generator, n: int, size: int) -> np.ndarray:
    """(n, size) float64: how often each of n is drawn in n draws with replacement, `size` times over."""
    draws = rng.integers(n, size=(size, n)) if n else np.empty((size, 0), dtype=np.int64)
    # A resample after the other, and turned over at the end: counting all over the place takes twice as long.
    draws += n * np.arange(size)[:, None]
    return np.bincount(draws.ravel(), minlength=n * size).reshape(size, n).T.astype(np.float64, order="C")


def ids_of(ids: ArrayLike) -> Any:
    """Ids as they are held; as Python objects, those of 600,000 answers would take a hundred megabytes."""
    return ids.array if isinstance(ids, pd.Series) else np.asarray(ids)
