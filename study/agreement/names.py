"""A name for each feature, out of what people wrote: the description nearest to all others, and the words that several used."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from gensim.models import KeyedVectors

from study.agreement.cosine import NO_WORDS, NOTHING, answer_similarity
from study.answers.table import DESCRIPTIONS, check_choice, checked
from study.answers.tokenization import STOP_WORDS, Wording, content_words, known_words

# What names are counted by: there is no number of the paper's to be faithful to, and "stripe" and "stripes" are one word to a reader.
FOR_NAMES = Wording(spelling=True, plurals=True)
# Items whose texts are remembered at a time: of all, they would take hundreds of megabytes.
_ITEMS = 5_000
ONLY_ONE = "the only usable description"
NO_VECTORS = "no description has a known word, so the one whose words most others use"


def feature_names(
    answers: pd.DataFrame,
    vectors: KeyedVectors,
    *,
    kind: str = "short",
    min_support: int = 2,
    stop_words: Collection[str] = STOP_WORDS,
    wording: Wording = FOR_NAMES,
) -> pd.DataFrame:
    """The name of every item.

    The name is the medoid: the description with the largest mean cosine to the others (`study.agreement.cosine.answer_similarity`). Among equals
    it is the one whose words most others use, then the shorter, then the first in the alphabet.

    Args:
        answers: a table of answers (`study.answers.table`).
        kind: of the descriptions, "short" or "long".
        min_support: a word is common when at least so many descriptions have it.
        wording: which words count as the same, in the cosines and in the counts.

    Returns:
        A table with the items as index, in the order of their first answer:

        - `name`: as typed, without blanks around it; None where nobody wrote anything.
        - `similarity`: its mean cosine to the other descriptions (Float64); <NA> where there is none to compare with.
        - `n`: descriptions that are not empty; `usable`: those with a known word that is not a stop word.
        - `support`: descriptions, the name itself included, that share a word with it that is not a stop word.
        - `words`: a list of (word, number of descriptions that have it), the common ones, most frequent first.
        - `reason`: why there is no name, or why it is less than a medoid; else None.

    Raises:
        BarlowError: see `study.answers.table.checked`; or another `kind`.
    """
    check_choice(kind, DESCRIPTIONS, "The kind of description")
    table = checked(answers, [kind])
    similarity = answer_similarity(table, vectors, kind=kind, stop_words=stop_words, wording=wording)
    parsed = _Words(vectors, stop_words, wording)
    codes, items = pd.factorize(table["item"])
    texts = table[kind].array
    # Equal cosines differ in their last bits; without a cosine all are equally near.
    nearness = np.nan_to_num(similarity).round(6)
    found: dict[str, list[Any]] = {column: [] for column in ("name", "similarity", "n", "usable", "support", "words", "reason")}
    rows_of_items = _rows_of_items(codes)
    while block := list(itertools.islice(rows_of_items, _ITEMS)):
        parsed.of_text.clear()
        # Many texts out of the column at once: one item at a time is ten times slower.
        written = texts.take(np.concatenate(block)).to_numpy(dtype=object)
        ends = np.cumsum([len(at) for at in block])
        for at, of_item in zip(block, np.split(written, ends[:-1]), strict=True):
            row = _name(of_item, similarity[at].tolist(), nearness[at].tolist(), parsed, min_support)
            for column, values in found.items():
                values.append(row[column])
    result = pd.DataFrame(index=pd.Index(items, name="item"))
    for column, values in found.items():
        result[column] = pd.Series(values, index=result.index, dtype=object if column in ("name", "words", "reason") else None)
    return result.astype({"similarity": "Float64", "n": np.int64, "usable": np.int64, "support": np.int64})


class _Words:
    """The words of texts, as they are counted; each distinct text looked up once."""

    def __init__(self, vectors: KeyedVectors, stop_words: Collection[str], wording: Wording):
        self.vectors, self.stop_words, self.wording = vectors.key_to_index, frozenset(stop_words), wording
        self.of_text: dict[str, tuple[frozenset[str], bool]] = {}
        self.forms: dict[str, tuple[str, ...]] = {}

    def __call__(self, text: str) -> tuple[frozenset[str], bool]:
        """The words of a text, in the form in which they are counted, and whether any has a vector."""
        if text not in self.of_text:
            words = content_words(text, stop_words=self.stop_words, wording=self.wording)
            forms = [self._form(word) for word in words]
            counted = frozenset(form for word, found in zip(words, forms, strict=True) for form in found or (word,))
            self.of_text[text] = counted, any(forms)
        return self.of_text[text]

    def _form(self, word: str) -> tuple[str, ...]:
        if word not in self.forms:
            self.forms[word] = known_words(word, self.vectors, stop_words=self.stop_words, wording=self.wording)
        return self.forms[word]


def _rows_of_items(codes: np.ndarray) -> Iterator[np.ndarray]:
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    ends = np.append(starts, len(order))[1:]
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        yield order[start:end]


@dataclass(slots=True)
class _Described:
    """One description: its text, its mean cosine to the others (NaN without), that rounded, its words, and whether any is known."""

    text: str
    similarity: float
    nearness: float
    words: frozenset[str]
    usable: bool


def _name(texts: np.ndarray, similarity: list[float], nearness: list[float], parsed: _Words, min_support: int) -> dict[str, Any]:
    described = [
        _Described(text.strip(), cosine, near, *parsed(text))
        for text, cosine, near in zip(texts, similarity, nearness, strict=True)
        if isinstance(text, str) and text.strip()
    ]
    counts = Counter(word for entry in described for word in entry.words)
    common = sorted(
        ((word, times) for word, times in counts.items() if times >= min_support), key=lambda pair: (-pair[1], pair[0])
    )
    usable = sum(entry.usable for entry in described)
    row = {"name": None, "similarity": None, "n": len(described), "usable": usable, "support": 0, "words": common, "reason": None}
    if not described:
        return {**row, "reason": NOTHING}
    candidates = [entry for entry in described if entry.usable] or [entry for entry in described if entry.words]
    if not candidates:
        return {**row, "reason": NO_WORDS}

    def order(entry: _Described) -> tuple[float, float, int, str]:
        return -entry.nearness, -sum(counts[word] for word in entry.words) / len(entry.words), len(entry.text), entry.text

    name = min(candidates, key=order)
    support = sum(not name.words.isdisjoint(entry.words) for entry in described)
    reason = None if usable > 1 else ONLY_ONE if usable else NO_VECTORS
    cosine = None if math.isnan(name.similarity) else name.similarity
    return {**row, "name": name.text, "similarity": cosine, "support": support, "reason": reason}
