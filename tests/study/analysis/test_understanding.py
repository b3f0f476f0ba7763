from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from study.analysis import understanding
from study.analysis.understanding import FEW_CLASSES, NOT_KNOWN, class_of_items, correlations

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


def test_resamples_are_those_of_copies_written_out() -> None:
    """The rho of a resample is scipy's of a table that holds every drawn class as often as it was drawn."""
    table = items(20, 4)
    drawn = understanding._resampled(table, class_of_items(table), [("activation", "ease")], 40, seed=5)["activation", "ease"]
    draws = np.random.default_rng(5).integers(5, size=(40, 5))
    for classes, rho in zip(draws, drawn, strict=True):
        copies = pd.concat([table[table["group"] == one] for one in classes])
        assert rho == pytest.approx(spearmanr(copies["activation"], copies["ease"]).statistic)


def test_the_interval_and_its_p_value_agree() -> None:
    table = items()
    clear, none = one(table, "mutual_information", "ease"), one(table, "activation", "long", replicates=2000)
    assert clear["low"] > 0.5
    assert clear["p"] == pytest.approx(2 / 301), "the smallest that so many resamples can give"
    assert (none["low"] < 0 < none["high"]) == (none["p"] > 0.05)


def test_holm_is_over_all_pairs() -> None:
    found = correlations(items(), replicates=100)
    given = found[found["p"].notna()]
    assert (given["p_holm"] >= given["p"]).all()
    assert given["p_holm"].min() == pytest.approx(min(1.0, given["p"].min() * len(given)))


def test_what_cannot_be_said_says_why() -> None:
    table = items()
    found = correlations(table, replicates=50).set_index(["cause", "outcome"])
    assert found.loc[("salience", "ease"), "reason"] == NOT_KNOWN
    assert found.loc[("ber", "short"), "reason"] == NOT_KNOWN
    assert "fewer than 5 items" in one(table.head(4), "activation", "ease")["reason"]
    assert "same value" in one(table.assign(ease=3.0), "activation", "ease")["reason"]
    alone = one(table.assign(group=0), "activation", "ease")
    assert alone["reason"] == FEW_CLASSES
    assert alone["rho"] is not pd.NA
    assert alone["low"] is pd.NA
    empty = correlations(table.iloc[:0], replicates=10)
    assert empty["rho"].isna().all()
    assert empty["reason"].notna().all()


def test_items_without_a_class_are_classes_of_their_own() -> None:
    assert class_of_items(pd.DataFrame({"ease": [1, 2, 3]})).tolist() == [0, 1, 2]
    named = pd.DataFrame({"grouping": ["label", "prediction", "label"], "class_name": ["tiger", "tiger", "tiger"]})
    assert class_of_items(named).tolist() == [0, 1, 0]
