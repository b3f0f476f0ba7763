"""The analyst's page without a browser: what it says about studies in every state."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import weakref
from collections.abc import Callable, Iterator
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from analysis_study import ITEMS, NASTY, items, make_study
from click.testing import CliRunner
from streamlit.testing.v1 import AppTest

from barlow_core.cli import cli
from barlow_core.storage.shipped import apps_dir
from study.agreement import description_agreement, load_vectors
from study.analysis import Analysis, Filters, load_study
from study.answers.exclusion import ExclusionRule
from study.report import all_sections
from study.report.writing import provenance
from study.setup.frozen_panels import panels_folder
from study.store import StudyStore

Open = Callable[..., AppTest]
SECTIONS = ("overview", "likert", "preferences", "agreement", "reliability", "quality", "differences", "names", "understanding")
PICTURED = range(3)
ITEM = str(items()[0]["id"])
ANALYSES: weakref.WeakSet[Analysis] = weakref.WeakSet()


@pytest.fixture(scope="module", autouse=True)
def analyses_are_known() -> Iterator[None]:
    """Every analysis that a page makes, as long as it keeps it. (Looking through all objects disturbs threads that make tuples.)"""
    made = Analysis.__init__

    def make(self: Analysis, *arguments: Any, **options: Any) -> None:
        made(self, *arguments, **options)
        ANALYSES.add(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Analysis, "__init__", make)
        yield


FENCE = next(str(item["id"]) for item in items() if "fence" in item["id"])


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 simulated answers to 48 items, three of them with pictures."""
    return make_study(tmp_path_factory.mktemp("analyzed") / "study.sqlite", pictures=PICTURED)


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Start the page as `streamlit run apps/analyze.py -- STUDY ...` does, at the address ?page=...&class=..."""
    monkeypatch.syspath_prepend(str(apps_dir()))

    def start(*arguments: Path | str, **parameters: str | list[str]) -> AppTest:
        monkeypatch.setattr(sys, "argv", ["analyze.py", *map(str, arguments)])
        page = AppTest.from_file(str(apps_dir() / "analyze.py"), default_timeout=60)
        for name, value in parameters.items():
            page.query_params[name.rstrip("_")] = value
        return page.run()

    return start


def html(page: AppTest) -> str:
    assert not page.exception, page.exception
    return "\n".join(element.proto.body for element in page.get("html")).replace("\N{NO-BREAK SPACE}", " ")


def heading(page: AppTest) -> str:
    return html(page).split('<h2 class="bw-h2">')[1].split("</h2>")[0]


def kept(page: AppTest) -> str:
    return html(page).split('<p class="bw-kept">')[1].split("</p>")[0]


def address(page: AppTest) -> dict[str, list[str]]:
    return {name: value if isinstance(value, list) else [value] for name, value in page.query_params.items()}


def errors(page: AppTest) -> str:
    assert not page.exception, page.exception
    return "\n".join(element.value for element in page.error).replace("\\", "")


def warnings(page: AppTest) -> str:
    assert not page.exception, page.exception
    return "\n".join(element.value for element in page.warning).replace("\\", "")


def answers(study: Path) -> pd.DataFrame:
    with StudyStore(study) as store:
        return store.answers(pseudonymous=True)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_says_its_n_and_that_it_is_simulated(study: Path, open_page: Open, section: str) -> None:
    page = open_page(study, page=section)
    text = html(page)
    assert "240 answers of 24 workers about 48 items" in kept(page)
    assert 'class="bw-banner"' in text
    assert "imulated" in text.split('class="bw-banner"')[1].split("</div>")[0]
    assert "nan" not in text.lower().split()
    downloads = [button.label for button in page.get("download_button")]
    assert "CSV" in downloads
    folds = [fold.label for fold in page.expander]
    assert "How this was computed" in folds


def test_answers_of_people_carry_no_banner(tmp_path: Path, open_page: Open) -> None:
    text = html(open_page(make_study(tmp_path / "people.sqlite", simulated=False, n_answers=30)))
    assert 'class="bw-banner"' not in text


def test_filters_strike_every_number_and_stand_in_the_address(study: Path, open_page: Open) -> None:
    table = answers(study)
    page = open_page(study, page="likert")
    page.multiselect(key="choose classes").set_value(["tiger"]).run()
    some = table[table["class_name"] == "tiger"]
    assert kept(page).startswith(f"{len(some)} answers of {some['worker'].nunique()} workers about 8 items")
    assert "tiger" in kept(page)
    assert address(page) == {"page": ["likert"], "class": ["tiger"]}
    assert heading(page) == heading(open_page(study, page="likert")), "the page stays"
    page.query_params["tier"] = ["top"]
    page.query_params["grouping"] = ["label"]
    page.run()
    some = some[some["grouping"] == "label"]
    assert kept(page).startswith(f"{len(some)} answers of {some['worker'].nunique()} workers about 4 items")
    (reset,) = [button for button in page.button if button.label == "Show the whole study"]
    reset.click().run()
    assert kept(page).startswith("240 answers")
    assert address(page) == {"page": ["likert"]}


def test_workers_who_failed_checks_can_be_left_out(study: Path, open_page: Open) -> None:
    with StudyStore(study) as store:
        workers = store.workers()
    passed = workers[workers["checks_passed"] == workers["checks"]]["pseudonym"]
    assert 0 < len(passed) < 24
    page = open_page(study)
    page.toggle(key="choose checks").set_value(True).run()
    assert kept(page).startswith(f"{answers(study)['worker'].isin(passed).sum()} answers of {len(passed)} workers")
    assert address(page) == {"checks": ["passed"]}


def test_days_and_platforms(study: Path, open_page: Open) -> None:
    table = answers(study)
    first = table["submitted_at"].min().date()
    page = open_page(study, until=first.isoformat(), platform="prolific")
    some = table[(table["submitted_at"].dt.date <= first) & (table["platform"] == "prolific")]
    assert 0 < len(some) < 240
    assert kept(page).startswith(f"{len(some)} answers of {some['worker'].nunique()} workers")


def test_a_filter_that_keeps_nothing_says_so(study: Path, open_page: Open) -> None:
    page = open_page(study, since="2031-01-01")
    assert "No answers are left with these filters" in page.info[0].value
    assert not page.exception


def test_an_address_that_means_nothing_here(study: Path, open_page: Open) -> None:
    page = open_page(study, page="unicorns", class_="unicorn", tier="purple", since="yesterday", checks="maybe", vectors="/etc/x")
    assert "no class called unicorn" in warnings(page)
    assert "word vectors that this page was not started with" in warnings(page)
    assert kept(page).startswith("240 answers")
    assert address(page) == {}


def test_an_item_shows_its_pictures_and_answers_as_typed(study: Path, open_page: Open) -> None:
    text = html(open_page(study, item=ITEM))
    assert "Feature 1 of tiger, by label" in text
    assert text.count("<img") == 9
    rows = answers(study).query("item == @ITEM")
    for typed in rows["long"]:
        assert escape(typed) in text
    agreement = description_agreement(list(rows["long"]), load_vectors())
    assert f"<dd>{agreement:.4f}</dd>" in text
    nasty = html(open_page(study, item=FENCE))
    assert "<script>" not in nasty
    assert escape(NASTY) in nasty
    assert "This study has no pictures" in nasty


def test_from_item_to_item_to_worker_and_back(study: Path, open_page: Open) -> None:
    page = open_page(study, page="items")
    assert heading(page) == "All items"
    order = page.dataframe[0].value["item"].tolist()
    assert len(order) == ITEMS
    votes = page.dataframe[0].value.set_index("item")["vote"]
    table = Analysis(load_study(study)).item_table
    assert table["tied"].any()
    assert (votes[table.index[table["tied"]]] == "tie").all(), "a tie is no vote for none"
    assert votes[~votes.eq("tie")].to_dict() == table.loc[~table["tied"], "vote"].to_dict()
    page.query_params["item"] = order[0]
    page.run()
    (following,) = [button for button in page.button if button.label == "Next item"]
    following.click().run()
    assert address(page) == {"page": ["items"], "item": [order[1]]}
    worker = answers(study).query("item == @order[1]")["worker"].iloc[0]
    page.button(key=f"worker {worker}").click().run()
    assert heading(page) == f"Worker {worker}"
    assert address(page) == {"page": ["items"], "worker": [worker]}
    (back,) = [button for button in page.button if button.label == "← Back to the results"]
    back.click().run()
    assert heading(page) == "All items"


def test_items_and_workers_that_are_not_there(study: Path, open_page: Open) -> None:
    assert "has no item 'label:unicorn:1'" in warnings(open_page(study, item="label:unicorn:1"))
    assert "Nobody called 'w-0' has answered" in warnings(open_page(study, worker="w-0"))


def test_pictures_that_somebody_changed_are_not_shown(study: Path, open_page: Open, tmp_path: Path) -> None:
    copy = tmp_path / "study.sqlite"
    with StudyStore(study) as store:
        store.backup(copy)
    shutil.copytree(panels_folder(study), panels_folder(copy))
    (panels_folder(copy) / "item-0" / "a_1.png").write_bytes(b"something else")
    text = html(open_page(copy, item=ITEM))
    assert "are not what was frozen with the study" in text
    assert "<img" not in text
    assert "What people said" in text


def test_a_study_that_waits_for_its_first_answer(tmp_path: Path, open_page: Open) -> None:
    study = make_study(tmp_path / "new.sqlite", n_answers=0)
    page = open_page(study)
    assert "48 items are waiting" in page.info[0].value
    assert f"barlow study serve {study}" in page.code[0].value
    assert not page.exception


def test_new_answers_are_there_at_the_next_look(tmp_path: Path, open_page: Open) -> None:
    study = make_study(tmp_path / "running.sqlite", n_answers=0)
    page = open_page(study)
    with StudyStore(study) as store:
        item = store.claim("somebody")
        assert item is not None
        store.submit("somebody", item.id, {"short": "fur", "long": "fur of a cat", "ease": 4, "confidence": 4, "useful": "B"})
    assert kept(page.run()).startswith("1 answer of 1 worker about 1 item")


@pytest.mark.parametrize("n_workers", [1, 2])
def test_lopsided_studies_say_what_cannot_be_said(n_workers: int, open_page: Open, tmp_path: Path) -> None:
    page = open_page(make_study(tmp_path / "study.sqlite", n_workers=n_workers, n_answers=6, simulated=False))
    for section in SECTIONS:
        page.query_params["page"] = section
        text = html(page.run())
        assert kept(page).startswith(f"6 answers of {n_workers} worker")
        assert not {"nan", "none</dd>", "<na>"} & set(text.lower().split()), section


def test_without_a_study(open_page: Open, tmp_path: Path) -> None:
    assert "streamlit run apps/analyze.py -- STUDY" in errors(open_page())
    assert "No study found" in errors(open_page(tmp_path / "nowhere.sqlite"))
    (tmp_path / "text.sqlite").write_text("not a study", encoding="utf-8")
    assert "is not a study file" in errors(open_page(tmp_path / "text.sqlite"))
    assert "argument --vectors: expected one argument" in errors(open_page(tmp_path / "x.sqlite", "--vectors"))
    assert "it shows one" in errors(open_page("a.sqlite", "b.sqlite"))


def test_departures_from_the_paper_are_said(study: Path, open_page: Open) -> None:
    page = open_page(study, page="agreement")
    assert "the paper&#x27;s rule" in html(page)
    page.checkbox(key="choose spelling").check().run()
    assert "departs from the paper&#x27;s rule: spelling" in html(page)
    assert address(page) == {"page": ["agreement"], "spelling": ["1"]}


def test_vectors_of_ones_own(study: Path, open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARLOW_CACHE", str(tmp_path / "cache"))
    words = {"striped": "1 0", "fur": "0 1", "glass": "1 1"}
    own = tmp_path / "own.txt"
    own.write_text(f"{len(words)} 2\n" + "".join(f"{word} {vector}\n" for word, vector in words.items()), encoding="utf-8")
    page = open_page(study, "--vectors", own, page="agreement")
    assert "Google News" in html(page)
    page.selectbox(key="choose vectors").select(str(own)).run()
    text = html(page)
    assert "own.txt" in text.split('class="bw-words"')[1]
    unknown = [fold.label for fold in page.expander if "unknown word" in fold.label]
    assert len(unknown) == 1
    (tmp_path / "own.txt").unlink()
    missing = open_page(study, "--vectors", own, page="agreement", vectors=str(own), plurals="1")
    assert "no such file" in errors(missing)


def table_of_elsewhere(path: Path, study: Path, **columns: str) -> Path:
    """The answers as a CSV with other names of columns."""
    table = answers(study)[["item", "worker", "short", "long", "ease", "confidence", "useful"]]
    table.rename(columns=columns).to_csv(path, index=False)
    return path


def test_a_table_of_answers_from_elsewhere(study: Path, open_page: Open, tmp_path: Path) -> None:
    page = open_page(table_of_elsewhere(tmp_path / "batch.csv", study))
    assert kept(page).startswith("240 answers of 24 workers about 48 items")
    assert "This study has no pictures" in html(open_page(tmp_path / "batch.csv", item=ITEM))


def test_what_stands_for_no_value_is_what_the_command_said(tmp_path: Path, study: Path, open_page: Open) -> None:
    path = table_of_elsewhere(tmp_path / "batch.csv", study)
    table = pd.read_csv(path, dtype=str)
    table.loc[0, "ease"] = "skipped"
    table.to_csv(path, index=False)
    assert heading(open_page(path, "--missing", "skipped,NA")) == "The study"
    refused = open_page(path)
    assert heading(refused) == "What does each column hold?"
    assert "'skipped'" in warnings(refused)


def test_columns_are_asked_for(study: Path, open_page: Open, tmp_path: Path) -> None:
    strange = table_of_elsewhere(tmp_path / "strange.csv", study, item="q7", worker="q8", ease="q9")
    page = open_page(strange)
    assert heading(page) == "What does each column hold?"
    for ours, theirs in (("item", "q7"), ("worker", "q8"), ("ease", "q9")):
        page.selectbox(key=f"column {ours}").select(theirs)
    (button,) = [button for button in page.button if button.label == "Open"]
    button.click().run()
    assert kept(page).startswith("240 answers of 24 workers about 48 items")
    assert address(page) == {"columns": ["item=q7,worker=q8,short=short,long=long,ease=q9,confidence=confidence,useful=useful"]}
    again = open_page(strange, columns=address(page)["columns"])
    assert kept(again) == kept(page), "a reload and a link keep it"
    assert kept(open_page(strange, "--columns", "item=q7,worker=q8,ease=q9")).startswith("240 answers")
    assert "is not a mapping" in warnings(open_page(strange, columns="nonsense"))
    assert "has no column 'elsewhere'" in warnings(open_page(strange, columns="item=q7,worker=q8,ease=elsewhere"))


def test_columns_of_an_open_table_can_be_changed(study: Path, open_page: Open, tmp_path: Path) -> None:
    table = table_of_elsewhere(tmp_path / "swapped.csv", study, ease="confidence", confidence="ease")
    page = open_page(table, page="likert")
    (button,) = [button for button in page.button if button.label == "What does each column hold?"]
    button.click().run()
    assert page.selectbox(key="column ease").value == "ease"
    for ours, theirs in (("ease", "confidence"), ("confidence", "ease")):
        page.selectbox(key=f"column {ours}").select(theirs)
    (button,) = [button for button in page.button if button.label == "Open"]
    button.click().run()
    assert "ease=confidence,confidence=ease" in address(page)["columns"][0]
    assert html(page) == html(open_page(table_of_elsewhere(tmp_path / "corrected.csv", study), page="likert")).replace(
        "corrected", "swapped"
    )


def test_two_mappings_of_one_table_are_two_analyses(study: Path, open_page: Open, tmp_path: Path) -> None:
    """What one visitor chose must not be shown to another."""
    table = table_of_elsewhere(tmp_path / "both.csv", study)
    page = open_page(table, page="likert", columns="ease=confidence,confidence=ease")
    assert html(page) != html(open_page(table, page="likert"))
    assert kept(page).startswith("240 answers")


def test_columns_for_a_study_file_are_no_columns(study: Path, open_page: Open) -> None:
    assert "is a study file" in errors(open_page(study, "--columns", "ease=q9"))
    page = open_page(study, columns="ease=q9")
    assert kept(page).startswith("240 answers")
    assert address(page) == {}


def test_a_table_that_is_wrong_says_where(study: Path, open_page: Open, tmp_path: Path) -> None:
    path = table_of_elsewhere(tmp_path / "wrong.csv", study)
    table = pd.read_csv(path)
    table.loc[3, "ease"] = 9
    table.to_csv(path, index=False)
    page = open_page(path)
    assert "\n- line 5, column 'ease': '9'; expected a whole number from 1 to 5" in warnings(page)
    table["ease"] = "*9*"
    table.to_csv(path, index=False)
    (said,) = open_page(path).warning
    listed = [line for line in said.value.split("\n") if line.startswith("- ")]
    assert len(listed) == 11
    assert listed[0].startswith(r"- line 2, column 'ease'\: '\*9\*'; expected"), "no Markdown"
    assert listed[-1] == "- ... and 230 more."


def test_a_table_whose_rows_do_not_fit_is_not_asked_about(study: Path, open_page: Open, tmp_path: Path) -> None:
    path = tmp_path / "shifted.csv"
    path.write_text("item,worker,short,long\na,w,striped, fur,x\nb,w,glass\n", encoding="utf-8")
    page = open_page(path)
    assert heading(page) == "This table cannot be read"
    assert "- line 2: 5 fields; expected 4, as in the header\n- line 3: 3 fields" in warnings(page)
    assert not page.selectbox


def analysis_at_the_terminal(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> Analysis:
    """What the command on the page analyses."""
    made: list[Analysis] = []
    monkeypatch.setattr("study.report.write_report", lambda analysis, folder, **_: made.append(analysis) or folder)
    (command,) = [code.value for code in page.code if code.value.startswith("barlow")]
    result = CliRunner().invoke(cli, shlex.split(command)[1:])
    assert result.exit_code == 0, (command, result.output)
    return made[0]


def on_the_page(made: Analysis) -> Analysis:
    """The analysis that the page keeps, of the same study and part of it."""
    (shown,) = [
        one for one in list(ANALYSES) if one is not made and (one.study.name, one.filters) == (made.study.name, made.filters)
    ]
    return shown


def assert_same_results(one: Analysis, other: Analysis) -> None:
    assert provenance(one) == provenance(other)
    for left, right in zip(all_sections(one), all_sections(other), strict=True):
        assert (left.lead, left.text, left.numbers, left.notes) == (right.lead, right.text, right.numbers, right.notes)
        assert [table.csv() for table in left.tables] == [table.csv() for table in right.tables]


def test_the_command_on_the_page_makes_the_same_report(study: Path, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    classes = ["scuba diver", "<b>fence</b> *x*", "tiger", "malinois"]
    given = {"class_": classes, "platform": "prolific", "since": "2025-10-19", "spelling": "1", "plurals": "1"}
    page = open_page(study, page="report", exclude="1", rule="-,1/2,0.9,-,5,1,1", **given)
    made = analysis_at_the_terminal(page, monkeypatch)
    assert len(made.excluded_workers) > 0
    assert made.options.rule == ExclusionRule(None, 0.5, 0.9, None, 5, 1, 1)
    assert made.filters == Filters(classes=tuple(classes), platforms=("prolific",), since=date(2025, 10, 19))
    assert_same_results(on_the_page(made), made)


def test_the_command_on_the_page_names_the_columns(
    study: Path, open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"item": "which, and where", "worker": "who's", "ease": "q9"}
    table = table_of_elsewhere(tmp_path / "it's elsewhere.csv", study, **names)
    page = open_page(table, "--columns", json.dumps(names), page="report", columns="useful=")
    assert address(page) == {"page": ["report"], "columns": ["useful="]}
    made = analysis_at_the_terminal(page, monkeypatch)
    assert made.study.name == "it's elsewhere.csv"
    assert not made.study.has("useful")
    assert len(made.study.answers) == 240
    assert_same_results(on_the_page(made), made)


def test_the_rule_of_exclusion_can_be_changed(study: Path, open_page: Open) -> None:
    page = open_page(study, page="quality")
    assert "The rule would leave out 2 of 24 workers" in html(page)
    for name in ("checks_passed", "fast", "copied"):
        page.number_input(key=f"choose {name}").set_value(None)
        page.run()
    page.number_input(key="choose same_rating").set_value(1.0).run()
    assert address(page) == {"page": ["quality"], "rule": ["-,-,1,-,5,2,2"]}
    page.number_input(key="choose signals").set_value(1).run()
    page.toggle(key="choose exclude").set_value(True).run()
    counted = answers(study)
    sloppy = counted.groupby("worker")["seconds"].median().nsmallest(2).index
    assert kept(page).startswith(f"{(~counted['worker'].isin(sloppy)).sum()} answers of 22 workers")
    assert "Without excluded workers." in kept(page)
    assert kept(open_page(study, rule="-,-,1,-,5,1,2", exclude="1")) == kept(page), "the address says it all"
    strange = open_page(study, rule="nonsense")
    assert kept(strange).startswith("240 answers")
    assert "The default rule is used." in warnings(strange)
    assert address(strange) == {}


def test_what_comes_from_the_study_stays_text_in_markdown(study: Path, open_page: Open) -> None:
    name = "<b>fence</b> *x*"
    page = open_page(study, page="likert", class_=name)
    assert escape(name) in kept(page)
    (fold, *_) = [element.value for element in page.markdown if "Formula" in element.value]
    assert r"\<b\>fence\</b\> \*x\*" in fold


def test_the_other_sections_are_computed_ahead(study: Path, open_page: Open) -> None:
    open_page(study)
    from analyzing import source

    _, busy = source._warmed()
    with busy:  # held as long as sections are computed, perhaps those of another page
        pass
    open_page(study, tier="middle")
    with busy:
        pass
    found = [analysis for analysis in list(ANALYSES) if analysis.filters.tiers == ("middle",)]
    assert any("differences" in vars(analysis) for analysis in found)
