"""The command that makes the results of an analysis again."""

from __future__ import annotations

import shlex
from pathlib import Path

from study.analysis.options import AnalysisOptions
from study.answers.exclusion import ExclusionRule, rule_text
from study.answers.filters import Filters

# Options of `barlow study analyze`, and what they set.
LISTS = {"--grouping": "groupings", "--class": "classes", "--tier": "tiers", "--platform": "platforms"}
WORDING = {"--same-spelling": "spelling", "--hyphens": "hyphens", "--plurals": "plurals"}


def analyze_command(
    study: str | Path,
    filters: Filters,
    options: AnalysisOptions,
    *,
    vectors: str | Path | None = None,
    columns: str = "",
    missing: str | None = None,
    out: str | Path = "results",
) -> str:
    """A line for a shell that makes the files of an analysis, quoted where that is needed.

    Args:
        study: the study file, or a CSV.
        filters, options: of the analysis. What the command line cannot say (workers named by hand, another confidence or threshold)
            is as the page has it: never other than usual.
        vectors: the file of word vectors; None for those that ship.
        columns: for a CSV, the mapping as a text; "" for what is guessed.
        missing: for a CSV, the texts that stand for no value, as a text; None for the usual ones.
    """
    usual = AnalysisOptions()
    words = ["barlow", "study", "analyze", str(study)]
    for option, name in LISTS.items():
        for value in getattr(filters, name):
            words += [option, value]
    for day in ("since", "until"):
        if (value := getattr(filters, day)) is not None:
            words += [f"--{day}", value.isoformat()]
    if filters.checks == "passed":
        words.append("--checks-passed")
    if filters.simulated != "all":
        words += ["--who", filters.simulated]
    if options.exclude:
        words.append("--exclude")
    if options.rule is not None and options.rule != ExclusionRule():
        words += ["--rule", rule_text(options.rule)]
    if vectors is not None:
        words += ["--vectors", str(vectors)]
    words += [option for option, name in WORDING.items() if getattr(options.wording, name)]
    if options.models:
        words.append("--models")
    for name in ("replicates", "seed"):
        if (value := getattr(options, name)) != getattr(usual, name):
            words += [f"--{name}", str(value)]
    if columns:
        words += ["--columns", columns]
    if missing is not None:
        words += ["--missing", missing]
    return shlex.join([*words, "--out", str(out)])
