from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from barlow_core.errors import BarlowError
from study.statistics.ordinal import NOTHING_TO_COMPARE, ONE_CLUSTER, TOO_FEW, ordinal_model


def study(n_items: int = 80, workers: int = 40, effect: float = 0.7, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    item = np.repeat(np.arange(n_items), 5)
    worker = np.concatenate([rng.choice(workers, 5, replace=False) for _ in range(n_items)])
    latent = (
        effect * (item % 2 == 0)
        + rng.normal(0, 0.5, n_items)[item]
        + rng.normal(0, 0.7, workers)[worker]
        + rng.logistic(size=len(item))
    )
    ease = np.digitize(latent, [-2, -0.7, 0.6, 1.8]) + 1
    table = pd.DataFrame({"item": item, "worker": worker, "ease": ease, "confidence": ease})
    table["grouping"] = np.where(item % 2 == 0, "prediction", "label")
    table["tier"] = np.array(["top", "middle", "bottom"])[item % 3]
    return table


def test_odds_ratios_maximise_the_likelihood_written_out() -> None:
    answers = study()
    found = ordinal_model(answers, "ease")
    design = np.column_stack(
        [answers["grouping"] == "prediction", answers["tier"] == "middle", answers["tier"] == "bottom"]
    ).astype(float)
    rating = answers["ease"].to_numpy() - 1

    def loss(parameters: np.ndarray) -> float:
        cuts = np.concatenate([[-np.inf], np.cumsum([parameters[3], *np.exp(parameters[4:])]), [np.inf]])
        shift = design @ parameters[:3]
        return -float(np.log(expit(cuts[rating + 1] - shift) - expit(cuts[rating] - shift)).sum())

    fit = minimize(loss, np.array([0, 0, 0, -2, 0, 0, 0.0]), method="BFGS")
    assert found.effects["odds_ratio"].to_numpy() == pytest.approx(np.exp(fit.x[:3]), rel=1e-3)
    assert found.thresholds == pytest.approx(np.cumsum([fit.x[3], *np.exp(fit.x[4:])]), rel=1e-3)
    assert found.effects[["factor", "value", "reference"]].to_numpy().tolist() == [
        ["grouping", "prediction", "label"],
        ["tier", "middle", "top"],
        ["tier", "bottom", "top"],
    ]
    assert (found.n, found.n_items, found.n_workers, found.reason) == (400, 80, 40, None)
    assert (found.effects["low"] < found.effects["odds_ratio"]).all()
    assert found.effects.loc[0, "low"] > 1, "the effect that was put in"


def test_clusters_widen_the_interval() -> None:
    answers = study(effect=0.0)
    alone = answers.assign(item=np.arange(len(answers)), worker=np.arange(len(answers)))
    clustered, independent = (ordinal_model(table, "ease").effects.loc[0] for table in (answers, alone))
    assert clustered["odds_ratio"] == pytest.approx(independent["odds_ratio"], rel=1e-3)
    assert clustered["high"] / clustered["low"] > independent["high"] / independent["low"]


def test_studies_that_cannot_be_fitted_say_why() -> None:
    answers = study(n_items=12, workers=10)
    assert ordinal_model(answers.drop(columns=["grouping", "tier"]), "ease").reason == NOTHING_TO_COMPARE
    assert ordinal_model(answers.iloc[:0], "ease").reason == NOTHING_TO_COMPARE
    assert ordinal_model(answers.assign(ease=3), "ease").reason == TOO_FEW
    assert ordinal_model(answers.assign(worker=0, item=np.arange(len(answers))), "ease").reason == ONE_CLUSTER
    together = ordinal_model(answers.assign(tier=answers["grouping"].map({"label": "top", "prediction": "bottom"})), "ease")
    assert "go together" in str(together.reason)
    assert together.effects.empty
    small = ordinal_model(answers, "ease")
    assert "fewer than 30 items and workers" in str(small.reason)
    assert len(small.effects) == 3
    apart = ordinal_model(answers.assign(ease=np.where(answers["grouping"] == "label", 1, 5)).drop(columns="tier"), "ease")
    assert apart.effects.empty or np.isfinite(apart.effects["low"]).all()
    with pytest.raises(BarlowError, match="The question"):
        ordinal_model(answers, "useful")


def test_a_two_way_variance_below_zero_gives_way_to_the_larger_one() -> None:
    """In small studies items plus workers minus both can come out negative: no reason not to fit."""
    for seed in (10, 14, 16):
        rng = np.random.default_rng(seed)
        table = pd.DataFrame([(f"i{i}", f"w{w}") for i in range(6) for w in range(4)], columns=["item", "worker"])
        table["grouping"] = np.where(table["item"].str[1:].astype(int) % 2, "label", "prediction")
        table["ease"] = rng.integers(1, 6, len(table))
        found = ordinal_model(table, "ease")
        assert len(found.effects) == 1, found.reason
        assert (found.effects["low"] < found.effects["odds_ratio"]).all()
