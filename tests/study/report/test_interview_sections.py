"""What a report says of interviews: the paper's own tables as it prints them, and a study of simulated participants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from analysis_study import make_study
from interviewed import go_through, groupings, join
from paper_interviews import paper_interviews

from study.analysis import Analysis, AnalysisOptions, Filters, StudyData, load_study
from study.participants.simulated_interviews import simulate_interviews
from study.protocol import Protocol
from study.report import INTERVIEW_SECTIONS, Section, report_html, report_pdf, section, sections_of
from study.store import StudyStore

FAST = AnalysisOptions(replicates=20)


def shown(found: Section, name: str) -> list[list[str]]:
    (one,) = [table for table in found.tables if table.id == name]
    return [[str(cell) for cell in row] for row in one.shown.values.tolist()]


def test_the_papers_tables_8_and_9_are_printed_back(data: StudyData) -> None:
    found = section(Analysis(replace(data, interviews=paper_interviews()), options=FAST), "practitioners")
    assert found.banner is None
    assert shown(found, "roles_and_experience") == [
        ["Role", "ML Engineer", "5 [P2, P4, P5, P11, P18]"],
        ["Role", "Applied Scientist", "2 [P9, P12]"],
        ["Role", "Researcher", "4 [P1, P7, P16, P17]"],
        ["Role", "Data Scientist", "3 [P10, P20, P21]"],
        ["Role", "Other", "0"],
        ["Experience in ML", "1 - 2 years", "1 [P2]"],
        ["Experience in ML", "2 - 5 years", "4 [P5, P10, P11, P20]"],
        ["Experience in ML", "5 - 10 years", "5 [P4, P7, P16, P17, P18]"],
        ["Experience in ML", "> 10 years", "4 [P1, P9, P12, P21]"],
    ]
    assert [[cell.replace("\xa0", " ") for cell in row] for row in shown(found, "first_groupings")] == [
        ["Barbershop", "prediction", "68.32 %", "3 [P10, P18, P20]"],
        ["Park Bench", "label", "33.31 %", "3 [P9, P11, P17]"],
        ["Seat Belt", "label", "33.23 %", "4 [P2, P4, P12, P21]"],
        ["Steam Locomotive", "label", "6.69 %", "1 [P1]"],
        ["Tiger Cat", "label", "77.15 %", "3 [P5, P7, P16]"],
    ]
    assert [table.paper for table in found.tables][:2] == ["Table 8", "Table 9"]
    assert "5 ML Engineer, 2 Applied Scientist, 4 Researcher and 3 Data Scientist" in found.text[0]


@pytest.fixture(scope="module")
def interviewed(tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    path = make_study(tmp_path_factory.mktemp("interviewed") / "study.sqlite", n_answers=40)
    with StudyStore(path) as store:
        store.interviews.create(Protocol(easy_rule="Chosen by hand."), groupings())
        simulate_interviews(store, 14, seed=3)
    return load_study(path)


@pytest.fixture(scope="module")
def analysis(interviewed: StudyData) -> Analysis:
    return Analysis(interviewed, options=FAST)


@pytest.mark.parametrize("name", list(INTERVIEW_SECTIONS))
def test_every_figure_and_table_of_a_whole_study_can_be_made(analysis: Analysis, name: str) -> None:
    found = section(analysis, name)
    assert found.banner == "Simulated data: no participant is a person."
    assert found.figures
    for figure in found.figures:
        assert figure.reason is None
        assert figure.banner == found.banner
        assert b"<svg" in figure.svg()
        assert figure.csv().decode().splitlines()[0].endswith("simulated")
    for table in found.tables:
        assert table.reason is None, (table.id, table.reason)
        assert len(table.shown)
        assert table.csv().decode().splitlines()[0].endswith("simulated")
    for text in (found.lead, *found.text, *found.notes):
        assert "nan" not in text.lower().split()
        assert "  " not in text


def test_figure_10_and_11_and_the_two_coders_are_there(analysis: Analysis) -> None:
    found = section(analysis, "mitigation")
    assert [figure.paper for figure in found.figures] == ["Figure 10", "Figure 11"]
    kappa = shown(found, "coders_actions")
    assert kappa[0][0] == "All codes together"
    assert 0 < float(kappa[0][1].split()[0]) < 1
    survey = shown(found, "agreement_with_statements_table")
    assert [sum(map(int, row[1:6])) for row in survey] == [14] * 6
    # Of the survey there are sums only.
    assert list(found.figures[1].data.columns) == ["label", "level", "left", "right", "share", "count", "n"]


def test_a_study_without_interviews_has_no_such_sections(data: StudyData) -> None:
    assert not set(sections_of(data)) & set(INTERVIEW_SECTIONS)
    with pytest.raises(Exception, match="No section is called 'mitigation'"):
        section(Analysis(data, options=FAST), "mitigation")


def test_nobody_yet_is_said(data: StudyData, tmp_path: Path) -> None:
    store = StudyStore.create(tmp_path / "study.sqlite", items=["a"])
    store.interviews.create(Protocol(), groupings())
    for invited, words in ((0, "0 people were invited"), (1, "1 person was invited")):
        if invited:
            store.interviews.invite("x")
        found = section(Analysis(load_study(store.path), options=FAST), "practitioners")
        assert words in found.lead
        assert all(figure.reason for figure in found.figures)
    found = section(Analysis(load_study(store.path), options=FAST), "mitigation")
    assert found.lead == "Nobody has said yet what they would do about the failures."
    assert found.figures[1].reason == "nobody's closing survey is counted"


def test_the_survey_of_one_person_is_nowhere(tmp_path: Path) -> None:
    store = StudyStore.create(tmp_path / "study.sqlite", items=["a"])
    store.interviews.create(Protocol(), groupings())
    go_through(store.interviews, join(store.interviews), level=2)
    found = section(Analysis(load_study(store.path), options=FAST), "mitigation")
    assert found.figures[1].reason == "the closing survey is shown from 5 answers on"
    assert found.banner is None
    assert "1 closing survey is not in these sums yet" in found.notes[0]
    assert {cell for row in shown(found, "agreement_with_statements_table") for cell in row[1:6]} == {"0"}


def test_people_and_simulations_are_told_apart(interviewed: StudyData, tmp_path: Path) -> None:
    only = Analysis(interviewed, filters=Filters(simulated="people"), options=FAST)
    assert "Nobody has registered" in section(only, "practitioners").lead
    assert section(only, "mitigation").banner is None
    assert section(only, "mitigation").figures[1].reason == "nobody's closing survey is counted"


def test_documents_and_files_have_the_interviews(analysis: Analysis) -> None:
    made = [section(analysis, name) for name in INTERVIEW_SECTIONS]
    assert list(sections_of(analysis.study))[-2:] == list(INTERVIEW_SECTIONS)
    names = {one.file_name("csv") for part in made for one in (*part.figures, *part.tables)}
    assert {"table_8_roles_and_experience.csv", "table_9_first_groupings.csv", "figure_10_action_items.csv"} <= names
    assert {"figure_11_agreement_with_statements.csv", "quotes.csv", "coders_actions.csv"} <= names
    html = report_html(analysis, made).decode()
    assert "What participants would do about the failures" in html
    assert report_pdf(analysis, made).startswith(b"%PDF")
