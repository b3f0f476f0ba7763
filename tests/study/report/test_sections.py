from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pytest

from barlow_core.errors import BarlowError
from study.analysis import Analysis, AnalysisOptions, StudyData
from study.report import SECTIONS, Figure, Section, all_sections, charts, section
from study.report.sections.base import attributes_to_show
from study.report.style import heading

FAST = AnalysisOptions(replicates=100)


def all_text(one: Section) -> list[str]:
    texts = [one.title, one.lead, *one.text, *one.notes]
    texts += [part for number in one.numbers for part in (number.label, number.value, number.interval, number.n, number.help)]
    texts += [
        part
        for figure in one.figures
        for part in (figure.title, figure.caption, figure.text, figure.computed, figure.reason or "")
    ]
    texts += [part for table in one.tables for part in (table.title, table.caption, table.computed, table.reason or "")]
    return texts + [str(cell) for table in one.tables for cell in table.shown.to_numpy().ravel()]


def check(one: Section) -> None:
    for text in all_text(one):
        assert not any(word in text for word in ("nan", "None)", "<NA>", "inf ", "NaT")), text
    for figure in one.figures:
        assert (figure.content is None) == bool(figure.reason)
        if figure.content:
            json.dumps(figure.spec(), allow_nan=False)
            assert figure.computed.startswith("- **Formula:**")
            assert "**Software:** barlow" in figure.computed
    for table in one.tables:
        table.csv()
        assert len(table.shown) or table.reason or table.data.empty
    pickle.loads(pickle.dumps(one))


def one_answer() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item": ["a"],
            "worker": ["w"],
            "short": ["fur"],
            "long": ["striped fur"],
            "ease": [4],
            "confidence": [5],
            "useful": ["B"],
        }
    )


def lopsided() -> pd.DataFrame:
    """One worker who answers everything the same, one item with everybody, missing answers, odd texts, one grouping with one item."""
    rows = [(f"i{i}", "w0", "fur", "fur", 3, 3, "none", "label", "top", 0.2) for i in range(6)]
    rows += [
        ("i0", f"w{w}", ["", None, "<script>", "🐅", "毛皮", "**"][w % 6], None, None, 5, None, "label", "top", 0.2)
        for w in range(1, 7)
    ]
    rows += [("odd", "w1", "x", "y", 1, 1, "C", "prediction", None, None)]
    return pd.DataFrame(
        rows, columns=["item", "worker", "short", "long", "ease", "confidence", "useful", "grouping", "tier", "ber"]
    )


def unnamed() -> pd.DataFrame:
    """Items whose ids tell grouping and class, and one of which neither is known."""
    items = [
        ("label:tiger:3", "label", "tiger"),
        ("label:lion:4", "label", "lion"),
        ("other", None, None),
        ("label:x:1", "label", None),
    ]
    rows = [(*item, f"w{w}", "fur", "striped fur", 4, 5, ("B", "C", "both")[w]) for item in items for w in range(3)]
    return pd.DataFrame(
        rows, columns=["item", "grouping", "class_name", "worker", "short", "long", "ease", "confidence", "useful"]
    )


@pytest.mark.parametrize("name", list(SECTIONS))
def test_every_section_of_a_whole_study(analysis: Analysis, name: str) -> None:
    found = section(analysis, name)
    check(found)
    assert found.id == name
    assert found.banner == analysis.banner
    assert all(figure.banner for figure in found.figures)
    assert all(table.banner for table in found.tables)
    assert any(figure.content for figure in found.figures)
    for figure in found.figures:
        if figure.content:
            assert figure.chart.to_dict()["title"]["text"] == figure.title, "Altair takes it"


@pytest.mark.parametrize(
    "table",
    [
        one_answer().iloc[:0],
        one_answer(),
        one_answer()[["item", "worker", "ease"]],
        one_answer()[["item", "worker", "short"]],
        pd.concat([one_answer(), one_answer().assign(worker="v")]),
        lopsided(),
        unnamed(),
    ],
    ids=["nobody", "one answer", "ease only", "descriptions only", "all the same", "lopsided", "unnamed"],
)
def test_small_empty_and_lopsided_studies_give_defined_answers(table: pd.DataFrame) -> None:
    analysis = Analysis(StudyData.from_answers(table, name="odd"), options=FAST)
    for found in all_sections(analysis):
        check(found)
    for item in analysis.data.items.index:
        assert analysis.item(item).lead


def test_an_unknown_section_is_an_error(analysis: Analysis) -> None:
    with pytest.raises(BarlowError, match="Expected one of: overview, likert"):
        section(analysis, "nothing")


def test_figure_9a_is_the_distribution_over_items(analysis: Analysis) -> None:
    figure = section(analysis, "likert").figures[0]
    ease = figure.data[figure.data["series"] == "Ease"]
    averages = analysis.data.answers.groupby("item")["ease"].mean()
    assert len(ease) == 48
    for row in ease.groupby("average").tail(1).itertuples():
        assert row.share == pytest.approx((averages <= row.average + 1e-9).mean())
    assert ease.set_index("item")["average"].to_dict() == pytest.approx(averages.to_dict())
    assert (figure.paper, figure.opens, figure.selection) == ("Figure 9a", "item", "pick")
    assert figure.file_name("svg") == "figure_9a_ease_and_confidence.svg"


def test_figure_66_has_an_item_a_point(analysis: Analysis) -> None:
    figure = section(analysis, "agreement").figures[0]
    short = figure.data[figure.data["series"] == "Short descriptions"].set_index("item")["agreement"]
    expected = analysis.agreement["short"]["agreement"].dropna().astype(float)
    assert short.sort_index().to_dict() == pytest.approx(expected.sort_index().to_dict())
    assert np.all(np.diff(short.to_numpy()) >= 0)


def test_the_paper_and_its_tables_have_their_places(analysis: Analysis) -> None:
    papers = {part.paper: part.id for one in all_sections(analysis) for part in (*one.figures, *one.tables) if part.paper}
    assert set(papers) == {"Figure 9a", "Figure 9b", "Figure 66", "Table 6", "Table 7", "Section G.3", "Section G.4"}


def test_unknown_words_and_coverage_are_always_shown(analysis: Analysis) -> None:
    found = section(analysis, "agreement")
    assert any("grey" in note for note in found.notes)
    assert any(number.label == "Words with a vector" for number in found.numbers)
    assert next(table for table in found.tables if table.id == "unknown_words").data["word"].tolist() == ["grey"]


def test_a_study_without_clear_differences_still_says_what_it_found() -> None:
    rows = [
        {"item": f"{grouping} {item}", "worker": worker, "grouping": grouping, "ease": 1 + (item + number + shift) % 5}
        for shift, grouping in enumerate(("label", "prediction"))
        for item in range(4)
        for number, worker in enumerate(("u", "v", "w"))
    ]
    analysis = Analysis(StudyData.from_answers(pd.DataFrame(rows), name="even"), options=FAST)
    (delta,) = analysis.differences["delta"].dropna()
    (text,) = section(analysis, "differences").text
    assert "1 comparison of" in text
    assert "the one whose Cliff's delta is furthest from 0: Ease is" in text
    assert f"Cliff's delta {delta:.2f}".replace("-", "−") in text


def test_every_correlation_of_ease_is_in_the_text(analysis: Analysis) -> None:
    rows = analysis.correlations
    text = " ".join(section(analysis, "understanding").text)
    known = rows[(rows["outcome"] == "ease") & rows["p_holm"].notna()]
    assert len(known)
    for row in known.itertuples():
        assert f"{row.rho:.2f}".replace("-", "−") in text
        groups = f"{row.n_classes} groups"
        assert (groups if row.unit == "classes" else f"{row.n} items of {groups}") in text


def test_the_text_on_names_gives_the_best_supported(analysis: Analysis) -> None:
    best = analysis.names.sort_values(["support", "similarity"], ascending=False, kind="stable").iloc[0]
    assert f"“{best['name']}”" in " ".join(section(analysis, "names").text)


def test_facets_are_lines_of_one_scale_each_under_its_name() -> None:
    rows = pd.DataFrame({"part": ["x", "x", "y"], "label": ["a", "b", "a"], "value": 0.5, "low": 0.4, "high": 0.6})
    spec = charts.intervals(rows, x_title="Value", facet="part")
    axis = spec["layer"][0]["encoding"]["y"]
    shown = [place.split(charts.SEPARATOR) for place in axis["scale"]["domain"]]
    assert shown == [["x", ""], ["x", "a"], ["x", "b"], ["", "", "1"], ["y", ""], ["y", "a"]]
    drawn = [record["place"] for record in spec["data"]["values"]]
    assert len(set(drawn)) == 3, "an a of x and an a of y are two lines"
    assert set(drawn) < set(axis["scale"]["domain"])
    figure = Figure("f", "F", "", "", "", rows, content=spec)
    svg = figure.svg().decode()
    assert all(f">{text}</text>" in svg for text in ("x", "y", "a", "b"))
    assert svg.count(">a</text>") == 2


@pytest.mark.parametrize(
    ("column", "expected"),
    [("same_rating", "Same rating"), ("p_holm", "p (Holm)"), ("p", "p"), ("n", "n"), ("n_items", "Items"), ("B", "B")],
)
def test_what_stands_above_a_column(column: str, expected: str) -> None:
    assert heading(column) == expected


@pytest.mark.parametrize("kind", ["object", "category"])
def test_attributes_are_shown_unless_every_items_id_tells_them(kind: str) -> None:
    data = unnamed().astype({"grouping": kind, "class_name": kind})
    names = ("grouping", "class_name", "tier")
    assert attributes_to_show(data, names) == ["grouping", "class_name"]
    assert attributes_to_show(data[data["class_name"].notna()], names) == []
    assert attributes_to_show(data.assign(tier="top").iloc[:0], names) == list(names)
