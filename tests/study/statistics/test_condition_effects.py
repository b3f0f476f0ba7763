"""Conditions compared on every headline number, against numbers worked out another way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import krippendorff
import numpy as np
import pandas as pd
import pytest
from scipy.stats import t, ttest_rel

from barlow_core.errors import BarlowError
from study.analysis import Analysis, AnalysisOptions, StudyData, load_study
from study.answers.filters import Filters
from study.participants.simulation import simulate
from study.report.sections import section, sections_of
from study.statistics.condition_effects import condition_effects, condition_sizes, p_of_resamples
from study.statistics.likert import items_above
from study.store import StudyStore

EASE = {
    "robust": [[4, 5, 4], [3, 3, 4], [2, 3, 1], [5, 5, 4], [3, 4, 4]],
    "standard": [[3, 4, 4], [2, 3, 3], [1, 1, 2], [4, 5, 3], [3, 2, 4]],
}


def table() -> pd.DataFrame:
    """Five pairs, three workers who answer all of them."""
    rows = [
        {"item": f"{name}:{pair}", "worker": f"w{worker}", "condition": name, "pair": f"p{pair}", "ease": value, "confidence": 3,
         "useful": "B" if value > 3 else "C", "short": "fur", "long": "fur"}
        for name, pairs in EASE.items() for pair, values in enumerate(pairs) for worker, value in enumerate(values)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def effects() -> pd.DataFrame:
    return condition_effects(table(), replicates=200).set_index("measure")


def test_means_and_shares_are_those_of_each_condition_and_their_difference(effects: pd.DataFrame) -> None:
    means = {name: np.mean(values) for name, values in EASE.items()}
    row = effects.loc["mean ease"]
    assert (row["first"], row["second"]) == ("robust", "standard")
    assert (row["value_first"], row["value_second"]) == pytest.approx((means["robust"], means["standard"]))
    assert row["difference"] == pytest.approx(means["robust"] - means["standard"])
    assert row["low"] < row["difference"] < row["high"]
    assert (row["n_pairs"], row["n_workers"], row["n_workers_both"]) == (5, 3, 3)
    above = {name: np.mean(np.array(values) > 3) for name, values in EASE.items()}
    assert effects.loc["share of answers for B", "difference"] == pytest.approx(above["robust"] - above["standard"])
    assert effects.loc["share of answers for B minus share for C", "value_first"] == pytest.approx(2 * above["robust"] - 1)
    # Ease and confidence above 3 at once: confidence is 3 everywhere, so that no item is.
    assert effects.loc["share of items with ease and confidence above 3", "difference"] == 0
    holm = effects["p_holm"].dropna()
    assert (holm >= effects.loc[holm.index, "p"]).all()
    assert effects.loc["mean confidence", ["p", "low"]].isna().all()


def test_shares_of_items_are_those_of_the_other_sections(effects: pd.DataFrame) -> None:
    answers = table().assign(confidence=lambda made: made["ease"])
    row = condition_effects(answers, replicates=200).set_index("measure").loc["share of items with ease and confidence above 3"]
    for side in ("first", "second"):
        part = answers[answers["condition"] == row[side]]
        assert row[f"value_{side}"] == items_above(part).share.value
    assert row["difference"] == pytest.approx(4 / 5 - 2 / 5)
    assert row["low"] < row["difference"] < row["high"]


def test_alpha_leaves_out_one_pair_after_the_other(effects: pd.DataFrame) -> None:
    def alpha(name: str, without: int | None = None) -> float:
        data = np.array([values for pair, values in enumerate(EASE[name]) if pair != without], dtype=float).T
        return float(krippendorff.alpha(reliability_data=data, level_of_measurement="ordinal", value_domain=[1, 2, 3, 4, 5]))

    row = effects.loc["alpha of ease"]
    assert row["difference"] == pytest.approx(alpha("robust") - alpha("standard"))
    left = np.array([alpha("robust", pair) - alpha("standard", pair) for pair in range(5)])
    error = np.sqrt(4 / 5 * ((left - left.mean()) ** 2).sum())
    assert row["high"] - row["difference"] == pytest.approx(t.ppf(0.975, 4) * error)
    assert row["p"] == pytest.approx(2 * t.sf(abs(row["difference"]) / error, 4))


def test_one_answer_a_pair_of_a_worker_of_its_own_is_the_test_of_pairs() -> None:
    numbers = np.array([[4, 5, 2, 3, 5, 4, 1, 3], [3, 3, 2, 1, 4, 4, 2, 1]])
    rows = [
        {"item": f"{c}:{pair}", "worker": f"w{pair}", "condition": "ab"[c], "pair": str(pair), "ease": value, "confidence": value, "useful": "B"}
        for c, values in enumerate(numbers) for pair, value in enumerate(values)
    ]  # fmt: skip
    row = condition_effects(pd.DataFrame(rows), replicates=50).set_index("measure").loc["mean ease"]
    assert row["p"] == pytest.approx(ttest_rel(*numbers).pvalue)
    unpaired = condition_effects(pd.DataFrame(rows).drop(columns="pair"), replicates=50).set_index("measure").loc["mean ease"]
    assert unpaired["n_pairs"] == 0
    assert unpaired["p"] > row["p"], "one answer an item: what items have in common is not known"


def test_p_of_resamples_by_hand() -> None:
    assert p_of_resamples(np.array([0.1] * 97 + [-0.1] * 2)) == pytest.approx(2 * 3 / 100)
    assert p_of_resamples(np.array([0.1] * 99)) == pytest.approx(2 / 100)
    assert p_of_resamples(np.array([0.1, -0.1, np.nan])) == 1


# --- a whole study


def items(n: int) -> list[dict[str, Any]]:
    return [
        {"id": f"{name}:{i}", "condition": name, "pair": f"pair {i}", "class_name": f"c{i % 4}", "grouping": "label",
         "group": f"label:c{i % 4}", "feature": i + 100 * (name == "standard"), "rank": 1, "tier": "top"}
        for i in range(n) for name in ("robust", "standard")
    ]  # fmt: skip


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    """Workers see one condition each; standard features are much less clear."""
    path = tmp_path_factory.mktemp("conditions") / "study.sqlite"
    made_by = {
        "extractor": {"fingerprint": "r"},
        "conditions": {n: {"extractor": {"fingerprint": n[0]}} for n in ("robust", "standard")},
    }
    with StudyStore.create(path, items=items(10), answers_per_item=4, condition_design="between", provenance=made_by) as store:
        simulate(store, seed=2, clarity={"standard": -0.6}, stamina=6)
    return load_study(path)


def test_a_simulated_effect_is_found_and_said(compared: StudyData) -> None:
    analysis = Analysis(compared, options=AnalysisOptions(replicates=200))
    sizes = analysis.condition_sizes.set_index("condition")
    assert sizes["items"].tolist() == sizes["paired"].tolist() == [10, 10]
    assert (sizes["workers"] == sizes["workers_only"]).all()
    row = analysis.condition_effects.set_index("measure").loc["mean ease"]
    assert row["p_holm"] < 0.05
    assert row["n_workers_both"] == 0
    assert {f"mean agreement of {kind} descriptions" for kind in ("short", "long", "concatenated")} <= set(
        analysis.condition_effects["measure"]
    )
    made = section(analysis, "conditions")
    assert "Every worker answered in one condition only (robust: " in made.text[0]
    assert any(line.startswith("Mean ease: higher for robust than for standard (") for line in made.text)
    assert [figure.reason for figure in made.figures] == [None, None]
    assert b"standard" in made.tables[0].csv()
    assert set(compared.of_its_run["condition"]) == {"robust"}
    assert analysis.names_for_run["feature"].max() < 100, "names of the network of the run only"


def test_one_condition_alone_can_be_looked_at(compared: StudyData) -> None:
    analysis = Analysis(compared, filters=Filters(conditions=("robust",)), options=AnalysisOptions(replicates=50))
    assert set(analysis.data.answers["condition"]) == {"robust"}
    assert analysis.data.n_items == 10
    assert "condition robust" in analysis.filters.text
    assert analysis.filters.to_arguments() == ["--condition", "robust"]
    made = section(analysis, "conditions")
    assert made.lead == "The answers are about one condition at most, so there is nothing to compare."
    assert made.tables[0].reason


def test_a_study_without_conditions_has_no_section_of_them(analysis: Analysis) -> None:
    assert "conditions" not in sections_of(analysis.study)
    assert condition_sizes(analysis.data.answers).empty
    assert condition_effects(analysis.data.answers).empty


def test_only_conditions_of_the_study_can_be_clearer(tmp_path: Path) -> None:
    store = StudyStore.create(tmp_path / "study.sqlite", items=["a"])
    with store, pytest.raises(BarlowError, match="no condition 'robust' that could be clearer"):
        simulate(store, clarity={"robust": 0.1})
