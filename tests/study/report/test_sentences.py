"""What the sections say of small, empty, filtered and lopsided studies is true."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from study.analysis import Analysis, AnalysisOptions, Filters, StudyData
from study.answers.exclusion import ExclusionRule
from study.answers.tokenization import Wording
from study.report import all_sections, section
from study.report.front import unmarked
from study.report.wording import to_paste

FAST = AnalysisOptions(replicates=50)


def analysed(table: pd.DataFrame | list[dict[str, Any]], **given: Any) -> Analysis:
    settings = {name: given.pop(name) for name in ("options", "filters") if name in given}
    return Analysis(StudyData.from_answers(pd.DataFrame(table), **given), **{"options": FAST, **settings})


def whole(items: int = 6, workers: int = 4, **over: Any) -> pd.DataFrame:
    """Every worker answers every item; the platform is that of the worker."""
    rows = [
        {
            "item": f"i{i}",
            "worker": f"w{w}",
            "short": "striped fur",
            "long": "fur with stripes",
            "ease": 4,
            "confidence": 4,
            "useful": "B",
            "platform": f"p{w}",
            "seconds": 10.0 + i + w,
        }
        for i in range(items)
        for w in range(workers)
    ]
    return pd.DataFrame(rows).assign(**over)


def said(analysis: Analysis, name: str) -> str:
    found = section(analysis, name)
    figures = [text for one in found.figures for text in (one.caption, one.text, one.reason or "", one.computed)]
    tables = [text for one in found.tables for text in (one.caption, one.reason or "", one.computed)]
    numbers = [text for one in found.numbers for text in (one.n, one.help)]
    return "\n".join([found.lead, *found.text, *found.notes, *figures, *tables, *numbers]).replace("\xa0", " ")


# --- differences


def sides(top: dict[str, list[int]], bottom: dict[str, list[int]], **over: Any) -> pd.DataFrame:
    """Ratings of the items of two tiers, by workers w0, w1 ..."""
    rows = [
        {"item": item, "worker": f"w{number}", "tier": tier, "ease": rating}
        for tier, items in (("top", top), ("bottom", bottom))
        for item, ratings in items.items()
        for number, rating in enumerate(ratings)
    ]
    return pd.DataFrame(rows).assign(**over)


def test_the_direction_is_that_of_the_means_beside_it() -> None:
    """Cliff's delta counts items, the means count answers."""
    found = analysed(sides({"a": [5], "b": [5], "c": [1] * 6}, {"d": [3] * 3, "e": [3] * 3, "f": [3] * 3}))
    row = found.differences.query("outcome == 'ease'").iloc[0]
    assert row["difference"] < 0 < row["delta"]
    (text,) = section(found, "differences").text
    assert "Ease is lower in the top tier than in the bottom tier (means 2.00 and 3.00, difference −1.00" in text
    assert "Cliff's delta 0.33, medium, so averages of items, unlike means over answers, are more often higher;" in text


def test_no_difference_of_means_is_neither_higher_nor_lower() -> None:
    found = analysed(sides({"a": [5, 5, 5], "b": [2], "c": [2]}, {"d": [5], "e": [4, 4, 4], "f": [2]}))
    row = found.differences.query("outcome == 'ease'").iloc[0]
    assert (row["difference"], row["delta"]) == (pytest.approx(0), pytest.approx(-2 / 9))
    (text,) = section(found, "differences").text
    assert "Ease is about the same in the top tier as in the bottom tier (means 3.80 and 3.80, difference 0.00" in text
    assert "unlike means over answers, are more often lower;" in text


def test_no_order_of_items_beside_a_difference_of_means() -> None:
    found = analysed(sides({"a": [5] * 4, "b": [1], "c": [3]}, {"d": [5], "e": [1] * 4, "f": [3]}))
    (text,) = section(found, "differences").text
    assert "Ease is higher in the top tier" in text
    assert (
        "Cliff's delta 0.00, negligible, so averages of items, unlike means over answers, are as often higher as lower;" in text
    )


def test_a_choice_is_told_as_the_share_of_its_answers() -> None:
    rows = [
        {"item": f"{grouping} {i}", "worker": f"w{w}", "grouping": grouping, "useful": choice if w < 2 + i else "B"}
        for grouping, choice in (("label", "none"), ("prediction", "B"))
        for i in range(3)
        for w in range(5)
    ]
    (text,) = section(analysed(rows), "differences").text
    assert "6 comparisons" not in text
    assert "2 comparisons of preference." in text, "only what was asked"
    assert "The share of answers for the heatmaps (B) is lower by label than by prediction (shares 0.40 and 1.00" in text
    assert "None is higher" not in text
    assert "unlike" not in text, "both say the same"


def test_comparisons_without_a_test_are_told_so() -> None:
    found = analysed(sides({"a": [5, 4]}, {"b": [3, 3]}))
    assert section(found, "differences").lead == "No comparison of groupings and tiers could be tested; the table says why."


# --- agreement


def test_what_comes_out_of_the_paper_is_counted() -> None:
    rows = analysed(whole(2)).paper_agreement
    known = rows[[not words for words in rows["unknown"]]]
    caption = said(analysed(whole(2)), "agreement")
    assert (
        f"{rows['same'].sum()} of 10 numbers come out the same, {known['same'].sum()} of the {len(known)} items without unknown"
        in caption
    )
    missed = known[~known["same"]].iloc[0]
    assert f"Not explained: {missed['class_name']} ({missed['paper']:.4f} printed, {missed['computed']:.4f} here)." in caption


def test_the_papers_items_are_of_no_study() -> None:
    table = next(one for one in section(analysed(whole(2)), "agreement").tables if one.id == "paper_agreement")
    assert "**Exclusions:**" not in table.computed
    assert "**Data:**" not in table.computed


def test_departures_from_the_paper_are_told_beside_its_numbers() -> None:
    wording = Wording(spelling=True, hyphens=True, plurals=True)
    found = analysed(whole(2), options=AnalysisOptions(replicates=50, wording=wording))
    assert found.paper_agreement["same"].sum() == 0
    caption = next(one.caption for one in section(found, "agreement").tables if one.id == "paper_agreement")
    assert (
        "0 of 10 numbers come out the same, 0 of the 3 items without unknown words; they need not, with departures from the"
        in caption
    )
    assert "plurals count as singulars" in caption


def test_agreement_of_both_as_one_may_be_the_only_one() -> None:
    table = pd.DataFrame({"item": "a", "worker": ["v", "w"], "short": ["fur", None], "long": [None, "striped fur"]})
    found = analysed(table)
    assert section(found, "agreement").lead.startswith("The mean cosine between descriptions of the same feature is 0.")
    alone = analysed(table.head(1))
    text = " ".join(section(alone, "agreement").text)
    assert "vectors, is not defined: no item has two usable descriptions. The vectors" in text


# --- the study, ratings, preferences, names


def test_the_median_of_two_and_three_tasks() -> None:
    table = whole(3, 2).iloc[:-1]
    assert "2.50 of these tasks each on average (median 2.5, 2 to 3)" in said(analysed(table), "overview")
    assert "(median 3, 3 to 3)" in said(analysed(whole(3, 2)), "overview")


def test_items_are_complete_whatever_is_filtered() -> None:
    part = analysed(whole(), answers_per_item=4, filters=Filters(platforms=("p1",)))
    assert section(part, "overview").lead.endswith("Of the whole study, 6 of 6 items have all the wanted answers.")
    assert "Filters and exclusions leave 6 answers" in section(part, "overview").text[0], "more were collected"
    assert section(analysed(whole(), answers_per_item=5), "overview").lead.endswith(" 0 of 6 items have all the wanted answers.")


@pytest.mark.parametrize(("n", "left_out"), [(4, 0), (100, 0), (300, 2)])
def test_times_that_are_not_drawn_are_counted(n: int, left_out: int) -> None:
    found = analysed([{"item": f"i{i}", "worker": "w", "ease": 4, "seconds": 10.0 + i} for i in range(n)])
    figure = next(one for one in section(found, "overview").figures if one.id == "time_on_task")
    assert figure.data["count"].sum() == n - left_out
    assert ("not drawn" in figure.caption) == bool(left_out)
    assert not left_out or f"The longest {left_out} of {n} answers are not drawn." in figure.caption


def test_every_share_of_figure_9a_has_its_own_n() -> None:
    table = whole(10, 1)
    table.loc[table.index >= 2, "confidence"] = None
    table.loc[table.index >= 5, "ease"] = 2
    figure = section(analysed(table), "likert").figures[0]
    text = figure.text.replace("\xa0", " ")
    assert "average ease over 10 features and confidence over 2 features." in text
    assert (
        "5 of 10 features (50.0 %) have an average ease and 2 of 2 features (100.0 %) have an average confidence above 3." in text
    )
    assert "ease: 10 items; confidence: 2 items" in unmarked(figure.computed)
    texts = said(analysed(table), "likert")
    assert "(ease: 10 answers, 10 items, 1 worker; confidence: 2 answers, 2 items, 1 worker)" in texts
    assert "50.0 % of 10 ratings of ease are above the middle" in texts


def test_above_in_both_is_not_above_in_one_alone() -> None:
    texts = said(analysed(whole()), "likert")
    assert "The average ease was above 3 for 6 of 6 features" in texts
    assert "alone" not in section(analysed(whole()), "likert").text[0]


def test_ratings_by_different_workers_are_of_the_same_item_all_the_same() -> None:
    table = pd.DataFrame({"item": "a", "worker": ["v", "w"], "ease": [5, None], "confidence": [None, 2]})
    lead = section(analysed(table), "likert").lead.replace("\xa0", " ")
    assert lead == (
        "1 of 1 feature (100.0 %) has an average ease and 0 of 1 feature (0.0 %) has an average confidence above 3; no answer rates both ease and confidence."
    )


@pytest.mark.parametrize(
    "name", ["likert", "preferences", "agreement", "names", "reliability", "quality", "differences", "overview"]
)
@pytest.mark.parametrize(
    "columns", [["ease"], ["short", "long"], ["useful"]], ids=["ratings only", "descriptions only", "preferences only"]
)
def test_somebody_has_answered(name: str, columns: list[str]) -> None:
    table = whole()[["item", "worker", *columns]]
    texts = said(analysed(table), name)
    assert "obody has answered" not in texts
    assert "nobody answered" not in texts


@pytest.mark.parametrize(
    ("filters", "options"),
    [
        (Filters(excluded_workers=("w0", "w1", "w2", "w3")), FAST),
        (Filters(), AnalysisOptions(replicates=50, exclude=True, rule=ExclusionRule(same_rating=1.0, signals=1))),
    ],
    ids=["left out by hand", "excluded by the rule"],
)
def test_a_study_of_which_nothing_is_left_was_answered(filters: Filters, options: AnalysisOptions) -> None:
    found = analysed(whole(), filters=filters, options=options)
    assert not len(found.data.answers)
    for name in ("overview", "likert", "preferences", "agreement", "reliability", "quality", "differences", "names"):
        texts = said(found, name)
        assert "obody has answered" not in texts, name
        assert "obody answered" not in texts, name
        assert "nan" not in texts.split()
    assert section(found, "overview").lead == "Filters and exclusions leave no answer."


def test_nobody_has_answered_where_nobody_has() -> None:
    found = analysed(whole().iloc[:0])
    leads = [one.lead for one in all_sections(found)]
    assert sum("obody has answered yet" in lead for lead in leads) == len(leads)


# --- workers


def test_a_rule_that_is_not_applied_excluded_nobody() -> None:
    rule = ExclusionRule(same_rating=0.995, fast=0.125, checks_passed=0.005, signals=3)
    shown = said(analysed(whole(), options=AnalysisOptions(replicates=50, rule=rule)), "quality")
    assert "No worker was excluded by a rule. The rule would leave out 0 of 4 workers" in shown
    assert "were excluded" not in shown
    for threshold in ("fewer than 0.5 %", "below 12.5 %", "at least 99.5 %"):
        assert threshold in shown
    applied = said(analysed(whole(), options=AnalysisOptions(replicates=50, rule=rule, exclude=True)), "likert")
    assert "0 workers by the rule: The rule excludes workers who" in applied


def test_who_is_left_out_by_hand_is_told() -> None:
    found = analysed(whole(), filters=Filters(excluded_workers=("w0",)))
    assert "1 worker named by hand is left out of all of this" in said(found, "quality")


def test_workers_without_ratings_share_items_all_the_same() -> None:
    figure = section(analysed(whole()[["item", "worker", "short"]]), "quality").figures[0]
    assert figure.reason == "no item has ratings of ease by two workers"


def test_a_filter_shows_its_own_workers_only() -> None:
    figure = section(analysed(whole(), filters=Filters(platforms=("p1", "p2"))), "quality").figures[0]
    assert figure.data["worker"].tolist() == ["w1", "w2"]
    assert figure.subtitle == "2 workers, judged by all of their answers"


# --- texts that are taken away


def test_a_text_to_paste_says_what_stands_around_it() -> None:
    many = analysed(whole(items=10, workers=10))
    assert to_paste(many, "Ease is 4.") == "Ease is 4.", "all of it, by people, enough of both: nothing to add"
    assert "too short" not in said(many, "likert")
    of_one = analysed(whole(simulated=True), filters=Filters(platforms=("p1",)))
    marked, scope, text, limit = to_paste(of_one, "Ease is 4.").split("\n\n")
    assert (marked, text) == (f"[{of_one.banner}]", "Ease is 4.")
    assert "imulated" in marked
    assert limit == "With 6 items and 1 worker, intervals that resample them are likely too short."
    assert limit in said(of_one, "likert")
    assert limit not in said(of_one, "names"), "no intervals there"
    assert scope == "Of the study's 24 answers, 6 answers of 1 worker about 6 items are analysed. Kept: platform p1."
    strict = AnalysisOptions(replicates=50, exclude=True, rule=ExclusionRule(fast=None, copied=None, signals=1))
    nobody = to_paste(analysed(whole(), options=strict), "Nothing.")
    assert nobody.splitlines()[0].endswith("are analysed. Without the workers whom the rule of exclusion names.")
