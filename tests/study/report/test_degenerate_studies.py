"""Every sentence about a study with hardly anything in it says what is the case: plurals, what all answers are, what nobody chose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.analysis import Analysis, AnalysisOptions, StudyData
from study.answers.table import PREFERENCES, RATINGS
from study.report import SECTIONS, section
from study.report.elements import Section
from study.report.sections.preferences import difference_text
from study.report.wording import decimal, interval, p_value, share, share_digits
from study.statistics.likert import heatmap_against_attack

FAST = AnalysisOptions(replicates=50)
SAME = "all answers are the same"


def table(items: int, workers: int, answer: Callable[[int, int], dict[str, Any]] = lambda item, worker: {}) -> pd.DataFrame:
    """Everybody answers everything: alike, but for what `answer` says."""
    alike = {"short": "striped fur", "long": "fur with stripes", "ease": 4, "confidence": 4, "useful": "B"}
    return pd.DataFrame(
        [
            {"item": f"i{i}", "worker": f"w{w}", **alike, "seconds": 10.0 + i + w, **answer(i, w)}
            for i in range(items)
            for w in range(workers)
        ]
    )


STUDIES = {
    "nobody": table(1, 1).iloc[:0],
    "one answer": table(1, 1),
    "one item": table(1, 4, lambda i, w: {"ease": 1 + w, "useful": PREFERENCES[w]}),
    "one item, two workers": table(1, 2),
    "one worker": table(4, 1, lambda i, w: {"ease": 1 + i}),
    "all alike": table(6, 4),
    "two options empty": table(12, 12, lambda i, w: {"useful": "BC"[(i * w) % 2], "ease": 1 + (i + w) % 5}),
    "one option empty": table(6, 5, lambda i, w: {"useful": ("B", "C", "both")[(i + w) % 3]}),
    "one of each side": table(2, 1, lambda i, w: {"useful": "BC"[i]}),
    "one takes a side": table(3, 3, lambda i, w: {"useful": "C" if i == w == 0 else "both"}),
    "nobody takes a side": table(4, 3, lambda i, w: {"useful": ("both", "none")[w % 2]}),
    "none only": table(4, 3, lambda i, w: {"useful": "none"}),
    "one rates, one chooses": table(1, 2).assign(ease=[3.0, None], useful=[None, "C"]),
    "a tier each": table(
        2, 3, lambda i, w: {"tier": ("top", "bottom")[i], "grouping": ("label", "prediction")[i], "ease": 1 + i + w}
    ),
    "one differs": table(12, 2, lambda i, w: {"useful": "C" if i == w == 0 else "B", "confidence": 5 if i == w == 1 else 4}),
}


@pytest.fixture(scope="module", params=STUDIES, ids=lambda name: name.replace(" ", "_").replace(",", ""))
def analysis(request: pytest.FixtureRequest) -> Analysis:
    return Analysis(StudyData.from_answers(STUDIES[request.param], name="few"), options=FAST)


@pytest.fixture(scope="module")
def said(analysis: Analysis) -> dict[str, list[str]]:
    """The sentences of every section."""
    return {name: list(sentences(section(analysis, name))) for name in SECTIONS}


def sentences(found: Section) -> Iterator[str]:
    texts = [found.lead, *found.text, *found.notes]
    texts += [text for figure in found.figures for text in (figure.caption, figure.text, figure.reason or "", figure.subtitle)]
    texts += [text for one in found.tables for text in (one.caption, one.reason or "")]
    texts += [text for number in found.numbers for text in (number.value, number.interval, number.n, number.help)]
    for one in found.tables:
        if "note" in one.shown:
            whole = one.shown[one.shown["answers"].str.lower() == "all answers"] if one.id == "average_ratings" else one.shown
            texts += [f"{row.get('question', '')}: {row['note']}" for _, row in whole.iterrows()]
    yield from (text.replace("\xa0", " ") for text in texts if text)


@pytest.mark.parametrize("name", list(SECTIONS))
def test_one_is_singular_and_nothing_is_left_blank(said: dict[str, list[str]], name: str) -> None:
    for text in said[name]:
        counted = r"answers|items|workers|features|visualizations|ratings|words|names|comparisons|groups|pairs|correlations|tasks"
        assert not re.search(rf"(?<![\d.,−-])1 (independent )?({counted})\b", text), text
        assert not re.search(r"(?<![\d.,−-])(0|[2-9]|\d\d+) (answer|item|worker|feature|rating|visualization)\b", text), text
        assert not re.search(r"\bnan\b|NaN|NaT|<NA>|\binf\b|None[),]|= None", text), text
        assert not re.search(r"\b1 of \d+ (features?|answers?|names?|comparisons?) (\([^)]*\) )?(have|were|are)\b", text), text
        assert "  " not in text, text
        assert ".." not in text, text
        assert "()" not in text, text


@pytest.mark.parametrize("name", list(SECTIONS))
def test_all_alike_is_said_of_what_is_alike_only(analysis: Analysis, said: dict[str, list[str]], name: str) -> None:
    """Where answers to a question differ, no sentence about that question says that they are all the same."""
    answers = analysis.data.answers
    for text in said[name]:
        if SAME not in text:
            continue
        questions = [question for question in (*RATINGS, "useful") if question.replace("useful", "preference") in text.lower()]
        assert questions, f"of which question? {text}"
        assert all(answers[question].nunique() == 1 for question in questions), text


def test_what_nobody_chose_is_said_of_what_nobody_chose(analysis: Analysis, said: dict[str, list[str]]) -> None:
    chosen = set(analysis.data.answers["useful"].dropna())
    for text in said["preferences"]:
        for choice in re.findall(r"no answer chose (\w+)", text):
            assert choice not in chosen, text
        if "nobody chose" in text:
            assert not chosen & {"B", "C"}, text
        if match := re.match(r"Shares? of (.*): at 0 or 1", text):
            named = set(PREFERENCES) if match[1] == "preferences" else set(re.split(r", | and ", match[1]))
            assert all(choice not in chosen or chosen == {choice} for choice in named), text
            assert set(PREFERENCES) - chosen <= named, text
        if "answers are for the same side" in text:
            assert len(chosen) == 1, text


@pytest.mark.parametrize("name", list(SECTIONS))
def test_who_answered_is_said_rightly(analysis: Analysis, said: dict[str, list[str]], name: str) -> None:
    answers = analysis.data.answers
    for text in said[name]:
        if "obody has answered" in text or "obody answered" in text:
            assert answers.empty, text
        if "one worker only" in text:
            assert answers["worker"].nunique() == 1, text
        if "one item only" in text:
            assert answers["item"].nunique() == 1 or "tier" in answers, text


def test_two_empty_options_and_one_independent_answer() -> None:
    """Nobody chose two of the options, and one independent answer."""
    notes = section(Analysis(StudyData.from_answers(STUDIES["two options empty"], name="few"), options=FAST), "preferences").notes
    assert notes == (
        "Shares of both and none: at 0 or 1 the interval is Clopper and Pearson's for as many independent answers as there are items (12).",
    )
    text = " ".join(
        section(Analysis(StudyData.from_answers(STUDIES["one answer"], name="few"), options=FAST), "preferences").notes
    )
    assert "as many independent answers as there are items (1)." in text


# --- a text and its interval


ANSWERS = st.dictionaries(
    st.tuples(st.integers(0, 15), st.integers(0, 9)),
    st.sampled_from(["B", "B", "B", "C", "both", "none"]),
    min_size=1,
    max_size=90,
)


@given(ANSWERS, st.sampled_from([0.9, 0.95, 0.99]))
def test_the_printed_interval_and_the_printed_p_never_contradict_each_other(
    answers: dict[tuple[int, int], str], confidence: float
) -> None:
    rows = pd.DataFrame([(*key, value) for key, value in answers.items()], columns=["item", "worker", "useful"])
    found = heatmap_against_attack(rows, confidence=confidence)
    if found.p is None or abs(found.p - (1 - confidence)) < 1e-9:
        return
    text = difference_text(found).replace("\xa0", " ").replace("−", "-")
    printed = re.search(r"CI (-?[\d.]+) to (-?[\d.]+) %", text)
    if printed is None:
        assert found.difference.low is None
        return
    low, high = float(printed[1]), float(printed[2])
    p = 0.0 if "p < 0.001" in text else float(re.search(r"p = ([\d.]+)", text)[1])  # type: ignore[index]
    assert (low <= 0 <= high) == (p >= 1 - confidence - 1e-12), text


def test_a_p_just_below_a_bound_is_not_rounded_up_to_it() -> None:
    assert [p_value(p) for p in (0.0497, 0.04996, 0.0502, 0.0996, 0.0312, 0.0004, None)] == [
        "0.0497",
        "0.0500",
        "0.050",
        "0.0996",
        "0.031",
        "< 0.001",
        "—",
    ]


# --- digits


def test_shares_have_the_digits_of_the_papers_table_where_n_allows_it() -> None:
    paper = {2578: "43.18 %", 1055: "17.67 %", 1919: "32.14 %"}
    assert {count: share(count / 5971, 5971).replace("\xa0", " ") for count in paper} == paper
    assert share(11 / 1200, 1200) == "0.92\xa0%"
    assert share(11 / 240, 240) == "4.6\xa0%"
    assert [share_digits(n) for n in (None, 999, 1000)] == [1, 1, 2]
    assert interval(0.4192, 0.4444, 0.95, as_share=True, n=5971).replace("\xa0", " ") == "95 % CI 41.92 to 44.44 %"


def test_the_sections_ask_for_the_digits_that_n_allows() -> None:
    counts = dict(zip(PREFERENCES, (2578, 1055, 1919, 419), strict=True))
    useful = [choice for choice, n in counts.items() for _ in range(n)]
    rows = pd.DataFrame(
        {
            "item": [f"i{k % 1200}" for k in range(5971)],
            "worker": [f"w{(k + 13 * (k // 1200)) % 61}" for k in range(5971)],
            "useful": useful,
        }
    )
    found = section(Analysis(StudyData.from_answers(rows, name="paper"), options=FAST), "preferences")
    texts = " ".join(sentences(found))
    for said in ("43.18 % call the heatmaps", "17.67 % the feature attacks", "32.14 % both", "7.02 % none"):
        assert said in found.lead.replace("\xa0", " ")
    for said in ("43.18 % (95 % CI ", "a difference of 25.51 percentage points (95 % CI "):
        assert said in texts


def test_a_share_that_is_neither_none_nor_all_does_not_read_as_one() -> None:
    assert [
        share(value, n).replace("\xa0", " ")
        for value, n in ((1 / 30_000, 30_000), (29_999 / 30_000, 30_000), (0.0003, 50), (0, 9), (1, 9))
    ] == [
        "0.003 %",
        "99.997 %",
        "0.03 %",
        "0.0 %",
        "100.0 %",
    ]
    assert decimal(-0.004) == "0.00"
