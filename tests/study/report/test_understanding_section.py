"""Section 8 says exactly what was correlated, over what, and why not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from study.analysis import Analysis, AnalysisOptions, StudyData
from study.report import Section, section


def made(n_items: int = 60, n_classes: int = 10, confidence_of_intervals: float = 0.95, **columns: object) -> Section:
    """A study of three answers an item; error rate and activation are known. `columns`: by answer, further ones or others."""
    rng = np.random.default_rng(0)
    item = np.repeat(np.arange(n_items), 3)
    group = item % n_classes
    table = pd.DataFrame({"item": item.astype(str), "worker": (np.arange(len(item)) % 7).astype(str)})
    table = table.assign(ease=rng.integers(1, 6, len(item)), confidence=rng.integers(1, 6, len(item)))
    table = table.assign(ber=group / 100, activation=np.sin(item), class_name=[f"class {one}" for one in group])
    table = table.assign(**columns)
    known = [column for column in table if not table[column].isna().all()]
    # Few replicates bound nothing here.
    options = AnalysisOptions(replicates=50, confidence=confidence_of_intervals)
    return section(Analysis(StudyData.from_answers(table[known], name="study"), options=options), "understanding")


def test_the_lead_has_the_real_reason() -> None:
    flat = made(ease=3, confidence=3)
    assert flat.lead == (
        "No correlation can be tested: all classes have the same value, so there is no order to compare; "
        "all items have the same value, so there is no order to compare."
    )
    assert made(n_items=4).lead == (
        "No correlation can be tested: fewer than 5 classes have both, so no correlation; fewer than 5 items have both, so no correlation."
    )
    assert "fewer than 8 classes, so neither interval nor p" in made(n_classes=3).lead
    assert made(ber=None, activation=None).lead == "The study knows too little of its features to say."


def test_classes_without_a_grouping_are_classes() -> None:
    found = made()
    assert found.lead.startswith("None of 4 correlations")
    assert {number.label: number.n for number in found.numbers} == {
        "Ease and error rate of the class": "10 groups",
        "Ease and activation": "60 items of 10 groups",
    }
    assert any(
        note.startswith("A group is a class; its grouping (by label or by prediction) is not known;") for note in found.notes
    )
    computed = found.tables[0].computed
    assert "9,999 random ones" in computed
    assert "jackknife" in computed
    assert "resamples" not in computed


def test_with_groupings_a_group_is_one_of_them() -> None:
    found = made(grouping="label")
    assert any(note.startswith("A group is a class by label, or a class by prediction;") for note in found.notes)


def test_items_of_no_known_class_are_counted() -> None:
    item = np.repeat(np.arange(60), 3)
    found = made(class_name=[None if one < 2 else f"class {one % 10}" for one in item])
    assert any(note.endswith("2 items of no known group are left out.") for note in found.notes)
    assert "58 items of 10 groups" in found.text[0]
    assert found.tables[0].shown["note"].str.contains("2 items left out, whose class is not known").sum() == 4


def test_without_classes_nothing_is_said_of_groups() -> None:
    found = made(class_name=None)
    assert "(60 items, taken as independent)" in found.text[0]
    assert any("items are taken as independent" in note for note in found.notes)
    figure = next(figure for figure in found.figures if figure.id == "ease_against_activation")
    for text in (found.lead, *found.text, *found.notes, figure.caption, figure.computed):
        assert "group" not in text
    error_rate = next(figure for figure in found.figures if figure.id == "ease_against_ber")
    assert "without a test" in error_rate.computed
    assert "Intervals" not in error_rate.computed


def test_too_few_groups_for_the_correction_is_not_the_same_as_nothing_clear() -> None:
    few = made(n_classes=5, confidence_of_intervals=0.99, activation=None)
    assert (
        few.lead == "Too few groups: whatever their order, 2 correlations could not be clear after correction for their number."
    )
    assert few.tables[0].shown["note"].str.contains("no p below 0.017 is possible").sum() == 2
    assert made(n_classes=10, confidence_of_intervals=0.99, activation=None).lead.startswith("None of 2 correlations")


def test_a_clear_correlation_of_few_groups_is_told_without_an_interval() -> None:
    item = np.repeat(np.arange(60), 3)
    found = made(n_classes=5, activation=None, ease=1 + item % 5, confidence=3)
    assert found.lead.startswith("1 of 1 correlation is clear")
    assert found.text[-1] == (
        "Ease rises with error rate of the class: Spearman's ρ = 1.00, p = 0.017 after Holm's correction, 5 groups."
    )
