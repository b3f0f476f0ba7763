"""A proportional-odds model of ease and confidence: grouping and tier at once, each with the other held fixed.

`statsmodels` fits it (logit link) and corrects the standard errors for the two ways in which answers hang together, items and workers
(Cameron, Gelbach and Miller 2011). What it cannot do: clusters are corrected for and not modelled, so odds are those of answers of the
whole population and not of one worker; with fewer than about 30 items or workers the standard errors are too small.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm
from statsmodels.miscmodels.ordinal_model import OrderedModel

from study.analysis.differences import FACTORS, holm, levels_of
from study.answer_table import LEVELS, RATINGS, check_choice, checked
from study.uncertainty import CONFIDENCE

FEW_CLUSTERS = 30
NOTHING_TO_COMPARE = "neither grouping nor tier has two values, so there is nothing to compare"
TOO_FEW = "fewer than two levels of the scale were used, so there is nothing to explain"
ONE_CLUSTER = "fewer than two items or workers, so there is no standard error"
NOT_FITTED = "the model could not be fitted ({reason}), as happens where a group uses only some levels of the scale"
FEW = "fewer than {n} {what}: the standard errors are too small"


@dataclass(frozen=True)
class OrdinalModel:
    """A fitted proportional-odds model.

    Attributes:
        question: "ease" or "confidence".
        effects: a row an effect: `factor`, `value`, `reference` (compared with), `odds_ratio` (above 1: higher ratings than the reference),
            `low`, `high`, `p`, `p_holm`; no rows where there is no model.
        thresholds: of the latent scale, between the levels that were used.
        n, n_items, n_workers: that it rests on.
        reason: why there is none, or what limits it.
    """

    question: str
    effects: pd.DataFrame
    thresholds: tuple[float, ...]
    n: int
    n_items: int
    n_workers: int
    confidence: float
    reason: str | None


def ordinal_model(answers: pd.DataFrame, question: str, *, confidence: float = CONFIDENCE) -> OrdinalModel:
    """Fit ratings of a question on grouping and tier, as far as the table has them.

    Args:
        answers: a table of answers (`study.answer_table`).
        question: "ease" or "confidence".

    Raises:
        BarlowError: see `study.answer_table.checked`; or another question.
    """
    check_choice(question, RATINGS, "The question")
    factors = [factor for factor in FACTORS if factor in answers]
    table = checked(answers, [question, *factors])
    table = table[table[[question, *factors]].notna().all(axis=1)]
    size: dict[str, Any] = {
        "n": len(table),
        "n_items": table["item"].nunique(),
        "n_workers": table["worker"].nunique(),
        "confidence": confidence,
    }
    nothing = pd.DataFrame(columns=["factor", "value", "reference", "odds_ratio", "low", "high", "p", "p_holm"])

    def none(reason: str) -> OrdinalModel:
        return OrdinalModel(question, nothing, (), reason=reason, **size)

    terms = [
        (factor, level, levels[0]) for factor in factors if len(levels := levels_of(table, factor)) > 1 for level in levels[1:]
    ]
    if not terms:
        return none(NOTHING_TO_COMPARE)
    if table[question].nunique() < 2:
        return none(TOO_FEW)
    if min(size["n_items"], size["n_workers"]) < 2:
        return none(ONE_CLUSTER)
    design = np.column_stack([(table[factor] == level).to_numpy(dtype=np.float64) for factor, level, _ in terms])
    if np.linalg.matrix_rank(np.column_stack([np.ones(len(design)), design])) <= len(terms):
        return none(NOT_FITTED.format(reason="grouping and tier go together, so their effects cannot be told apart"))
    used = [level for level in LEVELS if (table[question] == level).any()]
    ratings = pd.Series(pd.Categorical(table[question], categories=used, ordered=True))
    clusters = np.column_stack([pd.factorize(table[column])[0] for column in ("item", "worker")])
    try:
        with warnings.catch_warnings(record=True) as complaints:
            warnings.simplefilter("always")
            model = OrderedModel(ratings, design, distr="logit")
            fit = model.fit(method="bfgs", maxiter=500, disp=0, cov_type="cluster", cov_kwds={"groups": clusters})
    except (np.linalg.LinAlgError, ValueError) as error:
        return none(NOT_FITTED.format(reason=str(error).rstrip(".").lower()))
    coefficients, errors = (np.asarray(part)[: len(terms)] for part in (fit.params, fit.bse))
    if (
        not fit.mle_retvals["converged"]
        or not (np.isfinite(errors).all() and np.isfinite(coefficients).all())
        or (errors == 0).any()
    ):
        return none(
            NOT_FITTED.format(reason=str(complaints[-1].message).split(".")[0].lower() if complaints else "it did not converge")
        )
    z = norm.ppf((1 + confidence) / 2)
    effects = pd.DataFrame(terms, columns=["factor", "value", "reference"])
    with np.errstate(over="ignore"):
        effects["odds_ratio"] = np.exp(coefficients)
        effects["low"], effects["high"] = np.exp(coefficients - z * errors), np.exp(coefficients + z * errors)
    effects["p"] = 2 * norm.sf(np.abs(coefficients / errors))
    effects["p_holm"] = holm(effects["p"].astype("Float64"))
    thresholds = model.transform_threshold_params(np.asarray(fit.params))[1:-1]
    few = [what for what in ("items", "workers") if size[f"n_{what}"] < FEW_CLUSTERS]
    reason = FEW.format(n=FEW_CLUSTERS, what=" and ".join(few)) if few else None
    return OrdinalModel(question, effects, tuple(float(one) for one in thresholds), reason=reason, **size)
