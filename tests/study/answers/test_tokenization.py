"""From a description to its words."""

from __future__ import annotations

import pytest
from gensim.parsing.preprocessing import STOPWORDS
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from study.answers.tokenization import STOP_WORDS, Wording, content_words, known_words, lookups

VARIANTS = Wording(spelling=True, hyphens=True, plurals=True)


def test_words_are_lower_case_split_on_punctuation_and_without_stop_words() -> None:
    assert content_words("Tube or human") == ["tube", "human"]
    assert content_words("protruded or snug-fitting") == ["protruded", "snug", "fitting"]
    assert content_words("A dog's EYES/ears, (and nose)_tip!") == ["dog", "eyes", "ears", "nose", "tip"]
    assert content_words("rot-weiß, 2 Köpfe") == ["rot", "weiß", "2", "köpfe"]


@pytest.mark.parametrize("nothing", [None, float("nan"), "", " \t", "?!", "of the"])
def test_what_holds_no_word_has_none(nothing: object) -> None:
    assert content_words(nothing) == []


def test_the_stop_words_are_nltks_and_keep_words_that_describe_pictures() -> None:
    assert len(STOP_WORDS) == 179
    pictorial = {"top", "bottom", "side", "front", "back", "thick", "thin", "full", "fire"}
    assert not pictorial & STOP_WORDS
    assert pictorial <= STOPWORDS
    assert pictorial <= ENGLISH_STOP_WORDS


def test_without_options_a_word_is_looked_up_as_it_is() -> None:
    assert known_words("grey", {"gray"}) == ()
    assert known_words("stripes", {"stripe"}) == ()
    assert known_words("stripes", {"stripe", "stripes"}) == ("stripes",)
    assert lookups("stripes") == {"stripes"}


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("grey", "gray"), ("greyish", "grayish"), ("colour", "color"), ("colours", "colors"), ("coloured", "colored"), ("colourful", "colorful"),
        ("centre", "center"), ("centred", "centered"), ("fibres", "fibers"), ("odour", "odor"), ("recognised", "recognized"),
        ("moustache", "mustache"), ("greyhound", "greyhound"), ("four", "four"), ("hour", "hour"), ("fire", "fire"), ("rise", "rise"),
    ],
)  # fmt: skip
def test_spelling_turns_british_words_into_american_ones_and_leaves_others(british: str, american: str) -> None:
    assert known_words(british, {american}, wording=Wording(spelling=True)) == (american,)
    assert known_words(british, {british}, wording=Wording(spelling=True)) == (british,), "kept where only it is known"


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("stripes", "stripe"),
        ("branches", "branch"),
        ("bodies", "body"),
        ("boxes", "box"),
        ("leaves", "leaf"),
        ("feet", "foot"),
        ("eyes", "eye"),
    ],
)
def test_plurals_counts_a_plural_as_its_singular_and_finds_one_number_for_the_other(plural: str, singular: str) -> None:
    wording = Wording(plurals=True)
    assert known_words(plural, {plural, singular}, wording=wording) == (singular,)
    assert known_words(plural, {plural}, wording=wording) == (plural,)
    assert known_words(singular, {plural}, wording=wording) == (plural,)


@pytest.mark.parametrize("word", ["grass", "cactus", "iris", "lens", "species", "gas", "is"])
def test_a_final_s_is_not_always_a_plural(word: str) -> None:
    cut = {word[:-1], word[:-2]}
    assert known_words(word, cut, wording=Wording(plurals=True)) == ()


def test_hyphens_looks_a_compound_up_whole_before_it_splits_it() -> None:
    wording = Wording(hyphens=True)
    assert content_words("Monkey-like, black-and-white face", wording=wording) == ["monkey-like", "black-and-white", "face"]
    for whole in ("monkey-like", "monkey_like", "monkeylike"):
        assert known_words("monkey-like", {whole, "monkey", "like"}, wording=wording) == (whole,)
    assert known_words("black-and-white", {"black", "and", "white"}, wording=wording) == ("black", "white"), "stop words drop out"
    assert known_words("monkey-like", {"monkey"}, wording=wording) == ("monkey",)


@pytest.mark.parametrize("word", ["stripes", "grey", "colours", "snug-fitting", "zebra", "grey-striped"])
def test_lookups_names_whatever_a_word_may_be_found_as(word: str) -> None:
    possible = lookups(word, wording=VARIANTS)
    assert possible
    for form in possible:
        assert known_words(word, {form}, wording=VARIANTS) == (form,)
    assert known_words(word, set(), wording=VARIANTS) == ()
