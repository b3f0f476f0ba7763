"""The command that makes the results of an analysis again."""

from __future__ import annotations

import shlex
from pathlib import Path

from study.analysis.options import AnalysisOptions
from study.answers.filters import Filters


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
    words = ["barlow", "study", "analyze", str(study), *filters.to_arguments(), *options.to_arguments()]
    if vectors is not None:
        words += ["--vectors", str(vectors)]
    if columns:
        words += ["--columns", columns]
    if missing is not None:
        words += ["--missing", missing]
    return shlex.join([*words, "--out", str(out)])
