"""Which words of a study have a vector."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from gensim.models import KeyedVectors

from study.agreement import descriptions
from study.agreement.descriptions import CONCATENATED, Descriptions, Words
from study.answers.table import DESCRIPTIONS
from study.answers.tokenization import AS_THE_PAPER, STOP_WORDS, Wording, content_words, lookups


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
    words = Words(vectors, stop_words, wording)
    of_answers = Descriptions(answers, [kind], words)
    occurrences = np.zeros(0, dtype=np.int64)
    for start in range(0, len(of_answers), descriptions.BLOCK):
        (read,) = of_answers.read(np.arange(start, min(start + descriptions.BLOCK, len(of_answers))))
        found = read.occurrences()
        found[: len(occurrences)] += occurrences
        occurrences = found
    missing = ~words.is_known
    unknown = pd.DataFrame({"word": np.array(words.words, dtype=object)[missing], "occurrences": occurrences[missing]})
    unknown = unknown.sort_values(["occurrences", "word"], ascending=[False, True], ignore_index=True)
    return Coverage(int(occurrences.sum()), int(occurrences[~missing].sum()), unknown)


def words_needed(answers: pd.DataFrame, *, wording: Wording = AS_THE_PAPER) -> set[str]:
    """Everything that the descriptions of a table of answers may be looked up as, for `load_vectors(path, words=...)`."""
    needed: set[str] = set()
    for column in DESCRIPTIONS:
        if column in answers:
            for text in answers[column].dropna().unique():
                needed.update(content_words(text, stop_words=(), wording=wording))
    return {form for word in needed for form in lookups(word, wording=wording)}
