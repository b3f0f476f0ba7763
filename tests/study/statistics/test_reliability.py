"""Krippendorff's alpha: published values, the package as oracle of the resamples, undefined cases."""

from __future__ import annotations

import krippendorff
import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from barlow_core.errors import BarlowError
from study.statistics.reliability import FEW, TOO_FEW, alpha, alphas, alphas_of_counts, sd_without_agreement

# Krippendorff (2011), "Computing Krippendorff's alpha-reliability", example C: four observers, twelve units, values 1 to 5.
PUBLISHED = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""


def published(question: str) -> pd.DataFrame:
    rows = [
        (f"unit {unit}", f"observer {observer}", int(value))
        for observer, line in enumerate(PUBLISHED.split("\n")[1:-1])
        for unit, value in enumerate(line.split())
        if value != "."
    ]
    return pd.DataFrame(rows, columns=["item", "worker", question])


def test_the_published_ordinal_value() -> None:
    found = alpha(published("ease"), "ease")
    assert round(found.value or 0, 3) == 0.815
    assert (found.measurement, found.n, found.n_paired, found.n_items, found.n_workers) == ("ordinal", 41, 40, 11, 4)
    assert (found.low or 1) < 0.815 < (found.high or 0) <= 1


def test_the_published_nominal_value() -> None:
    # Question 5 has four answers and the example five values; the fifth, three times in one unit, becomes the first of another study.
    table = published("useful")
    names = {1: "B", 2: "C", 3: "both", 4: "none"}
    four = table[table["useful"] != 5].assign(useful=lambda t: t["useful"].map(names))
    wide = four.assign(useful=four["useful"].map({name: value for value, name in names.items()})).pivot(
        index="worker", columns="item", values="useful"
    )
    expected = krippendorff.alpha(reliability_data=wide.to_numpy(dtype=float), level_of_measurement="nominal")
    assert alpha(four, "useful").value == pytest.approx(expected)
    counts = table.groupby(["item", "useful"]).size().unstack(fill_value=0).to_numpy()
    paired = counts[counts.sum(axis=1) > 1]
    assert round(float(alphas_of_counts(paired, np.ones((1, len(paired))), "nominal")[0]), 3) == 0.743


def test_a_nominal_value_by_hand() -> None:
    # Three items, two raters: agree on B, agree on C, disagree. Observed 2/6; expected 2 * 3 * 3 / (6 * 5) = 0.6.
    rows = [("x", 1, "B"), ("x", 2, "B"), ("y", 1, "C"), ("y", 2, "C"), ("z", 1, "B"), ("z", 2, "C")]
    found = alpha(pd.DataFrame(rows, columns=["item", "worker", "useful"]), "useful")
    assert found.value == pytest.approx(1 - (2 / 6) / 0.6)


@pytest.mark.parametrize("measurement", ["ordinal", "nominal"])
def test_resampled_alphas_are_the_packages(measurement: str) -> None:
    rng = np.random.default_rng(0)
    counts = rng.multinomial(4, [0.1, 0.2, 0.3, 0.25, 0.15], size=40)
    times = rng.multinomial(40, np.full(40, 1 / 40), size=15)
    found = alphas_of_counts(counts, times, measurement)  # type: ignore[arg-type]
    oracle = [
        krippendorff.alpha(value_counts=np.repeat(counts, drawn, axis=0), value_domain=range(5), level_of_measurement=measurement)  # type: ignore[arg-type]
        for drawn in times
    ]
    np.testing.assert_allclose(found, oracle)


def random_answers(n_items: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    item = np.repeat(np.arange(n_items), 4)
    ease = np.clip(np.rint(3 + rng.normal(size=n_items)[item] + rng.normal(size=len(item))), 1, 5)
    return pd.DataFrame({"item": item, "worker": np.tile(np.arange(4), n_items), "ease": ease})


def counts_of(answers: pd.DataFrame) -> np.ndarray:
    return pd.crosstab(answers["item"], answers["ease"]).to_numpy()


def package(counts: np.ndarray, measurement: str = "ordinal") -> float:
    return float(krippendorff.alpha(value_counts=counts, value_domain=range(counts.shape[1]), level_of_measurement=measurement))  # type: ignore[arg-type]


def test_the_interval_is_the_jackknifes_on_fishers_scale() -> None:
    answers = random_answers(30)
    found, counts = alpha(answers, "ease"), counts_of(answers)
    # Plainly: leave out one item after the other, compute alpha of the rest.
    rest = np.array([package(np.delete(counts, item, axis=0)) for item in range(30)])
    value = package(counts)
    slope = 3 / (1 + 3 * value) + 1 / (1 - value)
    half = t.ppf(0.975, 29) * slope * np.sqrt(29 / 30 * ((rest - rest.mean()) ** 2).sum())
    z = np.log((1 + 3 * np.array([value, found.low, found.high])) / (1 - np.array([value, found.low, found.high])))
    np.testing.assert_allclose(z[0] - z[1], half)
    np.testing.assert_allclose(z[2] - z[0], half)
    narrower = alpha(answers, "ease", confidence=0.5)
    assert (found.low or 0) < (narrower.low or 0) < (narrower.high or 0) < (found.high or 0)
    assert found == alpha(answers, "ease", replicates=3, seed=7), "nothing is drawn"


@pytest.mark.parametrize("measurement", ["ordinal", "nominal"])
def test_the_spread_without_agreement_is_that_of_permuted_answers(measurement: str) -> None:
    rng = np.random.default_rng(0)
    item = np.repeat(np.arange(7), rng.integers(2, 6, size=7))
    value = rng.choice(4, size=len(item), p=[0.5, 0.25, 0.15, 0.1])
    alphas_of_permuted = [package(pd.crosstab(item, rng.permutation(value)).to_numpy(), measurement) for _ in range(600)]
    counts = pd.crosstab(item, value).to_numpy()
    found = sd_without_agreement(counts, np.ones(len(counts), dtype=np.int64), measurement)  # type: ignore[arg-type]
    assert found == pytest.approx(np.std(alphas_of_permuted), rel=0.09), "three standard errors of the simulation"


def test_a_few_random_answers_do_not_read_as_worse_than_chance() -> None:
    rng = np.random.default_rng(0)
    below = above = 0
    for _ in range(200):
        answers = pd.DataFrame(
            {"item": np.repeat(np.arange(8), 5), "worker": np.tile(np.arange(5), 8), "ease": rng.integers(1, 6, 40)}
        )
        found = alpha(answers, "ease")
        assert found.low is not None
        assert found.high is not None
        below, above = below + (found.high < 0), above + (found.low > 0)
    assert below <= 12, "5 of 200 are expected; percentiles of resampled items did it in about 40"
    assert above <= 12


def test_raters_who_answer_at_random_have_an_alpha_about_zero_and_equal_ones_one() -> None:
    answers = random_answers(2000)
    rng = np.random.default_rng(3)
    answers["ease"] = rng.integers(1, 6, size=len(answers))
    assert abs(alpha(answers, "ease", replicates=10).value or 1) < 0.03
    answers["ease"] = answers["item"] % 5 + 1
    assert alpha(answers, "ease", replicates=10).value == pytest.approx(1)


@pytest.mark.parametrize(
    ("ratings", "says"),
    [
        ({}, "nobody answered"),
        ({("a", 1): 3, ("b", 1): 4}, "no item has two answers"),
        ({("a", 1): 3, ("a", 2): 3, ("b", 1): 3, ("b", 2): 3}, "all answers that can be paired are the same"),
        ({("a", 1): 3, ("a", 2): 3, ("b", 1): 5}, "all answers that can be paired are the same"),
    ],
)
def test_undefined_alpha_is_none_with_a_reason(ratings: dict[tuple[str, int], int], says: str) -> None:
    table = pd.DataFrame([(*key, value) for key, value in ratings.items()], columns=["item", "worker", "ease"])
    found = alpha(table, "ease")
    assert (found.value, found.low, found.high) == (None, None, None)
    assert says in (found.reason or "")


def test_one_item_says_nothing() -> None:
    found = alpha(pd.DataFrame({"item": "a", "worker": [1, 2, 3], "ease": [1, 2, 5]}), "ease")
    assert (found.value, found.low) == (None, None)
    assert "one item" in (found.reason or "")


@pytest.mark.parametrize(
    ("ratings", "says"),
    [
        ([[1, 5], [2, 3], [4, 4], [3, 1]], TOO_FEW),
        ([[1, 1], [2, 2], [4, 4], [3, 3], [1, 1]], "everybody agrees about every item"),
        ([[3, 3]] * 9 + [[3, 4]], "about all items but one are alike"),
        ([[1, 5]] * 12 + [[1, 5] * 4], "as different as they can be"),
    ],
    ids=["four items", "perfect", "one item differs", "opposed"],
)
def test_a_value_without_an_interval_says_why(ratings: list[list[int]], says: str) -> None:
    rows = [(item, worker, rating) for item, given in enumerate(ratings) for worker, rating in enumerate(given)]
    found = alpha(pd.DataFrame(rows, columns=["item", "worker", "ease"]), "ease")
    assert found.value is not None
    assert (found.low, found.high) == (None, None)
    assert says in (found.reason or "")


def test_few_items_have_an_interval_and_a_warning() -> None:
    few, enough = alpha(random_answers(9), "ease"), alpha(random_answers(10), "ease")
    assert (few.reason, enough.reason) == (FEW, None)
    assert -1 / 3 <= (few.low or 0) < (few.value or 0) < (few.high or 0) <= 1


def test_all_questions_at_once_are_rows() -> None:
    answers = random_answers(30).assign(confidence=lambda t: t["ease"], useful=lambda t: np.where(t["ease"] > 3, "B", "C"))
    table = alphas(answers, replicates=50)
    assert table["question"].tolist() == ["ease", "confidence", "useful"]
    assert table["value"].iloc[0] == table["value"].iloc[1]


def test_another_question_is_an_error() -> None:
    with pytest.raises(BarlowError, match="'short'; expected one of ease, confidence, useful"):
        alpha(random_answers(2), "short")
