"""Section 5, second part: what speaks against workers, a rule of who is left out, and what difference it makes."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from barlow_core.vega import BLUE, GREY, ORANGE
from barlow_core.wording import count
from study.analysis import Analysis
from study.answers.exclusion import rule_in_words
from study.report import charts
from study.report.elements import Figure, Number, Section, Table
from study.report.sections.base import as_text, figure, records_of, table
from study.report.style import scale
from study.report.wording import TWO_WAY, decimal, how, is_missing, level, markdown, nothing, sentence, share

TITLE = "Workers and exclusions"
PACKAGES = ("numpy", "pandas", "scipy", "krippendorff")
KEPT, OUT = "kept", "excluded by the rule"


def make(analysis: Analysis) -> Section:
    """Worker quality, the rule, its effect."""
    out = len(analysis.excluded_workers)
    workers = analysis.filtered.n_workers
    # Of those who are looked at; what they did with checks is of the whole study.
    looked_at = set(analysis.filtered.answers["worker"])
    checked = set(analysis.study.checks["worker"]) & looked_at
    failed = set(analysis.study.failed_a_check) & looked_at
    answers = analysis.filtered.answers
    lost = int(answers["worker"].isin(analysis.excluded_workers).sum())
    does = "leaves" if analysis.options.exclude else "would leave"
    if analysis.rule is None:
        lead = "No exclusion rule is set, so none leaves anybody out."
    elif not workers:
        lead = sentence(nothing(analysis))
    else:
        lead = f"The rule {does} out {out:,} of {count(workers, 'worker')} with {lost:,} of {count(len(answers), 'answer')}."
    applied = (
        "No rule is set."
        if analysis.rule is None
        else "The rule is applied: the other sections are without those whom it excludes, where they do not speak of the whole study."
        if analysis.options.exclude
        else "The rule is not applied: the other sections are with those whom it would exclude."
    )
    return Section(
        id="quality",
        title=TITLE,
        lead=lead,
        text=_text(analysis, lead),
        numbers=(
            Number("Excluded by the rule", f"{out:,}", n=f"of {count(workers, 'worker')}", help=applied),
            Number(
                "Their answers",
                share(lost / len(answers) if len(answers) else None, len(answers)),
                n=f"{lost:,} of {count(len(answers), 'answer')}",
                help=applied,
            ),
            Number(
                "Failed a check",
                f"{len(failed):,}",
                n=f"of {count(len(checked), 'worker')} who met one",
                help="Workers who failed at least one gold or attention check, of those who are looked at.",
            ),
        ),
        figures=(_workers(analysis), _effect(analysis)),
        tables=(_effect_table(analysis), _worker_table(analysis)),
        notes=_notes(analysis, applied),
        banner=analysis.banner,
    )


def _text(analysis: Analysis, lead: str) -> tuple[str, ...]:
    if analysis.rule is None or not analysis.filtered.n_workers:
        return ()
    words = rule_in_words(analysis.rule)
    if analysis.options.exclude:
        return (words, lead)
    return (f"No worker was excluded by a rule. {lead} ({words})",)


def _notes(analysis: Analysis, applied: str) -> tuple[str, ...]:
    notes = [] if analysis.rule is None else [applied]
    notes.append("Workers are judged by all of their answers, whatever is filtered.")
    if not len(analysis.study.checks):
        notes.append("No worker met a gold or attention check, so these signals say nothing.")
    if by_hand := len(analysis.filters.excluded_workers):
        notes.append(
            f"{count(by_hand, 'worker')} named by hand {'is' if by_hand == 1 else 'are'} left out of all of this, and of the other sections."
        )
    return tuple(notes)


def _workers(analysis: Analysis) -> Figure:
    found = analysis.worker_table
    found = found[found.index.isin(analysis.filtered.answers["worker"].unique())]
    timed = bool(found["seconds"].notna().any())
    x = "seconds" if timed else "n"
    rows = pd.DataFrame(
        {
            "worker": found.index.astype(str),
            "answers": found["n"].to_numpy(),
            "seconds": found["seconds"].to_numpy(dtype=float, na_value=float("nan")),
            "agreement": found["useful_agreement"].to_numpy(dtype=float, na_value=float("nan")),
            "ease gap": found["ease_gap"].to_numpy(dtype=float, na_value=float("nan")),
            "checks passed": found["checks_passed"].to_numpy(dtype=float, na_value=float("nan")),
            "same rating": found["same_rating"].to_numpy(dtype=float, na_value=float("nan")),
            "copied": found["copied_long"].to_numpy(dtype=float, na_value=float("nan")),
            "state": [OUT if excluded else KEPT for excluded in found["excluded"]],
            "signals": found["signals"].to_numpy(),
        }
    )
    drawn = rows[rows["ease gap"].notna() & (rows["seconds"].gt(0) if timed else True)]
    reason = None
    if rows.empty:
        reason = nothing(analysis)
    elif rows["ease gap"].isna().all():
        reason = "no item has ratings of ease by two workers"
    elif drawn.empty:
        reason = "the times on task of those who rated the same item as another worker are not known"
    where = "seconds" if x == "seconds" else "answers"
    return figure(
        analysis,
        id="workers",
        title="Workers: time, and distance from the others",
        caption=f"Each point is a worker: {'median time on task' if timed else 'number of answers'}, and the mean distance of their ease ratings from the average "
        "of the other workers of the same item. Disagreement is no reason for exclusion; it is shown, but is not a signal.",
        subtitle=f"{count(len(rows), 'worker')}, judged by all of their answers",
        computed=how(
            analysis,
            "median of seconds; mean over a worker's answers of |rating − mean rating of the others of the item|",
            n=f"{count(len(drawn), 'worker')} who rated the ease of an item that another one rated, too",
            packages=("numpy", "pandas"),
        ),
        text="",
        data=rows,
        content=None
        if reason
        else charts.cloud(
            drawn,
            x=where,
            y="ease gap",
            x_title="Median seconds an answer (log scale)" if timed else "Answers",
            y_title="Mean distance from the others' ease",
            opens="worker",
            colour="state",
            colours=scale({KEPT: BLUE, OUT: ORANGE}),
            log_x=timed,
        ),
        reason=reason,
        opens="worker",
    )


def _effect(analysis: Analysis) -> Figure:
    effect = analysis.effect_of_exclusions
    shares = [name for name in effect.index if str(name).startswith(("share", "mean agreement", "alpha"))]
    parts = []
    for side, series in (("all", "everybody"), ("kept", "without the excluded")):
        rows = effect.loc[shares, [side, f"{side}_low", f"{side}_high"]].set_axis(["value", "low", "high"], axis=1)
        parts.append(rows.rename(index=_short).rename_axis("label").reset_index().assign(series=series))
    drawn = pd.concat(parts, ignore_index=True)
    drawn = drawn[drawn["value"].notna()].astype(dict.fromkeys(("value", "low", "high"), "float64"))
    reason = None if len(drawn) else nothing(analysis)
    if not len(analysis.filtered.answers):
        reason = nothing(analysis)
    elif analysis.rule is None:
        reason = "no rule of exclusion is set"
    elif not len(analysis.excluded_workers):
        reason = "the rule excludes nobody"
    return figure(
        analysis,
        id="effect_of_exclusions",
        title="What excluding workers changes",
        caption=f"Headline numbers with everybody and without those whom the rule leaves out, with {level(analysis.options.confidence)} intervals.",
        computed=_how(analysis),
        text="",
        subtitle=f"{count(len(analysis.filtered.answers), 'answer')} with everybody",
        data=drawn,
        content=None
        if reason
        else charts.intervals(
            drawn,
            x_title="Value (shares as fractions)",
            colours=scale({"everybody": GREY, "without the excluded": BLUE}),
            step=15,
        ),
        reason=reason,
    )


def _how(analysis: Analysis) -> str:
    rule = markdown(rule_in_words(analysis.rule)) if analysis.rule else "none"
    return how(
        analysis,
        "every headline number computed twice, with all workers and without the excluded ones",
        n=f"{count(len(analysis.filtered.answers), 'answer')} with everybody",
        intervals=f"{TWO_WAY} for shares and means, of agreement with pairs of descriptions; alphas over items (jackknife); Wilson for votes",
        extra=[("Rule", rule)],
        packages=PACKAGES,
    )


def _effect_table(analysis: Analysis) -> Table:
    rows = analysis.effect_of_exclusions.reset_index()
    sizes = {"share of answers": len(analysis.filtered.answers), "share of items": analysis.filtered.n_items}

    def cell(measure: str, value: object) -> str:
        n = next((size for name, size in sizes.items() if measure.startswith(name)), None)
        return _cell(measure, value, n)

    shown = pd.DataFrame(
        [
            [
                _measure(row["measure"]),
                *(cell(row["measure"], row[name]) for name in ("all", "kept", "change")),
                _ends(row, "all", cell),
                _ends(row, "kept", cell),
            ]
            for row in records_of(rows)
        ],
        columns=["measure", "everybody", "without the excluded", "change", "interval, everybody", "interval, without"],
    )
    return table(
        analysis,
        rows,
        id="effect_of_exclusions_table",
        title="Every headline number with and without the excluded workers",
        caption="Whether the conclusions hang on who is left out.",
        computed=_how(analysis),
        shown=shown,
    )


def _measure(name: object) -> str:
    """A headline number by the words of the other sections."""
    return (
        str(name).replace("alpha of useful", "alpha of preference").replace("concatenated descriptions", "short and long as one")
    )


def _short(name: object) -> str:
    """The same on an axis."""
    text = _measure(name)
    for long, short in (
        ("share of items with ease and confidence above", "items, both above"),
        ("share of items that vote for none", "items that vote none"),
        ("share of answers for", "answers,"),
        ("mean agreement of ", "agreement, "),
        ("alpha of", "alpha,"),
        (" descriptions", ""),
    ):
        text = text.replace(long, short)
    return text


def _cell(measure: str, value: object, n: int | None) -> str:
    if measure.startswith("share"):
        return share(value, n)
    if measure.startswith("mean") or measure.startswith("alpha"):
        return decimal(value, 3)
    return decimal(value, 0)


def _ends(row: dict[str, object], side: str, cell: Callable[[str, object], str]) -> str:
    low, high = row[f"{side}_low"], row[f"{side}_high"]
    return "" if is_missing(low) or is_missing(high) else f"{cell(str(row['measure']), low)} to {cell(str(row['measure']), high)}"


def _worker_table(analysis: Analysis) -> Table:
    rows = analysis.worker_table.reset_index().sort_values(["excluded", "n"], ascending=[False, False], kind="stable")
    first = ["worker", "excluded", "signals", "n", "answers_kept"]
    kinds = dict.fromkeys(("checks_passed", "speed", "same_rating", "copied_long", "copied_short", "useful_agreement"), "share")
    return table(
        analysis,
        rows,
        id="workers_table",
        title="Workers",
        caption="By pseudonym, those whom the rule excludes first. Speed: median time over that of the median worker. Same rating: answers with the worker's most "
        "frequent combination of ease, confidence and preference. Copied: descriptions repeated from another item. Gap: distance from the others' ratings.",
        shown=as_text(rows[[*first, *(name for name in rows if name not in first)]], **kinds),
        items_column="worker",
        reason=None if len(rows) else nothing(analysis),
    )
