"""Agreement of descriptions: the paper's numbers, worked examples, gensim as oracle."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from gensim.models import KeyedVectors
from gensim.parsing.preprocessing import STOPWORDS
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from barlow_core.errors import BarlowError
from study.agreement import load_vectors
from study.agreement.cosine import agreement, agreements_and_pairs, answer_similarity, description_agreement, item_agreement
from study.agreement.coverage import coverage, words_needed
from study.agreement.paper_items import compare_with_paper
from study.answers.tokenization import STOP_WORDS, Wording

GREENHOUSE = ["plant", "colorful flowers", "leafy greens", "bunch of plants", "plant"]
SHARK = ["structure", "high contrast lines", "Psychedelic colors", "triangle"]


@pytest.fixture(scope="module")
def google() -> KeyedVectors:
    return load_vectors()


@pytest.fixture(scope="module")
def flat() -> KeyedVectors:
    """Vectors in the plane, of different lengths, whose angles can be read off."""
    vectors = KeyedVectors(2)
    vectors.add_vectors(
        ["east", "north", "far", "west", "gray", "stripe"],
        np.array([[1, 0], [0, 1], [3, 0], [-1, 0], [1, 1], [0, 2]], dtype=np.float32),
    )
    return vectors


def table(*rows: tuple[str, Any, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        [(item, n, short, long) for n, (item, short, long) in enumerate(rows)], columns=["item", "worker", "short", "long"]
    )


# --- the paper


@pytest.mark.parametrize("stop_words", [STOP_WORDS, STOPWORDS, ENGLISH_STOP_WORDS, ()])
def test_the_papers_numbers_come_out_to_four_decimals(google: KeyedVectors, stop_words: frozenset[str]) -> None:
    assert round(description_agreement(GREENHOUSE, google, stop_words=stop_words) or 0, 4) == 0.4094
    assert round(description_agreement(SHARK, google, stop_words=stop_words) or 0, 4) == 0.1564


def test_unit_vectors_or_a_set_of_descriptions_would_not_give_the_papers_numbers(google: KeyedVectors) -> None:
    units = KeyedVectors(300)
    words = {word for text in GREENHOUSE for word in text.split() if word in google}
    units.add_vectors(sorted(words), np.array([google.get_vector(word, norm=True) for word in sorted(words)]))
    assert round(description_agreement(GREENHOUSE, units) or 0, 4) != 0.4094
    assert round(description_agreement(sorted(set(GREENHOUSE)), google) or 0, 4) != 0.4094


def test_all_items_of_the_papers_tables_are_compared_and_the_uncovered_words_named(google: KeyedVectors) -> None:
    compared = compare_with_paper(google).set_index("class_name")
    assert len(compared) == 10
    assert compared.index[compared["same"]].tolist() == ["greenhouse", "great white shark"]
    unknown = compared["unknown"].to_dict()
    assert unknown["hermit crab"] == ("protruded", "snug")
    assert unknown["malinois"] == ("canid",)
    covered = [name for name, words in unknown.items() if not words]
    assert covered == ["greenhouse", "scuba diver", "great white shark"], (
        "scuba diver's 0.0 is the one that is known not to come out"
    )
    assert compared["computed"].notna().all()
    np.testing.assert_allclose(compared["difference"].astype(float), compared["computed"].astype(float) - compared["paper"])
    assert compared.loc["rock beauty", "descriptions"] == ["edge", "cave", "arrow shaped", "rectangle"], (
        "the printed nan is no description"
    )
    partly = compared[[bool(words) for words in compared["unknown"]]]
    assert partly["difference"].abs().max() < 0.1


# --- worked examples


def test_a_worked_example(flat: KeyedVectors) -> None:
    # east and far: cosine 1; with north: 0, 0. The mean of far and north is (1.5, 0.5).
    assert description_agreement(["east", "Far", "north"], flat) == pytest.approx(1 / 3)
    assert description_agreement(["east", "far, north"], flat) == pytest.approx(1.5 / np.hypot(1.5, 0.5))
    assert description_agreement(["east", "west"], flat) == pytest.approx(-1)


def test_equal_descriptions_count_as_pairs(flat: KeyedVectors) -> None:
    assert description_agreement(["east", "EAST!"], flat) == 1
    assert description_agreement(["east", "east", "north"], flat) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("descriptions", "n", "usable", "says"),
    [
        ([], 0, 0, "nobody described it"),
        ([None, float("nan"), "", " "], 0, 0, "nobody described it"),
        (["of the", "canid", None], 2, 0, "no description has a known word"),
        (["east", "canid"], 2, 1, "only one description has a known word"),
        (["east"], 1, 1, "agreement needs two"),
        (["east west", "north"], 2, 1, "only one description"),
    ],
)
def test_undefined_agreement_is_none_with_a_reason(
    flat: KeyedVectors, descriptions: list[Any], n: int, usable: int, says: str
) -> None:
    assert description_agreement(descriptions, flat) is None
    result = agreement(descriptions, flat)
    assert result.value is None
    assert (result.n, result.usable) == (n, usable)
    assert says in (result.reason or "")


def test_a_defined_agreement_of_zero_is_zero(flat: KeyedVectors) -> None:
    result = agreement(["east", "north", "canid"], flat)
    assert (result.value, result.n, result.usable, result.unknown, result.reason) == (0.0, 3, 2, ("canid",), None)


def test_options_are_off_and_do_what_they_say(flat: KeyedVectors) -> None:
    assert description_agreement(["grey", "gray"], flat) is None
    assert description_agreement(["grey", "gray"], flat, wording=Wording(spelling=True)) == pytest.approx(1)
    assert description_agreement(["stripes", "stripe"], flat) is None
    assert description_agreement(["stripes", "stripe"], flat, wording=Wording(plurals=True)) == pytest.approx(1)
    assert description_agreement(["far-north", "far north"], flat, wording=Wording(hyphens=True)) == pytest.approx(1)


def test_stop_words_can_be_others(flat: KeyedVectors) -> None:
    assert description_agreement(["far east", "far north"], flat, stop_words={"far"}) == pytest.approx(0)


def test_one_text_instead_of_a_list_is_an_error(flat: KeyedVectors) -> None:
    with pytest.raises(BarlowError, match="expected a list of texts"):
        description_agreement("east", flat)


# --- against gensim


def by_pairs(descriptions: Sequence[str], vectors: KeyedVectors) -> float | None:
    """The rule as one would write it with gensim."""
    words = [[word for word in text.lower().split() if word not in STOP_WORDS and word in vectors] for text in descriptions]
    cosines = [
        vectors.n_similarity(first, second) for first, second in itertools.combinations([some for some in words if some], 2)
    ]
    return float(np.mean(cosines)) if cosines else None


WORD = st.sampled_from("plant colorful flowers leafy greens bunch of the canid triangle plants tube human".split())  # noqa: SIM905
TEXT = st.lists(WORD, max_size=4).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(descriptions=st.lists(TEXT, max_size=6))
def test_it_is_the_mean_of_gensims_n_similarity_over_pairs(google: KeyedVectors, descriptions: list[str]) -> None:
    expected, found = by_pairs(descriptions, google), description_agreement(descriptions, google)
    assert (found is None) == (expected is None)
    if found is not None:
        assert found == pytest.approx(expected, abs=2e-6)
        assert -1 <= found <= 1
        assert description_agreement(descriptions[::-1], google) == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize("block", [1, 7, 8192])
@pytest.mark.parametrize("kind", ["short", "long", "concatenated"])
def test_many_items_at_once_give_what_each_gives_alone(
    google: KeyedVectors, kind: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.agreement.descriptions.BLOCK", block)
    rng = np.random.default_rng(1)
    words = "plant colorful flowers leafy greens of canid triangle tube human".split()  # noqa: SIM905

    def text() -> str | None:
        return " ".join(rng.choice(words, size=rng.integers(0, 4))) if rng.random() < 0.9 else None

    answers = table(*((f"item {rng.integers(12)}", text(), text()) for _ in range(60)))
    found = item_agreement(answers, google, kind=kind)
    similarity = answer_similarity(answers, google, kind=kind)
    tables, pairs = agreements_and_pairs(answers, google)
    assert pairs is not None
    sizes = answers["item"].value_counts()
    assert len(pairs) == (sizes * (sizes - 1) // 2).sum()
    of_pairs = pairs.groupby("item")[kind].mean().reindex(found.index)
    pd.testing.assert_frame_equal(tables[kind], found)
    assert of_pairs.to_numpy() == pytest.approx(found["agreement"].to_numpy(dtype=float, na_value=np.nan), abs=1e-6, nan_ok=True)
    assert found.index.tolist() == answers["item"].unique().tolist()
    for item, rows in answers.groupby("item"):
        texts = rows[kind] if kind != "concatenated" else rows["short"].fillna("") + " " + rows["long"].fillna("")
        expected = agreement(list(texts), google)
        row = found.loc[item]
        assert (row["n"], row["usable"], row["reason"]) == (expected.n, expected.usable, expected.reason)
        if expected.value is None:
            assert row["agreement"] is pd.NA
            assert np.isnan(similarity[rows.index]).all()
        else:
            assert row["agreement"] == pytest.approx(expected.value, abs=1e-12)
            # The mean over pairs is the mean over descriptions of the mean over the others.
            assert np.nanmean(similarity[rows.index]) == pytest.approx(expected.value, abs=1e-12)
            assert np.isfinite(similarity[rows.index]).sum() == expected.usable


def test_pairs_say_whose_descriptions_they_are(flat: KeyedVectors, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = table(("a", "east", "north"), ("b", "north", "north"), ("a", "north", None), ("a", "east", "east")).assign(
        worker=list("uvwx")
    )
    _, found = agreements_and_pairs(answers, flat, kinds=["short", "long"])
    assert found is not None
    assert found[["item", "first", "second"]].to_numpy().tolist() == [["a", "u", "w"], ["a", "u", "x"], ["a", "w", "x"]]
    assert found["short"].tolist() == pytest.approx([0, 1, 0])
    assert found["long"].tolist() == pytest.approx([np.nan, 0, np.nan], nan_ok=True)
    monkeypatch.setattr("study.agreement.cosine.MOST_PAIRS", 2)
    assert agreements_and_pairs(answers, flat)[1] is None


def test_a_table_says_words_and_known_words_and_leaves_undefined_agreement_out(flat: KeyedVectors) -> None:
    answers = table(("a", "east", "the far north"), ("b", None, None), ("a", "canid east", "west"))
    short = item_agreement(answers, flat)
    assert short.loc["a", ["n", "usable", "words", "known"]].tolist() == [2, 2, 3, 2]
    assert short.loc["a", "agreement"] == pytest.approx(1)
    assert short.loc["b", "agreement"] is pd.NA
    assert short["agreement"].mean() == pytest.approx(1), "what is undefined takes no part in a mean"
    both = item_agreement(answers, flat, kind="concatenated").loc["a"]
    assert both["words"] == 6
    assert both["agreement"] is pd.NA, "east and west cancel out, so the second has no direction"


def test_an_empty_table_gives_an_empty_table(flat: KeyedVectors) -> None:
    assert len(item_agreement(table(), flat, kind="concatenated")) == 0
    assert answer_similarity(table(), flat).shape == (0,)
    assert coverage(table(), flat).share is None


def test_another_kind_is_an_error(flat: KeyedVectors) -> None:
    with pytest.raises(BarlowError, match=r"'both'; expected one of short, long, concatenated"):
        item_agreement(table(), flat, kind="both")


# --- coverage


def test_coverage_counts_words_and_names_the_unknown_ones(flat: KeyedVectors) -> None:
    answers = table(("a", "east canid", "the snug canid"), ("a", "east canid", None))
    found = coverage(answers, flat)
    assert (found.words, found.known, found.share) == (6, 2, pytest.approx(1 / 3))
    assert found.unknown.to_dict("list") == {"word": ["canid", "snug"], "occurrences": [3, 1]}
    assert coverage(answers, flat, kind="short").unknown.to_dict("list") == {"word": ["canid"], "occurrences": [2]}


def test_the_words_needed_are_enough_for_the_same_agreement(google: KeyedVectors) -> None:
    answers = table(
        ("a", "grey stripes", None), ("a", "Gray-striped", "fur of a dog"), ("a", "colour", "dogs"), ("a", None, "tubes")
    )
    wording = Wording(spelling=True, hyphens=True, plurals=True)
    needed = words_needed(answers, wording=wording)
    assert {"gray", "grey", "stripe", "stripes", "color", "of"} <= needed
    few = load_vectors(words=needed)
    assert len(few) < 30
    for kind in ("short", "long", "concatenated"):
        for used in (wording, Wording()):
            pd.testing.assert_frame_equal(
                item_agreement(answers, few, kind=kind, wording=used), item_agreement(answers, google, kind=kind, wording=used)
            )
