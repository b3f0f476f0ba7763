from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from barlow_core.errors import BarlowError
from study.agreement.cosine import description_agreement
from study.analysis import Analysis, AnalysisOptions, Filters, StudyData, item_panel
from study.answers.exclusion import ExclusionRule


def test_every_result_follows_the_filters(data: StudyData, analysis: Analysis) -> None:
    part = Analysis(data, filters=Filters(tiers=("top",)), options=AnalysisOptions(replicates=50))
    kept = data.answers[data.answers["tier"] == "top"]
    assert part.overview.n_answers == part.above["ease",].share.n == len(kept)
    assert part.preferences.query("part == 'all'")["n"].unique().tolist() == [len(kept)]
    assert set(part.item_table.index) == set(kept["item"])
    assert part.alphas["n"].unique().tolist() == [len(kept)]
    assert part.splits == ("grouping",), "one tier is all there is"
    assert part.n_text == f"{len(kept)} answers of {kept['worker'].nunique()} workers about 16 items"
    assert analysis.n_text.endswith("about 48 items")


def test_the_rule_is_shown_or_applied(data: StudyData) -> None:
    shown = Analysis(data, options=AnalysisOptions(replicates=50))
    applied = Analysis(data, options=AnalysisOptions(replicates=50, exclude=True))
    assert len(shown.excluded_workers) == len(applied.excluded_workers) == 2
    lost = data.answers["worker"].isin(shown.excluded_workers).sum()
    assert len(shown.data.answers) - len(applied.data.answers) == lost
    effect = shown.effect_of_exclusions
    assert effect.loc["answers", "change"] == -lost
    assert effect.loc["mean ease", "kept"] == pytest.approx(applied.averages.iloc[0]["value"])
    assert effect.loc["mean agreement of short descriptions", "kept"] == pytest.approx(applied.mean_agreement["short"].value)
    assert effect.loc["mean agreement of short descriptions", "all"] == pytest.approx(shown.mean_agreement["short"].value)
    pd.testing.assert_frame_equal(effect, applied.effect_of_exclusions)
    nobody = Analysis(data, options=AnalysisOptions(rule=None, exclude=True))
    assert len(nobody.excluded_workers) == 0
    strict = Analysis(data, options=AnalysisOptions(rule=ExclusionRule(checks_passed=1.0)))
    assert len(strict.excluded_workers) >= 2


def test_workers_are_judged_by_all_of_their_answers(data: StudyData) -> None:
    part = Analysis(data, filters=Filters(classes=("tiger",)))
    assert part.worker_table["n"].sum() == len(data.answers)
    assert part.worker_table["answers_kept"].sum() == (data.answers["class_name"] == "tiger").sum()


def test_one_item(data: StudyData, analysis: Analysis) -> None:
    item = str(data.answers["item"].iloc[0])
    view = analysis.item(item)
    mine = data.answers[data.answers["item"] == item]
    assert view.answers["short"].tolist() == mine["short"].tolist()
    assert view.ease == pytest.approx(mine["ease"].mean())
    assert view.votes == mine["useful"].value_counts().reindex(["B", "C", "both", "none"], fill_value=0).to_dict()
    assert view.agreement["short"].value == description_agreement(mine["short"].tolist(), analysis.vectors)
    assert view.name == analysis.names.loc[item, "name"]
    assert view.title.startswith("Feature ")
    assert f"average ease {view.ease:.1f}" in view.lead
    assert set(view.attributes) >= {"Class", "Error rate of the class", "Feature"}
    assert view.n_descriptions == mine["short"].notna().sum()
    assert f"supported by {view.support} of {view.n_descriptions} descriptions" in view.lead
    with pytest.raises(BarlowError, match="no item 'nothing'"):
        analysis.item("nothing")
    elsewhere = Analysis(data, filters=Filters(classes=("malinois",))).item(item)
    assert elsewhere.lead.startswith("Nobody described it")
    assert (elsewhere.ease, elsewhere.vote, elsewhere.agreement["short"].value) == (None, None, None)


def test_support_is_told_of_descriptions_not_of_answers() -> None:
    table = pd.DataFrame({"item": "a", "worker": list("uvwxyz"), "short": ["fur", "red fur", None, None, "", None], "ease": 4})
    view = Analysis(StudyData.from_answers(table)).item("a")
    assert view.lead.startswith("6 answers: “fur”, supported by 2 of 2 descriptions;")


def test_one_worker(data: StudyData, analysis: Analysis) -> None:
    worker = analysis.excluded_workers[0]
    view = analysis.worker(worker)
    assert view.excluded
    assert view.lead.startswith("The rule excludes this worker: checks passed")
    assert view.answers["item"].tolist() == data.answers.loc[data.answers["worker"] == worker, "item"].tolist()
    none = Analysis(data, options=AnalysisOptions(rule=None)).worker(worker)
    assert none.lead.startswith("No exclusion rule is set; ")
    with pytest.raises(BarlowError, match="Nobody called 'x'"):
        analysis.worker("x")


def test_pictures_of_an_item(data: StudyData) -> None:
    first, second = data.items.index[:2]
    assert item_panel(data, first).images[0].image == "a_0.png"
    with pytest.raises(BarlowError, match="This study has no pictures"):
        item_panel(data, second)


def test_the_banner_says_how_many_answers_are_not_peoples(data: StudyData) -> None:
    some = StudyData.from_answers(data.answers.assign(simulated=[True, *[False] * (len(data.answers) - 1)]))
    assert Analysis(some).banner == f"Contains simulated data: 1 of {len(data.answers)} answers are not those of people."
    assert Analysis(some, filters=Filters(simulated="people")).banner is None
    assert Analysis(data).banner == "Simulated data: no answer is a person's."


def test_the_paper_items_come_out(analysis: Analysis) -> None:
    found = analysis.paper_agreement.set_index("class_name")
    assert round(found.loc["greenhouse", "computed"], 4) == 0.4094
    assert round(found.loc["great white shark", "computed"], 4) == 0.1564
    covered = found[found["unknown"].map(len) == 0]
    assert found.loc[["greenhouse", "great white shark"], "same"].all()
    assert set(covered.index) >= {"greenhouse", "great white shark"}
    assert found["computed"].notna().all()


def test_names_for_the_failure_browser(analysis: Analysis) -> None:
    found = analysis.names_for_run
    assert found.columns.tolist() == ["group", "feature", "name", "support", "n", "similarity", "simulated"]
    assert len(found) == 48
    assert found["feature"].dtype == "int64"
    bare = StudyData.from_answers(pd.DataFrame({"item": ["a"], "worker": ["w"], "short": ["fur"]}))
    assert Analysis(bare).names_for_run.empty


def test_a_file_of_vectors_is_pruned_once_for_all_filters(
    tmp_path: Path, data: StudyData, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("4 2\nstriped 1 0\nfur 0 1\ndog 1 1\nface 1 -1\n")
    whole = Analysis(data, vectors=path, cache=tmp_path / "cache")
    assert whole.coverage.known > 0
    assert whole.vectors_text == "vectors.txt"
    assert "glass" in set(whole.coverage.unknown["word"])
    from study.agreement import word_vectors

    monkeypatch.setattr(word_vectors, "_read", lambda *_: pytest.fail("the file is read from end to end again"))
    part = Analysis(data, filters=Filters(tiers=("top",)), vectors=path, cache=tmp_path / "cache")
    assert part.coverage.known > 0
    assert part.paper_agreement.set_index("class_name").loc["greenhouse", "same"], "by the vectors that ship"


@pytest.mark.parametrize(
    "options", [{"threshold": 6}, {"replicates": 0}, {"confidence": 1.0}, {"min_answers": 0}, {"k_examples": 0}]
)
def test_settings_that_make_no_sense_are_errors(options: dict[str, float]) -> None:
    with pytest.raises(BarlowError, match="expected"):
        AnalysisOptions(**options)  # type: ignore[arg-type]
