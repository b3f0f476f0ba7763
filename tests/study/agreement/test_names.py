"""Names of features: medoids and common words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from gensim.models import KeyedVectors

from barlow_core.errors import BarlowError
from study.agreement import load_vectors
from study.agreement.names import feature_names
from study.answers.tokenization import Wording


@pytest.fixture(scope="module")
def flat() -> KeyedVectors:
    vectors = KeyedVectors(2)
    words = {"east": (1, 0), "northeast": (1, 1), "north": (0, 1), "stripe": (2, 1), "collar": (1, 2), "gray": (3, 0)}
    vectors.add_vectors(list(words), np.array(list(words.values()), dtype=np.float32))
    return vectors


def table(*texts: Any, item: str = "a") -> pd.DataFrame:
    return pd.DataFrame({"item": item, "worker": range(len(texts)), "short": list(texts), "long": list(texts)})


def test_the_name_is_the_description_nearest_to_all_others(flat: KeyedVectors) -> None:
    row = feature_names(table("east", " Northeast!", "north"), flat).loc["a"]
    assert row["name"] == "Northeast!"
    assert row["similarity"] == pytest.approx(np.sqrt(0.5))
    assert (row["n"], row["usable"], row["support"], row["words"], row["reason"]) == (3, 3, 1, [], None)


def test_it_is_the_medoid_that_scikit_learns_cosines_give() -> None:
    from sklearn.metrics.pairwise import cosine_similarity

    vectors = load_vectors()
    texts = ["dog collar", "collar", "leather band", "green leaves", "a dog with a collar", "band of leather on the neck"]
    from study.answers.tokenization import STOP_WORDS

    means = [
        np.mean([vectors[word] for word in text.split() if word not in STOP_WORDS and word in vectors], axis=0) for text in texts
    ]
    cosines = cosine_similarity(means)
    expected = (cosines.sum(axis=1) - 1) / (len(texts) - 1)
    row = feature_names(table(*texts), vectors, wording=Wording()).loc["a"]
    assert row["name"] == texts[int(expected.argmax())]
    assert row["similarity"] == pytest.approx(expected.max(), abs=1e-6)


def test_common_words_come_with_how_many_descriptions_have_them(flat: KeyedVectors) -> None:
    row = feature_names(table("stripes, stripes, stripe", "grey stripe", "Gray collar", "canid", "canids"), flat).loc["a"]
    assert row["words"] == [("gray", 2), ("stripe", 2)], "plurals and spellings are one word; unknown words stay apart"
    literal = feature_names(table("grey stripes", "gray stripe", "gray"), flat, wording=Wording()).loc["a"]
    assert literal["words"] == [("gray", 2)]
    assert feature_names(table("grey", "gray"), flat, min_support=3).loc["a", "words"] == []


def test_unknown_words_are_common_words_too(flat: KeyedVectors) -> None:
    row = feature_names(table("canid", "a canid", "east"), flat).loc["a"]
    assert row["words"] == [("canid", 2)]
    assert (row["name"], row["usable"], row["reason"]) == ("east", 1, "the only usable description")


def test_support_counts_descriptions_that_share_a_word_with_the_name(flat: KeyedVectors) -> None:
    row = feature_names(table("gray stripe", "stripes", "the grey one", "canid"), flat).loc["a"]
    assert row["name"] == "gray stripe"
    assert row["support"] == 3


def test_of_two_the_one_whose_words_others_use_then_the_shorter_then_the_first_in_the_alphabet(flat: KeyedVectors) -> None:
    # Of two descriptions each is as near to the other.
    assert feature_names(table("north", "east"), flat).loc["a", "name"] == "east"
    assert feature_names(table("collar", "gray"), flat).loc["a", "name"] == "gray"
    assert feature_names(table("east canid", "north", "canid"), flat).loc["a", "name"] == "east canid"
    swapped = feature_names(table("east", "north"), flat)
    assert swapped.loc["a", "name"] == "east", "whatever the order of the answers"


@pytest.mark.parametrize(
    ("texts", "name", "n", "says"),
    [
        ((None, "", " "), None, 0, "nobody described it"),
        (("of the", "?"), None, 2, "no description has a known word"),
        (("snug canid", "canid"), "canid", 2, "no description has a known word, so the one whose words most others use"),
        (("east",), "east", 1, "the only usable description"),
    ],
)
def test_a_missing_or_weak_name_says_why(flat: KeyedVectors, texts: tuple[Any, ...], name: str | None, n: int, says: str) -> None:
    row = feature_names(table(*texts), flat).loc["a"]
    assert row["name"] == name
    assert row["n"] == n
    assert row["similarity"] is pd.NA
    assert says in row["reason"]


def test_every_item_has_a_row_in_the_order_of_first_answers(flat: KeyedVectors) -> None:
    answers = pd.concat([table("east", item="z"), table(None, item="y"), table("north", "north", item="x")], ignore_index=True)
    answers = answers.assign(worker=range(4)).iloc[[3, 0, 1, 2]]
    names = feature_names(answers, flat, kind="long")
    assert names["name"].to_dict() == {"x": "north", "z": "east", "y": None}
    assert names.loc["x", "similarity"] == 1
    assert len(feature_names(answers.iloc[:0], flat)) == 0


def test_another_kind_is_an_error(flat: KeyedVectors) -> None:
    with pytest.raises(BarlowError, match="'concatenated'; expected one of short, long"):
        feature_names(table("east"), flat, kind="concatenated")
