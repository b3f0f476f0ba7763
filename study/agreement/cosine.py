"""How much the descriptions of an item agree (appendix G of the paper): mean cosine between the word vectors of its descriptions.

The rule is the one that reproduces the paper's numbers. A description is put into lower case and split on punctuation; stop words
and words without a vector are dropped; its vector is the mean of what is left, of raw vectors, not of unit vectors. The agreement is the
mean cosine over all pairs of descriptions, equal ones included. `Wording` holds departures from it, all off.

A mean and a sum of vectors point the same way, and a mean over pairs needs no pairs: for unit vectors u_1 ... u_n with sum S it
is (|S|^2 - n) / (n (n - 1)).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from gensim.models import KeyedVectors

from barlow_core.errors import BarlowError
from study.agreement.descriptions import KINDS, Descriptions, Read, Words, blocks
from study.answers.tokenization import AS_THE_PAPER, STOP_WORDS, Wording

# Beyond it, an interval resamples items only.
MOST_PAIRS = 4_000_000

NOTHING = "nobody described it"
NO_WORDS = "no description has a known word that is not a stop word"
ONLY_ONE = "only one description has a known word that is not a stop word, and agreement needs two"
_REASONS = np.array([None, NOTHING, NO_WORDS, ONLY_ONE], dtype=object)


@dataclass(frozen=True)
class Agreement:
    """The agreement of the descriptions of one item.

    Attributes:
        value: from -1 to 1; None when fewer than two descriptions are usable.
        n: descriptions that are not empty.
        usable: those of them with at least one known word that is not a stop word.
        unknown: the words without a vector, sorted.
        reason: why there is no value; else None.
    """

    value: float | None
    n: int
    usable: int
    unknown: tuple[str, ...]
    reason: str | None


def description_agreement(
    descriptions: Sequence[Any],
    vectors: KeyedVectors,
    *,
    stop_words: Collection[str] = STOP_WORDS,
    wording: Wording = AS_THE_PAPER,
) -> float | None:
    """The agreement of the descriptions of one item, from -1 to 1; None when fewer than two are usable (`agreement` says why).

    Args:
        descriptions: texts; None and NaN stand for descriptions that are missing.
        vectors: see `load_vectors`.
        stop_words: in lower case.
    """
    return agreement(descriptions, vectors, stop_words=stop_words, wording=wording).value


def agreement(
    descriptions: Sequence[Any],
    vectors: KeyedVectors,
    *,
    stop_words: Collection[str] = STOP_WORDS,
    wording: Wording = AS_THE_PAPER,
) -> Agreement:
    """`description_agreement` with what it rests on.

    Raises:
        BarlowError: `descriptions` is one text.
    """
    if isinstance(descriptions, str):
        raise BarlowError(
            f"The descriptions are one text, {descriptions[:60]!r}; expected a list of texts, one for each description."
        )
    texts = list(descriptions)
    words = Words(vectors, stop_words, wording)
    read = words.read(texts)
    tally = _Tally(1)
    tally.add(np.zeros(1, dtype=np.intp), np.zeros(1, dtype=np.intp), read, *read.units())
    row = tally.table().iloc[0]
    value = None if row["agreement"] is pd.NA else float(row["agreement"])
    unknown = tuple(sorted(word for word, found in zip(words.words, words.found, strict=True) if not found))
    return Agreement(value, int(row["n"]), int(row["usable"]), unknown, row["reason"])


def item_agreement(
    answers: pd.DataFrame,
    vectors: KeyedVectors,
    *,
    kind: str = "short",
    stop_words: Collection[str] = STOP_WORDS,
    wording: Wording = AS_THE_PAPER,
) -> pd.DataFrame:
    """The agreement of every item.

    Args:
        answers: a table of answers (`study.answers.table`).
        kind: "short", "long", or "concatenated" (both texts of an answer as one).

    Returns:
        A table with the items as index, in the order of their first answer: `n` (descriptions that are not empty), `usable`,
        `words` (that are not stop words), `known` (with a vector), `agreement` (Float64, <NA> where it is undefined) and `reason` (why
        it is undefined, else None).

    Raises:
        BarlowError: see `study.answers.table.checked`; or another `kind`.
    """
    descriptions = Descriptions(answers, [kind], Words(vectors, stop_words, wording))
    codes, items = pd.factorize(descriptions.item)
    (tally,) = _tallied(descriptions, codes, len(items))
    return tally.table(pd.Index(items, name="item"))


def answer_similarity(
    answers: pd.DataFrame,
    vectors: KeyedVectors,
    *,
    kind: str = "short",
    stop_words: Collection[str] = STOP_WORDS,
    wording: Wording = AS_THE_PAPER,
) -> np.ndarray:
    """For every answer the mean cosine between its description and the others of the item.

    Returns:
        (number of answers,) float64 from -1 to 1, in the order of the table; NaN where the answer or all others are not usable.

    Raises:
        BarlowError: as `item_agreement`.
    """
    descriptions = Descriptions(answers, [kind], Words(vectors, stop_words, wording))
    codes, _ = pd.factorize(descriptions.item)
    similarity = np.full(len(codes), np.nan)
    for rows, starts in blocks(codes):
        (read,) = descriptions.read(rows)
        units, usable = read.units()
        sizes = np.diff([*starts, len(rows)])
        others = np.repeat(np.add.reduceat(usable.astype(np.int64), starts), sizes) - 1
        sums = np.repeat(np.add.reduceat(units, starts, axis=0), sizes, axis=0)
        defined = usable & (others > 0)
        cosines = np.einsum("nd,nd->n", units, sums - units)[defined] / others[defined]
        similarity[rows[defined]] = np.clip(cosines, -1, 1)
    return similarity


def agreements_and_pairs(
    answers: pd.DataFrame,
    vectors: KeyedVectors,
    *,
    kinds: Sequence[str] = KINDS,
    stop_words: Collection[str] = STOP_WORDS,
    wording: Wording = AS_THE_PAPER,
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame | None]:
    """`item_agreement` of several kinds, and the cosine of every two descriptions of an item: what its agreement is the mean of, and what
    resampling workers weighs anew. Every description is read once for both.

    Returns:
        For each kind what `item_agreement` returns; and a row a pair of answers about one item: `item`, `first`, `second` (the workers; all
        three categorical) and a column a kind (float32, from -1 to 1; NaN where one of the two descriptions is not usable), the items in the
        order of their first answer. None in its place for more than `MOST_PAIRS` pairs.

    Raises:
        BarlowError: as `item_agreement`.
    """
    descriptions = Descriptions(answers, kinds, Words(vectors, stop_words, wording))
    codes, items = pd.factorize(descriptions.item)
    sizes = np.bincount(codes)
    pairs = _Pairs(codes, len(kinds)) if int((sizes * (sizes - 1) // 2).sum()) <= MOST_PAIRS else None
    tallies = _tallied(descriptions, codes, len(items), pairs)
    tables = {kind: tally.table(pd.Index(items, name="item")) for kind, tally in zip(kinds, tallies, strict=True)}
    return tables, None if pairs is None else pairs.table(items, descriptions.worker, kinds)


def _tallied(descriptions: Descriptions, codes: np.ndarray, n_items: int, pairs: _Pairs | None = None) -> list[_Tally]:
    """For each kind of description what the agreement of the items is made of, and the cosines of `pairs`, where they are wanted.

    Args:
        codes: the number of the item of each answer.
    """
    tallies = [_Tally(n_items) for _ in descriptions.kinds]
    at = 0
    for rows, starts in blocks(codes):
        for kind, (tally, read) in enumerate(zip(tallies, descriptions.read(rows), strict=True)):
            units, usable = read.units()
            tally.add(codes[rows[starts]], starts, read, units, usable)
            if pairs is not None:
                pairs.add(kind, at, units, usable)
        at += len(rows)
    return tallies


class _Pairs:
    """The cosines of every two descriptions of an item, filled in block by block.

    Args:
        codes: the number of the item of each answer; the pairs are of answers in the order of their items.
        n_kinds: of description.
    """

    def __init__(self, codes: np.ndarray, n_kinds: int):
        self.order = np.argsort(codes, kind="stable")
        self.codes = codes[self.order]
        self.first, self.second = _pairs(self.codes)
        self.cosines = [np.full(len(self.first), np.nan, dtype=np.float32) for _ in range(n_kinds)]

    def add(self, kind: int, at: int, units: np.ndarray, usable: np.ndarray) -> None:
        """Fill in the pairs of a block, which starts at place `at` of the order."""
        some = slice(*np.searchsorted(self.first, [at, at + len(units)]))
        left, right = self.first[some] - at, self.second[some] - at
        both = usable[left] & usable[right]
        self.cosines[kind][some][both] = np.clip(np.einsum("pd,pd->p", units[left[both]], units[right[both]]), -1, 1)

    def table(self, items: Any, worker: pd.Series, kinds: Sequence[str]) -> pd.DataFrame:
        """What `agreements_and_pairs` returns of them."""
        codes, workers = pd.factorize(worker)
        # Ids once and numbers for each pair: as texts, those of a million pairs would take hundreds of megabytes.
        columns: dict[str, Any] = {"item": pd.Categorical.from_codes(self.codes[self.first], items)}
        for name, side in (("first", self.first), ("second", self.second)):
            columns[name] = pd.Categorical.from_codes(codes[self.order[side]], workers)
        return pd.DataFrame(columns | dict(zip(kinds, self.cosines, strict=True)))


def _pairs(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The positions of every two equal codes, the codes sorted; by the first position."""
    distance, found = 1, []
    while True:
        first = np.flatnonzero(codes[distance:] == codes[:-distance]) if distance < len(codes) else np.zeros(0, dtype=np.intp)
        if not len(first):
            break
        found.append(np.column_stack([first, first + distance]))
        distance += 1
    pairs = np.concatenate(found) if found else np.zeros((0, 2), dtype=np.intp)
    pairs = pairs[np.lexsort(pairs.T[::-1])]
    return pairs[:, 0], pairs[:, 1]


class _Tally:
    """What the agreement of items is made of, added up over blocks of whole items."""

    def __init__(self, n_items: int):
        self.n, self.usable, self.words, self.known = (np.zeros(n_items, dtype=np.int64) for _ in range(4))
        self.squares = np.zeros(n_items)

    def add(self, items: np.ndarray, starts: np.ndarray, read: Read, units: np.ndarray, usable: np.ndarray) -> None:
        """The descriptions of some items, which lie beside each other.

        Args:
            items: the numbers of the items.
            starts: where the descriptions of each start.
            units, usable: `read.units()`.
        """
        if not len(units):
            return
        counted = (usable, read.codes >= 0, *read.lengths())
        for total, part in zip((self.usable, self.n, self.words, self.known), counted, strict=True):
            total[items] = np.add.reduceat(part.astype(np.int64), starts)
        sums = np.add.reduceat(units, starts, axis=0)
        self.squares[items] = np.einsum("nd,nd->n", sums, sums)

    def table(self, index: pd.Index | None = None) -> pd.DataFrame:
        """What `item_agreement` returns."""
        n, usable = self.n, self.usable
        defined = usable >= 2
        value = np.zeros(len(n))
        value[defined] = np.clip((self.squares[defined] - usable[defined]) / (usable[defined] * (usable[defined] - 1)), -1, 1)
        reason = np.select([n == 0, usable == 0, usable == 1], [1, 2, 3], default=0)
        return pd.DataFrame(
            {
                "n": n,
                "usable": usable,
                "words": self.words,
                "known": self.known,
                "agreement": pd.arrays.FloatingArray(value, ~defined),
                "reason": pd.Series(_REASONS[reason], dtype=object, index=index),
            },
            index=index,
        )
