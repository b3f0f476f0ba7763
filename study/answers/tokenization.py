"""From a description to its words: the rule of the paper's agreement score (appendix G), and three options that depart from it."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterator
from dataclasses import dataclass
from typing import Any

# NLTK's English list of 179 words (grown out of Porter's Snowball list, BSD). The paper names no list, and
# the two items of its tables that can be recomputed exactly come out the same with this one, gensim's, scikit-learn's, or none.
# This one is chosen because the others drop words that describe pictures: top, bottom, side, thick, thin, full, fire.
_NLTK = """
    i me my myself we our ours ourselves you you're you've you'll you'd your yours yourself yourselves he him his himself she
    she's her hers herself it it's its itself they them their theirs themselves what which who whom this that that'll these those
    am is are was were be been being have has had having do does did doing a an the and but if or because as until while of at by
    for with about against between into through during before after above below to from up down in out on off over under again
    further then once here there when where why how all any both each few more most other some such no nor not only own same so
    than too very s t can will just don don't should should've now d ll m o re ve y ain aren aren't couldn couldn't didn didn't
    doesn doesn't hadn hadn't hasn hasn't haven haven't isn isn't ma mightn mightn't mustn mustn't needn needn't shan shan't
    shouldn shouldn't wasn wasn't weren weren't won won't wouldn wouldn't"""
STOP_WORDS = frozenset(_NLTK.split())

_WORD = re.compile(r"[^\W_]+")
_COMPOUND = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


@dataclass(frozen=True)
class Wording:
    """Departures from the paper's rule, all off.

    Attributes:
        spelling: British spellings count as the American ones (grey as gray, colour as color).
        hyphens: a hyphenated word is looked up whole (monkey-like, monkey_like, monkeylike) before it is split.
        plurals: a plural counts as its singular, and a word unknown in one number is looked up in the other.
    """

    spelling: bool = False
    hyphens: bool = False
    plurals: bool = False


AS_THE_PAPER = Wording()


def content_words(text: Any, *, stop_words: Collection[str] = STOP_WORDS, wording: Wording = AS_THE_PAPER) -> list[str]:
    """The words of a description in lower case, split on everything that is no letter or digit, without stop words.

    What is not a text (None, NaN) has no words. "Tube or human" gives ["tube", "human"].
    """
    if not isinstance(text, str):
        return []
    pattern = _COMPOUND if wording.hyphens else _WORD
    return [word for word in pattern.findall(text.lower()) if word not in stop_words]


def known_words(
    word: str, known: Container[str], *, stop_words: Collection[str] = STOP_WORDS, wording: Wording = AS_THE_PAPER
) -> tuple[str, ...]:
    """What a word of `content_words` is looked up as: itself or a variant, the parts of a compound, or () when it is unknown."""
    if "-" in word:
        for whole in _whole(word):
            if whole in known:
                return (whole,)
        parts = (part for part in word.split("-") if part not in stop_words)
        return tuple(form for part in parts for form in known_words(part, known, stop_words=stop_words, wording=wording))
    return next(((form,) for form in _forms(word, wording) if form in known), ())


def lookups(word: str, *, wording: Wording = AS_THE_PAPER) -> set[str]:
    """Every string under which `known_words` may look a word up."""
    if "-" in word:
        return {*_whole(word), *(form for part in word.split("-") for form in _forms(part, wording))}
    return set(_forms(word, wording))


def _whole(compound: str) -> tuple[str, ...]:
    return compound, compound.replace("-", "_"), compound.replace("-", "")


def _forms(word: str, wording: Wording) -> Iterator[str]:
    """The forms of a word, the preferred one first."""
    spellings = [word]
    if wording.spelling and (american := _american(word)) != word:
        spellings.insert(0, american)
    for spelling in spellings:
        if not wording.plurals:
            yield spelling
            continue
        singulars = list(_singulars(spelling))
        yield from singulars
        yield spelling
        if not singulars:
            yield from _plurals(spelling)


_IRREGULAR = {
    "calves": "calf", "children": "child", "feet": "foot", "geese": "goose", "halves": "half", "hooves": "hoof", "knives": "knife",
    "leaves": "leaf", "loaves": "loaf", "men": "man", "mice": "mouse", "scarves": "scarf", "shelves": "shelf", "teeth": "tooth",
    "wolves": "wolf", "women": "woman",
}  # fmt: skip
_NO_PLURALS = {"always", "canvas", "christmas", "gas", "lens", "mars", "news", "pajamas", "perhaps", "series", "species", "yes"}


def _singulars(word: str) -> Iterator[str]:
    if word in _IRREGULAR:
        yield _IRREGULAR[word]
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) and word not in _NO_PLURALS:
        if word.endswith("ies"):
            yield word[:-3] + "y"
        elif word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
            yield word[:-2]
        yield word[:-1]


def _plurals(word: str) -> Iterator[str]:
    yield from (plural for plural, singular in _IRREGULAR.items() if singular == word)
    if word.endswith("y"):
        yield word[:-1] + "ies"
    elif word.endswith(("s", "x", "z", "ch", "sh", "o")):
        yield word + "es"
    yield word + "s"


# Stems before -our, -re and -ise.
_OUR = "arm|behavi|clam|col|discol|endeav|fav|flav|harb|hon|hum|lab|multicol|neighb|od|parl|rum|sav|splend|tum|unicol|val|vap|vig"
_RE = "calib|cent|centimet|fib|kilomet|lit|lust|meag|met|millimet|och|sab|sept|somb|spect|theat"
_ISE = "apolog|character|crystall|emphas|harmon|memor|mesmer|minim|maxim|organ|polar|real|recogn|special|styl|symbol|visual"
_OTHER = {
    "aluminium": "aluminum", "artefact": "artifact", "artefacts": "artifacts", "catalogue": "catalog", "chequered": "checkered",
    "cosy": "cozy", "defence": "defense", "draught": "draft", "grey": "gray", "greyer": "grayer", "greyish": "grayish",
    "greyness": "grayness", "greys": "grays", "greyscale": "grayscale", "jewelled": "jeweled", "jewellery": "jewelry",
    "kerb": "curb", "kerbs": "curbs", "mollusc": "mollusk", "molluscs": "mollusks", "mould": "mold", "mouldy": "moldy",
    "moustache": "mustache", "moustaches": "mustaches", "plough": "plow", "ploughs": "plows", "pyjamas": "pajamas",
    "storey": "story", "tyre": "tire", "tyres": "tires", "woollen": "woolen",
}  # fmt: skip
_BRITISH = re.compile(
    rf"(?P<our>{_OUR})our(?P<our_end>s|ed|ing|ful|fully|less|y|ish|able|ation|hood|er|ers|ite|ites|ings)?"
    rf"|(?P<re>{_RE})(?P<re_end>re|res|red|ring)"
    rf"|(?P<ise>{_ISE})is(?P<ise_end>e|es|ed|er|ing|ation)"
)


def _american(word: str) -> str:
    if word in _OTHER:
        return _OTHER[word]
    found = _BRITISH.fullmatch(word)
    if found is None:
        return word
    if found["our"]:
        return f"{found['our']}or{found['our_end'] or ''}"
    if found["re"]:
        return found["re"] + {"re": "er", "res": "ers", "red": "ered", "ring": "ering"}[found["re_end"]]
    return f"{found['ise']}iz{found['ise_end']}"
