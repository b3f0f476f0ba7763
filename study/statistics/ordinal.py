"""A proportional-odds model of ease and confidence: grouping and tier at once, each with the other held fixed.

`statsmodels` fits it (logit link) and corrects the standard errors for the two ways in which answers hang together, items and workers
(Cameron, Gelbach and Miller 2011). What it cannot do: clusters are corrected for and not modelled, so odds are those of answers of the
whole population and not of one worker; with fewer than about 30 items or workers the standard errors are too small.

Answers with the same rating, grouping and tier have the same likelihood, so the fit takes each such kind of answer once, with how many there
are: thirty rows at most instead of all answers.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.stats.sandwich_covariance import cov_cluster

from study.answers.table import LEVELS, RATINGS, check_choice, checked
from study.statistics.differences import FACTORS, holm, levels_of
from study.statistics.estimates import CONFIDENCE

FEW_CLUSTERS = 30
NOTHING_TO_COMPARE = "neither grouping nor tier has two values, so there is nothing to compare"
TOO_FEW = "fewer than two levels of the scale were used, so there is nothing to explain"
ONE_CLUSTER = "fewer than two items or workers, so there is no standard error"
NOT_FITTED = "the model could not be fitted ({reason}), as happens where a group uses only some levels of the scale"
TOGETHER = "grouping and tier go together, so their effects cannot be told apart"
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
        answers: a table of answers (`study.answers.table`).
        question: "ease" or "confidence".

    Raises:
        BarlowError: see `study.answers.table.checked`; or another question.
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
    used = [level for level in LEVELS if (table[question] == level).any()]
    kinds, kind = _kinds(table, question, factors)
    design = np.column_stack([(kinds[factor] == level).to_numpy(dtype=np.float64) for factor, level, _ in terms])
    if np.linalg.matrix_rank(np.column_stack([np.ones(len(design)), design])) <= len(terms):
        return none(TOGETHER)
    ratings = pd.Series(pd.Categorical(kinds[question], categories=used, ordered=True))
    try:
        with warnings.catch_warnings(record=True) as complaints:
            warnings.simplefilter("always")
            model = _ModelOfKinds(ratings, design, np.bincount(kind))
            fit = model.fit(method="bfgs", maxiter=500, disp=0)
            errors = model.standard_errors(np.asarray(fit.params), kind, table["item"], table["worker"])
    except (np.linalg.LinAlgError, ValueError) as error:
        return none(NOT_FITTED.format(reason=str(error).rstrip(".").lower()))
    coefficients, errors = (np.asarray(part)[: len(terms)] for part in (fit.params, errors))
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


class _ModelOfKinds(OrderedModel):
    """A proportional-odds model whose rows stand for several answers each.

    Args:
        ratings, design: (P,) and (P, terms), a row a kind of answer.
        times: (P,) how many answers are of that kind.
    """

    def __init__(self, ratings: pd.Series, design: np.ndarray, times: np.ndarray):
        super().__init__(ratings, design, distr="logit")
        # With a mean of 1, since the fit divides by the number of rows: it then takes the steps that it would take with all answers.
        self.weights = times / times.mean()
        self.answers_per_row = float(times.mean())

    def cdf(self, eta: np.ndarray) -> np.ndarray:
        # That of scipy's logistic distribution, without its checks, which would take most of the fit's time.
        return expit(eta)

    def loglike(self, params: np.ndarray) -> float:
        return float(self.weights @ self.loglikeobs(params))

    @property
    def start_params(self) -> np.ndarray:
        frequency = np.bincount(self.endog, weights=self.weights) / len(self.weights)
        thresholds = self.transform_reverse_threshold_params(self.distr.ppf(np.clip(frequency.cumsum(), 0, 1)))
        return np.concatenate((np.zeros(self.k_vars), thresholds))

    def standard_errors(self, params: np.ndarray, kind: np.ndarray, items: pd.Series, workers: pd.Series) -> np.ndarray:
        """Two-way cluster-robust standard errors of all parameters: by items, plus by workers, minus by both at once.

        In small studies that difference can come out at 0 or less, which no variance is; the larger of the two ways is taken there.

        Args:
            kind: (n,) the row of each answer. An item and a worker have one answer together, so that is what "both at once" has.
        """
        inverse = np.linalg.inv(self.hessian(params)) / self.answers_per_row
        arrays = self.score_obs(params)[kind], inverse
        groups = (pd.factorize(items)[0], pd.factorize(workers)[0], np.arange(len(kind)))
        by_item, by_worker, by_both = (cov_cluster(arrays, group) for group in groups)
        two_way = np.diag(by_item + by_worker - by_both)
        return np.sqrt(np.where(two_way > 0, two_way, np.maximum(np.diag(by_item), np.diag(by_worker))))


def _kinds(table: pd.DataFrame, question: str, factors: list[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """The combinations of rating and factors that occur, a row each, and (n,) the row of each answer."""
    columns = [question, *factors]
    row = table.groupby(columns, sort=True, observed=True).ngroup().to_numpy()
    first = np.unique(row, return_index=True)[1]
    return table[columns].iloc[first].reset_index(drop=True), row
