"""How much the descriptions of an item agree (appendix G of the paper): mean cosine between the word vectors of its descriptions.

The rule is the one that reproduces the paper's numbers. A description is put into lower case and split on punctuation; stop words
and words without a vector are dropped; its vector is the mean of what is left, of raw vectors, not of unit vectors. The agreement is the
mean cosine over all pairs of descriptions, equal ones included. `Wording` holds departures from it, all off.

A mean and a sum of vectors point the same way, and a mean over pairs needs no pairs: for unit vectors u_1 ... u_n with sum S it
is (|S|^2 - n) / (n (n - 1)).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from gensim.models import KeyedVectors
from scipy.sparse import csr_matrix

from barlow_core.errors import BarlowError
from study.answer_table import DESCRIPTIONS, check_choice, checked
from study.word_vectors import load_vectors
from study.words import AS_THE_PAPER, STOP_WORDS, Wording, content_words, known_words, lookups

__all__ = [
    "CONCATENATED",
    "STOP_WORDS",
    "Agreement",
    "Coverage",
    "Wording",
    "agreement",
    "agreements_and_pairs",
    "answer_similarity",
    "coverage",
    "description_agreement",
    "item_agreement",
    "load_vectors",
    "words_needed",
]

CONCATENATED = "concatenated"
KINDS = (*DESCRIPTIONS, CONCATENATED)
# Descriptions at a time: 20 MB of float64 vectors.
_BLOCK = 8192
# Beyond it, an interval resamples items only.
MOST_PAIRS = 4_000_000

NOTHING = "nobody described it"
NO_WORDS = "no description has a known word that is no stop word"
ONLY_ONE = "only one description has a known word that is no stop word, and agreement needs two"
_REASONS = np.array([None, NOTHING, NO_WORDS, ONLY_ONE], dtype=object)


@dataclass(frozen=True)
class Agreement:
    """The agreement of the descriptions of one item.

    Attributes:
        value: from -1 to 1; None when fewer than two descriptions are usable.
        n: descriptions that are not empty.
        usable: those of them with at least one known word that is no stop word.
        unknown: the words without a vector, sorted.
        reason: why there is no value; else None.
    """

    value: float | None
    n: int
    usable: int
    unknown: tuple[str, ...]
    reason: str | None


@dataclass(frozen=True)
class Coverage:
    """How many words of a study have a vector. Stop words count on neither side.

    Attributes:
        words: occurrences of words in all answers.
        known: those of them with a vector.
        unknown: a table with columns `word` and `occurrences`, most frequent first.
    """

    words: int
    known: int
    unknown: pd.DataFrame

    @property
    def share(self) -> float | None:
        """known / words; None when there are no words."""
        return self.known / self.words if self.words else None


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
    words = _Words(vectors, stop_words, wording)
    table = _agreements(_Texts(pd.DataFrame({"text": texts}, dtype=object)), words, np.zeros(len(texts), dtype=np.intp), 1)
    row = table.iloc[0]
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
        answers: a table of answers (`study.answer_table`).
        kind: "short", "long", or "concatenated" (both texts of an answer as one).

    Returns:
        A table with the items as index, in the order of their first answer: `n` (descriptions that are not empty), `usable`,
        `words` (that are no stop words), `known` (with a vector), `agreement` (Float64, <NA> where it is undefined) and `reason` (why
        it is undefined, else None).

    Raises:
        BarlowError: see `study.answer_table.checked`; or another `kind`.
    """
    texts, items = _texts(answers, kind)
    codes, labels = pd.factorize(items)
    table = _agreements(texts, _Words(vectors, stop_words, wording), codes, len(labels))
    table.index = pd.Index(labels, name="item")
    return table


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
    texts, items = _texts(answers, kind)
    codes, _ = pd.factorize(items)
    words = _Words(vectors, stop_words, wording)
    similarity = np.full(len(codes), np.nan)
    for rows, starts in _blocks(codes):
        units, usable = words.parsed(texts[rows]).units()
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
    table = checked(answers, DESCRIPTIONS)
    codes, items = pd.factorize(table["item"])
    sizes = np.bincount(codes)
    few = int((sizes * (sizes - 1) // 2).sum()) <= MOST_PAIRS
    order = np.argsort(codes, kind="stable")
    first, second = _pairs(codes[order] if few else codes[:0])
    words = _Words(vectors, stop_words, wording)
    tables: dict[str, pd.DataFrame] = {}
    cosines: dict[str, np.ndarray] = {}
    for kind in kinds:
        values = cosines[kind] = np.full(len(first), np.nan, dtype=np.float32)

        def keep(at: int, units: np.ndarray, usable: np.ndarray, values: np.ndarray = values) -> None:
            some = slice(*np.searchsorted(first, [at, at + len(units)]))
            left, right = first[some] - at, second[some] - at
            both = usable[left] & usable[right]
            values[some][both] = np.clip(np.einsum("pd,pd->p", units[left[both]], units[right[both]]), -1, 1)

        texts, _ = _texts(answers, kind)
        tables[kind] = _agreements(texts, words, codes, len(items), keep if few else None)
        tables[kind].index = pd.Index(items, name="item")
    if not few:
        return tables, None
    worker, workers = pd.factorize(table["worker"])
    # Ids once and numbers for each pair: as texts, those of a million pairs would take hundreds of megabytes.
    of_item = pd.Categorical.from_codes(codes[order[first]], items)
    sides = (pd.Categorical.from_codes(worker[order[side]], workers) for side in (first, second))
    return tables, pd.DataFrame({"item": of_item, **dict(zip(("first", "second"), sides, strict=True)), **cosines})


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


def words_needed(answers: pd.DataFrame, *, wording: Wording = AS_THE_PAPER) -> set[str]:
    """Everything that the descriptions of a table of answers may be looked up as, for `load_vectors(path, words=...)`."""
    needed: set[str] = set()
    for column in DESCRIPTIONS:
        if column in answers:
            for text in answers[column].dropna().unique():
                needed.update(content_words(text, stop_words=(), wording=wording))
    return {form for word in needed for form in lookups(word, wording=wording)}


def coverage(
    answers: pd.DataFrame,
    vectors: KeyedVectors,
    *,
    kind: str = CONCATENATED,
    stop_words: Collection[str] = STOP_WORDS,
    wording: Wording = AS_THE_PAPER,
) -> Coverage:
    """How many of the words that people used have a vector, and which have none.

    Raises:
        BarlowError: as `item_agreement`.
    """
    texts, _ = _texts(answers, kind)
    words = _Words(vectors, stop_words, wording)
    occurrences = np.zeros(0, dtype=np.int64)
    for start in range(0, len(texts), _BLOCK):
        found = words.parsed(texts[np.arange(start, min(start + _BLOCK, len(texts)))]).occurrences()
        found[: len(occurrences)] += occurrences
        occurrences = found
    missing = ~words.is_known
    unknown = pd.DataFrame({"word": np.array(words.words, dtype=object)[missing], "occurrences": occurrences[missing]})
    unknown = unknown.sort_values(["occurrences", "word"], ascending=[False, True], ignore_index=True)
    return Coverage(int(occurrences.sum()), int(occurrences[~missing].sum()), unknown)


# --- from texts to unit vectors


def _texts(answers: pd.DataFrame, kind: str) -> tuple[_Texts, pd.Series]:
    check_choice(kind, KINDS, "The kind of description")
    table = checked(answers, DESCRIPTIONS if kind == CONCATENATED else [kind])
    return _Texts(table[list(DESCRIPTIONS) if kind == CONCATENATED else [kind]]), table["item"]


class _Texts:
    """The descriptions of answers, made into Python's texts some thousand at a time: all of 600,000 at once take hundreds of megabytes.

    Args:
        columns: one column, or several whose texts are one description together.
    """

    def __init__(self, columns: pd.DataFrame):
        self.columns = [columns[column].array for column in columns]

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, rows: np.ndarray) -> list[Any]:
        parts = [column.take(rows).to_numpy(dtype=object) for column in self.columns]
        if len(parts) == 1:
            return list(parts[0])
        return [" ".join(text if isinstance(text, str) else "" for text in pair) for pair in zip(*parts, strict=True)]


class _Words:
    """The distinct content words of the texts that were parsed so far.

    Attributes:
        words: in the order in which they were met.
        found: for every word the strings that it is looked up as, () for an unknown one.
        is_known: (words,) bool.
        added: (words, dimensions) float32, what a word adds to a description: its vector, or those of the parts of a compound.
    """

    def __init__(self, vectors: KeyedVectors, stop_words: Collection[str], wording: Wording):
        self.vectors, self.stop_words, self.wording = vectors, frozenset(stop_words), wording
        self.ids: dict[str, int] = {}
        self.words: list[str] = []
        self.found: list[tuple[str, ...]] = []
        self.is_known = np.zeros(0, dtype=bool)
        self._added = np.zeros((0, vectors.vector_size), dtype=np.float32)

    @property
    def added(self) -> np.ndarray:
        return self._added[: len(self.words)]

    def parsed(self, texts: Sequence[Any]) -> _Parsed:
        """Some texts as numbers of words; None, NaN and blanks are texts without words."""
        return _Parsed(texts, self)

    def of(self, text: str) -> list[int]:
        """The words of a text, by number."""
        ids = self.ids
        return [ids.setdefault(word, len(ids)) for word in content_words(text, stop_words=self.stop_words, wording=self.wording)]

    def look_up(self) -> None:
        """Look up the words that came in since the last time."""
        index = self.vectors.key_to_index
        new = list(itertools.islice(self.ids, len(self.words), None))
        found = [known_words(word, index, stop_words=self.stop_words, wording=self.wording) for word in new]
        start = len(self.words)
        self.words += new
        self.found += found
        self.is_known = np.append(self.is_known, np.array([bool(keys) for keys in found], dtype=bool))
        if len(self.words) > len(self._added):
            # Twice the room each time, so that growing costs no more than the vectors themselves.
            grown = np.zeros((max(len(self.words), 2 * len(self._added)), self._added.shape[1]), dtype=np.float32)
            grown[:start] = self._added[:start]
            self._added = grown
        for place, keys in enumerate(found, start=start):
            for key in keys:
                self._added[place] += self.vectors.vectors[index[key]]


class _Parsed:
    """Some descriptions, each distinct text parsed once.

    Attributes:
        codes: for every description the index of its text, -1 for an empty or missing one.
        starts, word_ids: the words of text t are word_ids[starts[t] : starts[t + 1]].
    """

    def __init__(self, descriptions: Sequence[Any], words: _Words):
        self.words = words
        text_ids: dict[str, int] = {}
        given = (text if isinstance(text, str) and text.strip() else None for text in descriptions)
        self.codes = np.fromiter(
            (-1 if text is None else text_ids.setdefault(text, len(text_ids)) for text in given),
            dtype=np.intp,
            count=len(descriptions),
        )
        ids = [words.of(text) for text in text_ids]
        words.look_up()
        self.starts = np.concatenate([[0], np.cumsum([len(one) for one in ids])]).astype(np.intp)
        self.word_ids = np.array(list(itertools.chain.from_iterable(ids)), dtype=np.intp)

    def lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """For every description: its words, and how many of them are known."""
        known = np.concatenate([[0], np.cumsum(self.words.is_known[self.word_ids])])
        per_text = np.diff(self.starts), known[self.starts[1:]] - known[self.starts[:-1]]
        words, known = (np.append(counts, 0)[self.codes] for counts in per_text)
        return words, known

    def occurrences(self) -> np.ndarray:
        """How often each of the words met so far occurs in these descriptions."""
        times = np.bincount(self.codes[self.codes >= 0], minlength=len(self.starts) - 1)
        weights = np.repeat(times, np.diff(self.starts))
        return np.bincount(self.word_ids, weights=weights, minlength=len(self.words.words)).astype(np.int64)

    def units(self) -> tuple[np.ndarray, np.ndarray]:
        """Unit vectors (descriptions, dimensions) float64, zero for those that are not usable, and which are."""
        added = self.words.added
        of_texts = csr_matrix(
            (np.ones(len(self.word_ids), dtype=np.float32), self.word_ids, self.starts), shape=(len(self.starts) - 1, len(added))
        )
        units = np.zeros((len(self.codes), added.shape[1]))
        given = self.codes >= 0
        units[given] = of_texts[self.codes[given]] @ added
        lengths = np.sqrt(np.einsum("nd,nd->n", units, units))
        usable = lengths > 0
        units[usable] /= lengths[usable, None]
        return units, usable


def _blocks(codes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The rows of whole items, some thousand at a time, and where in them each item starts."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    at = 0
    while at < len(starts):
        end = int(np.searchsorted(starts, starts[at] + _BLOCK))
        stop = starts[end] if end < len(starts) else len(order)
        yield order[starts[at] : stop], starts[at:end] - starts[at]
        at = end


def _agreements(
    texts: _Texts,
    words: _Words,
    codes: np.ndarray,
    n_items: int,
    keep: Callable[[int, np.ndarray, np.ndarray], None] | None = None,
) -> pd.DataFrame:
    """The agreement of items; `keep` is shown the unit vectors of whole items, with the place of the first in the order of items."""
    at = 0
    n, usable, n_words, n_known = (np.zeros(n_items, dtype=np.int64) for _ in range(4))
    squares = np.zeros(n_items)
    for rows, starts in _blocks(codes):
        items = codes[rows[starts]]
        parsed = words.parsed(texts[rows])
        units, is_usable = parsed.units()
        if keep is not None:
            keep(at, units, is_usable)
        at += len(rows)
        counted = (is_usable, parsed.codes >= 0, *parsed.lengths())
        for total, part in zip((usable, n, n_words, n_known), counted, strict=True):
            total[items] = np.add.reduceat(part.astype(np.int64), starts)
        sums = np.add.reduceat(units, starts, axis=0)
        squares[items] = np.einsum("nd,nd->n", sums, sums)
    defined = usable >= 2
    value = np.zeros(n_items)
    value[defined] = np.clip((squares[defined] - usable[defined]) / (usable[defined] * (usable[defined] - 1)), -1, 1)
    reason = np.select([n == 0, usable == 0, usable == 1], [1, 2, 3], default=0)
    return pd.DataFrame(
        {
            "n": n,
            "usable": usable,
            "words": n_words,
            "known": n_known,
            "agreement": pd.array(value, dtype="Float64"),
            "reason": pd.Series(_REASONS[reason], dtype=object),
        }
    ).assign(agreement=lambda table: table["agreement"].where(defined))
