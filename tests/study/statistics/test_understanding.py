from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, spearmanr

from study.statistics import understanding
from study.statistics.understanding import NO_OUTCOME, NOT_KNOWN, cannot_be_clear, class_columns, class_of_items, correlations

RNG = np.random.default_rng(3)


def items(n: int = 60, per_class: int = 5) -> pd.DataFrame:
    group = np.arange(n) // per_class
    table = pd.DataFrame({"group": group, "ber": RNG.random(n // per_class)[group], "activation": RNG.random(n)})
    table["mutual_information"] = table["activation"] + 0.1 * RNG.random(n)
    table["ease"] = (table["mutual_information"] * 10).round() / 5
    table["long"] = pd.Series(RNG.random(n)).where(RNG.random(n) > 0.2).astype("Float64")
    return table


def one(table: pd.DataFrame, cause: str, outcome: str, **settings: int) -> pd.Series:
    found = correlations(table, causes=(cause,), outcomes=(outcome,), **({"replicates": 300} | settings))
    return found.iloc[0]


def test_rho_is_scipys_also_with_ties_and_missing_values() -> None:
    table = items()
    for cause, outcome in (("activation", "ease"), ("mutual_information", "long")):
        row = one(table, cause, outcome)
        given = table[[cause, outcome]].astype(float).dropna()
        assert row["rho"] == pytest.approx(spearmanr(given[cause], given[outcome]).statistic)
        assert (row["n"], row["unit"], row["n_classes"]) == (len(given), "items", 12)


def test_the_error_rate_is_one_number_a_class() -> None:
    table = items()
    row = one(table, "ber", "ease")
    classes = table.groupby("group")[["ber", "ease"]].mean()
    assert (row["n"], row["unit"]) == (12, "classes")
    assert row["rho"] == pytest.approx(spearmanr(classes["ber"], classes["ease"].round(9)).statistic)


@pytest.mark.parametrize("most_parts", [400, 3])
def test_what_is_left_without_each_class_is_what_scipy_finds_there(most_parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(understanding, "MOST_PARTS", most_parts)
    table = items(20, 4)
    pairs = [("activation", "ease"), ("activation", "long")]
    found = understanding._without_each(table, class_of_items(table), pairs)
    for pair in pairs:
        assert len(found[pair]) == min(5, most_parts)
        for part, rho in enumerate(found[pair]):
            rest = table[table["group"] % most_parts != part][list(pair)].astype(float).dropna()
            assert rho == pytest.approx(spearmanr(rest[pair[0]], rest[pair[1]]).statistic)


def test_a_class_without_a_value_of_the_pair_is_not_left_out_in_turn() -> None:
    table = items()
    table.loc[table["group"] < 2, "long"] = pd.NA
    pair = ("activation", "long")
    assert len(understanding._without_each(table, class_of_items(table), [pair])[pair]) == 10
    assert one(table, *pair)["n_classes"] == 10


def test_the_interval_and_its_p_value_agree() -> None:
    table = items()
    clear, none = one(table, "mutual_information", "ease"), one(table, "activation", "long")
    assert clear["low"] > 0.5
    assert clear["p"] < 1e-6, "no number of resamples bounds it"
    just = correlations(table, causes=("activation",), outcomes=("long",), confidence=1 - none["p"]).iloc[0]
    assert min(abs(just["low"]), abs(just["high"])) == pytest.approx(0, abs=1e-9), "at this confidence 0 is an end"


def test_many_items_taken_as_independent_come_near_the_formula_for_them() -> None:
    """Bonett and Wright's (2000) standard error of Fisher's z of rho."""
    n = 2000
    table = pd.DataFrame({"activation": RNG.normal(size=n)})
    table["ease"] = 0.5 * table["activation"] + RNG.normal(size=n)
    row = one(table, "activation", "ease")
    half = (np.arctanh(row["high"]) - np.arctanh(row["low"])) / 2
    assert half == pytest.approx(1.96 * np.sqrt((1 + row["rho"] ** 2 / 2) / (n - 3)), rel=0.1)
    assert row["n_classes"] is pd.NA
    assert row["reason"] == understanding.INDEPENDENT


def ordered(n_classes: int, **columns: object) -> pd.DataFrame:
    """Three items a class, the ease in the order of the error rate."""
    group = np.arange(3 * n_classes) // 3
    return pd.DataFrame({"class_name": group.astype(str), "ber": group / 100, "ease": 1.0 + group, **columns})


@pytest.mark.parametrize(("n_classes", "orders"), [(5, 120), (6, 720), (7, 5040)])
def test_the_p_value_of_few_classes_is_exact(n_classes: int, orders: int) -> None:
    row = one(ordered(n_classes), "ber", "ease", replicates=50)
    assert row["rho"] == pytest.approx(1)
    assert row["p"] == pytest.approx(2 / orders)
    assert row["p_least"] == pytest.approx(2 / orders)
    assert row["low"] is pd.NA
    assert row["reason"] == "fewer than 8 classes, so no interval"


def test_the_p_value_of_five_classes_is_that_of_all_orders() -> None:
    table = ordered(5).assign(ease=np.repeat([1.0, 3.0, 2.0, 2.0, 5.0], 3))
    row = one(table, "ber", "ease")
    classes = table.groupby("class_name")[["ber", "ease"]].mean()
    rhos = [abs(spearmanr(order, classes["ease"]).statistic) for order in itertools.permutations(classes["ber"])]
    assert row["p"] == pytest.approx(np.mean(np.array(rhos) > abs(row["rho"]) - 1e-9))


def test_many_classes_come_near_scipys_p_and_are_the_same_for_the_same_seed() -> None:
    table = items(400, 10)
    row, again = one(table, "ber", "ease", seed=4), one(table, "ber", "ease", seed=4)
    classes = table.groupby("group")[["ber", "ease"]].mean().round(9)
    assert row["p"] == pytest.approx(spearmanr(classes["ber"], classes["ease"]).pvalue, abs=0.02)
    assert row["p"] == again["p"]
    assert row["p_least"] == pytest.approx(1 / 10_000), "few replicates do not bound it"


def test_an_interval_of_no_length_is_none() -> None:
    classes = one(ordered(12), "ber", "ease")
    assert classes["low"] is pd.NA
    assert classes["reason"] == "the order is perfect, so no interval"
    assert classes["p"] == pytest.approx(1e-4)
    table = ordered(12).assign(activation=np.arange(36))
    found = one(table.assign(ease=table["activation"]), "activation", "ease")
    assert (found["low"], found["p"]) == (pd.NA, pd.NA)
    assert found["reason"] == "the order is perfect, so neither interval nor p"


def test_where_leaving_out_a_class_leaves_no_variation_there_is_no_interval() -> None:
    table = items(60, 5)
    found = one(table.assign(ease=np.where((table["group"] == 0), 2.0 + table["activation"], 3.0)), "activation", "ease")
    assert found["rho"] is not pd.NA
    assert found["low"] is pd.NA
    assert found["reason"] == "perfect or undefined without one of the classes, so neither interval nor p"


@pytest.mark.parametrize("n_classes", [2, 5, 7])
def test_items_of_few_classes_have_neither_interval_nor_p(n_classes: int) -> None:
    row = one(items(10 * n_classes, 10), "activation", "ease")
    assert row["rho"] is not pd.NA
    assert (row["low"], row["high"], row["p"], row["p_holm"]) == (pd.NA, pd.NA, pd.NA, pd.NA)
    assert row["reason"] == "fewer than 8 classes, so neither interval nor p"


@pytest.mark.parametrize("columns", [["group"], ["grouping", "class_name"], ["class_name"]])
def test_nothing_is_found_in_nothing(columns: list[str]) -> None:
    """Ten classes with effects of their own, one item's class not known: with items as independent every fourth study calls BER related."""
    rng = np.random.default_rng(0)
    n_studies, n_classes, group = 60, 10, np.arange(120) // 12
    called = {"ber": 0, "activation": 0}
    for _ in range(n_studies):
        table = pd.DataFrame({"ber": rng.random(n_classes)[group]})
        table["activation"] = 0.7 * rng.normal(size=n_classes)[group] + 0.7 * rng.normal(size=120)
        table["ease"] = 0.4 * rng.normal(size=n_classes)[group] + 0.6 * rng.normal(size=120)
        for column in columns:
            table[column] = pd.Series([f"class {one}" for one in group], dtype=object)
            table.loc[5, column] = None
        found = correlations(table, causes=tuple(called), outcomes=("ease",))
        for cause, p in zip(found["cause"], found["p"], strict=True):
            called[cause] += p < 0.05
    for cause, n in called.items():
        assert binomtest(n, n_studies, 0.05, alternative="greater").pvalue > 0.001, (cause, n)


def test_holm_is_over_all_pairs() -> None:
    found = correlations(items(), replicates=100)
    given = found[found["p"].notna()]
    assert (given["p_holm"] >= given["p"]).all()
    assert given["p_holm"].min() == pytest.approx(min(1.0, given["p"].min() * len(given)))


def test_what_cannot_be_said_says_why() -> None:
    table = items()
    found = correlations(table, replicates=50).set_index(["cause", "outcome"])
    assert found.loc[("salience", "ease"), "reason"] == NOT_KNOWN
    assert found.loc[("ber", "short"), "reason"] == NO_OUTCOME
    assert "fewer than 5 items" in one(table.head(4), "activation", "ease")["reason"]
    assert "fewer than 5 classes" in one(table.head(20), "ber", "ease")["reason"]
    assert "same value" in one(table.assign(ease=3.0), "activation", "ease")["reason"]
    empty = correlations(table.iloc[:0], replicates=10)
    assert empty["rho"].isna().all()
    assert empty["reason"].notna().all()


def test_a_class_too_few_for_the_correction_says_so() -> None:
    table = ordered(5).assign(**{outcome: RNG.random(15) for outcome in ("confidence", "short", "long")})
    found = correlations(table, causes=("ber",), outcomes=("ease", "confidence", "short", "long"))
    note = "no p below 0.017 is possible, which is not clear after correction for 4 correlations"
    assert cannot_be_clear(found, 0.05).all()
    assert found["reason"].str.endswith(note).all()
    assert not cannot_be_clear(correlations(table, causes=("ber",), outcomes=("ease",)), 0.05).any(), "2 / 120 alone is clear"


def test_the_class_of_an_item() -> None:
    named = pd.DataFrame({"grouping": ["label", "prediction", "label"], "class_name": ["tiger", "tiger", "tiger"]})
    assert class_of_items(named).tolist() == [0, 1, 0]
    assert class_of_items(named[["class_name"]]).tolist() == [0, 0, 0], "class_name alone, where there is no grouping"
    assert class_of_items(named.assign(grouping=None)).tolist() == [0, 0, 0]
    assert class_of_items(named.assign(grouping=["label", None, "label"])).tolist() == [0, -1, 0], "the others keep theirs"
    assert class_of_items(named.assign(group=["a", None, "b"])).tolist() == [0, 1, 0], "what is known of more items"
    assert class_of_items(named.assign(group=["a", "a", "b"]).astype("category")).tolist() == [0, 0, 1]


def test_without_any_class_items_are_independent_and_the_error_rate_has_no_test() -> None:
    table = items().drop(columns="group")
    assert class_columns(table) == ()
    assert class_of_items(table).tolist() == [-1] * 60
    found = correlations(table, causes=("ber", "activation"), outcomes=("ease",)).set_index("cause")
    assert found["unit"].tolist() == ["items", "items"]
    assert found["n"].tolist() == [60, 60]
    assert found["n_classes"].isna().all()
    assert found["rho"].notna().all()
    assert found.loc["ber", ["low", "p"]].isna().all()
    assert found.loc["ber", "reason"] == "items of a class share it, and no class is known, so neither interval nor p"
    assert found.loc["activation", "p"] == pytest.approx(spearmanr(table["activation"], table["ease"]).pvalue, abs=0.1)


def test_items_whose_class_is_not_known_are_left_out_and_counted() -> None:
    table = items().astype({"group": "object"})
    table.loc[[7, 8], "group"] = None
    left = correlations(table.drop(index=[7, 8]), causes=("ber", "activation"), outcomes=("ease",))
    found = correlations(table, causes=("ber", "activation"), outcomes=("ease",))
    pd.testing.assert_frame_equal(found.drop(columns="reason"), left.drop(columns="reason"))
    assert found["unit"].tolist() == ["classes", "items"]
    assert found["n"].tolist() == [12, 58]
    assert found["reason"].tolist() == ["2 items left out, whose class is not known"] * 2
