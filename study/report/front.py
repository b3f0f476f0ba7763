"""What stands at the head of a document: which study, which part of it, how it was analysed."""

from __future__ import annotations

import re

from barlow_core.wording import count
from study.analysis import Analysis
from study.report.wording import exclusions_text, few_clusters, level, versions

PACKAGES = ("numpy", "pandas", "scipy", "statsmodels", "krippendorff", "gensim", "altair", "vl-convert-python", "reportlab")


def title(analysis: Analysis) -> str:
    return analysis.study.title or analysis.study.name


def facts(analysis: Analysis) -> list[tuple[str, str]]:
    """(what, text) about a whole document; plain text, the same for the same study and settings."""
    study, options = analysis.study, analysis.options
    rows = [("Study", study.name), ("Answers", analysis.n_text), ("Filters", analysis.filters.text)]
    if analysis.data.has("submitted_at"):
        times = analysis.data.answers["submitted_at"]
        rows.append(("Sent", f"from {times.min():%Y-%m-%d} to {times.max():%Y-%m-%d} (UTC)"))
    rows += [
        ("Exclusions", unmarked(exclusions_text(analysis))),
        ("Intervals", intervals_text(analysis)),
        ("Threshold", f"averages above {options.threshold:g} count as easy, and as confident"),
        ("Word vectors", analysis.vectors_text),
        ("Software", versions(PACKAGES)),
        ("Digest of what was analysed", study.digest),
    ]
    if study.source:
        rows.insert(1, ("Source", study.source))
    if study.answers_per_item:
        rows.insert(2, ("Wanted", f"{count(study.answers_per_item, 'answer')} an item"))
    return rows


def intervals_text(analysis: Analysis) -> str:
    """What the intervals promise, and to whom; a share of studies that they were not simulated for may be another."""
    options = analysis.options
    limit = few_clusters(analysis)
    return (
        f"made to hold the truth in {level(options.confidence)} of studies like this one, with other items and, where a section says so, other workers; "
        f"how often they do in simulated studies is in docs/study_calibration.md. {options.replicates:,} resamples, seed {options.seed}."
        f"{f' {limit}' if limit else ''}"
    )


def computed_lines(computed: str) -> list[tuple[str, str]]:
    """The fold "how this was computed" as (what, plain text)."""
    found = [re.fullmatch(r"- \*\*(.+?):\*\* (.*)", line) for line in computed.splitlines()]
    return [(match.group(1), unmarked(match.group(2))) for match in found if match]


def unmarked(text: str) -> str:
    """Markdown of `study.report.wording` as plain text."""
    return re.sub(r"\\([\\`*_$~:<>#\[\]|])", r"\1", text)
