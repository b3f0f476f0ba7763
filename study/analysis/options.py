"""How a study is analysed: the settings that every number depends on, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from barlow_core.errors import BarlowError
from study.answers.exclusion import ExclusionRule, parse_rule, rule_text
from study.answers.notation import SETTINGS, to_arguments, to_query
from study.answers.tokenization import AS_THE_PAPER, Wording
from study.statistics.estimates import CONFIDENCE, check_settings
from study.statistics.resampling import REPLICATES


@dataclass(frozen=True)
class AnalysisOptions:
    """Settings of an analysis.

    Attributes:
        confidence: of all intervals.
        replicates, seed: of all bootstraps.
        threshold: averages above it count as easy, and as confident.
        wording: departures from the paper's rule of agreement, all off by default.
        rule: who would be left out; None: nobody.
        exclude: whether the rule is applied to all numbers; else only its effect is shown.
        min_answers: items with fewer ratings are left out of the lists of easy and difficult items.
        k_examples: items in each of these lists.
        models: also fit Dawid and Skene's model and MACE (needs the extra `barlow[crowd]`).
    """

    confidence: float = CONFIDENCE
    replicates: int = REPLICATES
    seed: int = 0
    threshold: float = 3.0
    wording: Wording = AS_THE_PAPER
    rule: ExclusionRule | None = field(default_factory=ExclusionRule)
    exclude: bool = False
    min_answers: int = 3
    k_examples: int = 5
    models: bool = False

    def __post_init__(self) -> None:
        check_settings(self.confidence, self.replicates)
        if not 1 <= self.threshold <= 5:
            raise BarlowError(f"The threshold is {self.threshold}; expected a level of the scale, from 1 to 5.")
        if self.min_answers < 1 or self.k_examples < 1:
            raise BarlowError(f"min_answers is {self.min_answers} and k_examples {self.k_examples}; expected 1 or more of both.")

    @classmethod
    def from_written(cls, given: Mapping[str, Any]) -> AnalysisOptions:
        """Options out of those of `study.answers.notation.SETTINGS` that are given.

        Raises:
            BarlowError: a rule that means nothing, or see `AnalysisOptions`.
        """
        found = {one.field: given.get(one.field, one.usual) for one in SETTINGS}
        wording = Wording(**{name: found.pop(name) for name in ("spelling", "hyphens", "plurals")})
        rule = found.pop("rule")
        return cls(**found, wording=wording, rule=ExclusionRule() if rule is None else parse_rule(rule))

    def written(self) -> dict[str, Any]:
        """By field of `study.answers.notation.SETTINGS`. What these cannot say (no rule at all, another confidence or threshold) is as usual."""
        rule = None if self.rule is None or self.rule == ExclusionRule() else rule_text(self.rule)
        own = {name: getattr(self, name) for name in ("exclude", "models", "replicates", "seed")}
        return {**own, **asdict(self.wording), "rule": rule}

    def to_query(self) -> dict[str, list[str]]:
        """The parameters of the page's address, which carries no resamples and no seed."""
        return to_query(SETTINGS, self.written())

    def to_arguments(self) -> list[str]:
        """The arguments of `barlow study analyze`."""
        return to_arguments(SETTINGS, self.written())

    @property
    def bootstrap(self) -> dict[str, float | int]:
        """As the functions of `study.statistics.uncertainty`, `study.statistics.likert` and `study.statistics.reliability` take them."""
        return {"confidence": self.confidence, "replicates": self.replicates, "seed": self.seed}
