"""What a report and the marks say of a study about core and spurious features, with answers whose outcome is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.analysis import Analysis, AnalysisOptions, Filters, load_study
from study.answers.exclusion import ExclusionRule
from study.core_or_spurious import CORE_OR_SPURIOUS, SAME_FEATURE, settings_of
from study.report import Section, all_sections, report_html, section, sections_of
from study.store import StudyStore

FAST = AnalysisOptions(replicates=20)
WORDS = {"o": "object", "b": "background", "s": "separate", "y": "yes", "n": "no"}
FIRST = {"label:cat:1": "oooob", "label:cat:2": "bbsso", "label:dog:1": "obs", "label:dog:4": ""}
SECOND = {"label:cat:1": "yyyny", "label:cat:2": "nnnyy"}
Made = Callable[..., Analysis]


def item(name: str) -> dict[str, Any]:
    group, _, feature = name.rpartition(":")
    return {"id": name, "group": group, "grouping": "label", "class_name": group.partition(":")[2], "feature": int(feature)}


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """An analysis of a study in which worker k gives the k-th answer to each item, with confidence k."""

    def make(name: str, said: dict[str, str], items: list[dict[str, Any]] | None = None, **options: Any) -> Analysis:
        path = tmp_path / f"{name}.sqlite"
        question = "part" if name == CORE_OR_SPURIOUS else "same"
        given = settings_of(name, {"speed": "off"})
        with StudyStore.create(path, items=items or [item(one) for one in said], **given) as store:
            for place in range(5):
                worker = f"worker-{place}"
                store.register(worker, simulated=options.get("simulated", False))
                while (claimed := store.claim(worker)) is not None:
                    if place >= len(said[claimed.id]):
                        store.give_back(worker, claimed.id)
                        continue
                    letter = said[claimed.id][place]
                    answer = {question: WORDS[letter], "reason": f"<b>{letter}</b> & so", "confidence": place + 1}
                    store.submit(worker, claimed.id, answer, claimed.token)
        return Analysis(load_study(path), options=options.get("options", FAST))

    return make


def shown(found: Section, name: str) -> list[list[str]]:
    (one,) = [table for table in found.tables if table.id == name]
    return [[str(cell).replace("\xa0", " ") for cell in row] for row in one.shown.values.tolist()]


def test_the_first_round_says_what_was_decided_and_what_is_open(made: Made) -> None:
    analysis = made(CORE_OR_SPURIOUS, FIRST)
    assert list(sections_of(analysis.study)) == ["overview", "core_or_spurious", "quality"]
    assert analysis.study.notes == ()
    found = section(analysis, "core_or_spurious")
    assert found.lead == "Of 3 features, 1 is core, 1 is spurious and 1 is still open, by the majority of the answers."
    assert {number.label: number.value for number in found.numbers[:4]} == {"Core": "1", "Spurious": "1", "Tie": "0", "Open": "1"}
    assert "1 feature has too few answers to be decided; none of them is marked." in found.notes
    assert "1 feature has no answer and no verdict." in found.notes
    rows = {row[0]: row[1:] for row in shown(found, "verdicts")}
    assert rows["label:cat:1"][-7:] == ["Core", "4 of 5", "Part of the main object", "4", "1", "0", "3.00"]
    assert rows["label:cat:2"][-7:] == ["Spurious", "4 of 5", "Background, Separate object", "1", "2", "2", "3.00"]
    assert rows["label:dog:1"][-7:-4] == ["Open", "2 of 3", "Part of the main object, Background, Separate object"]
    said = [row[1:4] for row in shown(found, "reasons") if row[0] == "label:cat:2"]
    assert [row[0] for row in said] == [
        "Part of the main object",
        "Background",
        "Background",
        "Separate object",
        "Separate object",
    ]
    assert said[0][1:] == ["5", "<b>o</b> & so"]
    marks = analysis.judgements.marks  # type: ignore[union-attr]
    assert marks[["group", "feature", "mark", "support", "n"]].to_numpy().tolist() == [
        ["label:cat", 1, "core", 4, 5],
        ["label:cat", 2, "spurious", 4, 5],
    ]
    assert marks["confirmed_by"].isna().all()
    page = report_html(analysis).decode()
    assert "&lt;b&gt;o&lt;/b&gt; &amp; so" in page
    assert "<b>o</b> & so" not in page
    view = analysis.item("label:cat:2")
    assert "spurious (object 1, background 2, separate 2)" in view.lead
    assert list(view.answers["part"]) == ["background", "background", "separate", "separate", "object"]


def test_the_second_round_keeps_the_marks_that_it_confirms(made: Made) -> None:
    earlier = {"mark_support": 4, "mark_n": 5}
    items = [
        item("label:cat:1") | {"mark": "core", "mark_simulated": True} | earlier,
        item("label:cat:2") | {"mark": "spurious", "mark_simulated": False} | earlier,
    ]
    analysis = made(SAME_FEATURE, SECOND, items)
    found = section(analysis, "core_or_spurious")
    assert found.title == "The marks on further images"
    assert found.lead == "Of 2 features, 1 is confirmed and 1 is rejected, by the majority of the answers."
    assert shown(found, "marks_confirmed") == [["Core", "1", "1", "0", "0", "0"], ["Spurious", "1", "0", "1", "0", "0"]]
    (row,) = analysis.judgements.marks.to_numpy().tolist()  # type: ignore[union-attr]
    # The mark comes from simulated answers of the first round, whoever confirmed it.
    assert row == ["label:cat", 1, "core", 4, 5, 4, 5, True]


def test_who_is_left_out_does_not_decide(made: Made) -> None:
    whole = made(CORE_OR_SPURIOUS, {"label:cat:1": "ooobb"})
    first = list(whole.data.answers["worker"])[:2]
    fewer = Analysis(whole.study, filters=Filters(excluded_workers=tuple(first)), options=FAST)
    assert [one.judgements.items["verdict"].tolist() for one in (whole, fewer)] == [["core"], ["open"]]  # type: ignore[union-attr]
    assert fewer.judgements.marks.empty  # type: ignore[union-attr]


def test_simulated_answers_say_so_and_every_part_can_be_made(made: Made) -> None:
    said = {f"label:cat:{n}": letters for n, letters in enumerate(["ooooo", "oobbs", "bbbbs", "sssso", "ooobb", "bbbbb"])}
    analysis = made(CORE_OR_SPURIOUS, said, simulated=True, options=AnalysisOptions(replicates=20, rule=ExclusionRule()))
    found = section(analysis, "core_or_spurious")
    assert found.banner is not None
    assert analysis.judgements.marks["simulated"].all()  # type: ignore[union-attr]
    assert "Krippendorff's alpha of what is highlighted is" in found.text[0]
    for figure in found.figures:
        assert figure.reason is None
        assert b"<svg" in figure.svg()
    for one in all_sections(analysis):
        for table in one.tables:
            assert table.csv()
        for text in (one.lead, *one.text, *one.notes):
            assert "nan" not in text.lower().split()
            assert "None" not in text


def test_nobody_yet_is_said(made: Made) -> None:
    analysis = made(CORE_OR_SPURIOUS, {"label:cat:1": ""})
    found = section(analysis, "core_or_spurious")
    assert found.lead == "Nobody has answered yet."
    assert analysis.judgements.marks.empty  # type: ignore[union-attr]
    assert all(figure.content is None for figure in found.figures)
    assert report_html(analysis)
