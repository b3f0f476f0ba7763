"""A report of chosen failure modes, and of what a search found, in one HTML file: it opens offline, prints, and follows the
reader's light or dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from barlow_core.analyses import ExplainRecord
from barlow_core.analyses.verdicts import CONFIRMED
from barlow_core.errors import BarlowError
from barlow_core.export.chosen import Chosen, found
from barlow_core.export.pictures import Embedded, Embedder, failure_pictures, histogram, panel_rows
from barlow_core.export.report_interventions import interventions_section
from barlow_core.export.report_search import has_rules, search_section
from barlow_core.failure_tree import Node
from barlow_core.panels import load_panel
from barlow_core.run import Run
from barlow_core.storage.files import atomic_write
from barlow_core.storage.shipped import report_template
from barlow_core.views.columns import column_values
from barlow_core.views.feature_names import Names, name_of
from barlow_core.views.features import distribution
from barlow_core.views.images import images_of, node_failures
from barlow_core.views.judgements import Judgements, judgement_words
from barlow_core.views.marks import study_marks
from barlow_core.views.nodes import node_rates
from barlow_core.views.run_tables import failure_mode, summary
from barlow_core.views.sentences import column_words, condition_words, group_words, luck_words, rule_words, same_images_words
from barlow_core.views.suggestions import suggest
from barlow_core.views.what_if import WhatIf
from barlow_core.wording import count, percent, percent_interval, points, points_interval

SUGGESTED = 8  # images shown beside a suggestion
VALUES = 12  # of a column of the metadata


def write_report(run: Run, path: str | Path, modes: Iterable[Sequence[Any]], **options: Any) -> Path:
    """Write `report` to a file, whole or not at all.

    Raises:
        BarlowError: as `report`; or the file cannot be written.
    """
    path = Path(path)
    text = report(run, modes, **options)
    try:
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BarlowError(f"{path} cannot be written ({error.strerror or error}). Choose another place.") from error
    return path


def report(
    run: Run,
    modes: Iterable[Sequence[Any]],
    *,
    judgements: Judgements | None = None,
    names: Names | None = None,
    images: int = 12,
    title: str | None = None,
    seed: int = 0,
) -> str:
    """The report as HTML, with nothing outside of it: styles inside, pictures as data URIs (`pictures.Embedder` bounds them).

    Args:
        modes: (group, depth, leaf) of each, in the order in which they are to stand; see `export.Chosen`. Failure modes that are not
            confirmed come last, folded.
        judgements: what people said about the features; None for nothing.
        names: that workers gave to features, by (group, feature) or by feature.
        images: failures of each failure mode, and of each rule of a search, that are shown.
        title: None for one with the name of the run.
        seed: of the draw of failures.

    Raises:
        BarlowError: nothing is chosen while no search found anything; or something that does not exist.
    """
    chosen = found(run, modes)
    if not chosen and not has_rules(run):
        raise BarlowError("No failure mode was chosen, so there is nothing to report. Choose one or more.")
    embed = Embedder()
    sections = [
        _section(run, f"mode-{i}", one, evaluation, node, judgements, names, embed, images, seed)
        for i, (one, evaluation, node) in enumerate(chosen, 1)
    ]
    search = search_section(run, judgements, names, embed, images)
    about = summary(run)
    return report_template("barlow_core.export", percent=percent, points=points).render(
        title=title or f"Failure modes of {about.name}",
        about=about,
        run=run.path.resolve().name,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=_version(),
        settings=ExplainRecord.of(run).settings,
        measured=measured_words(run),
        sections=[one for one in sections if one["verdict"] in (CONFIRMED, None)],
        guesses=[one for one in sections if one["verdict"] not in (CONFIRMED, None)],
        search=search,
        left_out=embed.left_out,
        count=count,
    )


def measured_words(run: Run) -> list[str]:
    """On which images the numbers of a run were measured, in sentences."""
    checks = ExplainRecord.of(run).checks
    words = []
    if checks.held_out == "split":
        words.append(f"Rules were searched on the images whose Split is {checks.search_split}, and measured again on the others.")
    else:
        words.append(
            "Rules were searched on all images. Rates on the images that were searched are too high, the more so for small leaves."
        )
        if checks.held_out == "cross-fit":
            words.append(
                f"Held-out numbers come from cross-fitting: the search was repeated {checks.folds} times, each time without the "
                "images on which its findings were measured."
            )
        else:
            words.append("Nothing was measured on held-out images.")
    if checks.held_out != "none":
        words.append(
            f"Held-out numbers have intervals of {checks.confidence * 100:g} %. Numbers on the images that were searched have none: it "
            "would not account for the search."
        )
    return words


def _section(
    run: Run,
    anchor: str,
    chosen: Chosen,
    evaluation: WhatIf,
    node: Node,
    judgements: Judgements | None,
    names: Names | None,
    embed: Embedder,
    images: int,
    seed: int,
) -> dict[str, Any]:
    """All that the template says about one failure mode, as plain values."""
    grouping, _, name = chosen.group.partition(":")
    rates = node_rates(run, chosen.group, evaluation)
    row = rates[rates["node"] == node.number].iloc[0]
    drawn = node_failures(run, chosen.group, node, n=images, seed=seed)
    mode = _mode(run, chosen, evaluation)
    suggestions = [
        {
            "text": suggestion.text,
            "measured_on": suggestion.measured_on,
            "images": [] if suggestion.images is None else _pictures(suggestion.images.head(SUGGESTED), embed),
        }
        for suggestion in suggest(run, chosen.group, evaluation, node.number)
    ]
    conditions = condition_words(node.conditions)
    return {
        "anchor": anchor,
        "group": chosen.group,
        "title": group_words(grouping, name).title,
        "failures_are": group_words(grouping, name).failures,
        "rule": rule_words(node.conditions),
        "formal": node.rule,
        "depth": chosen.depth,
        "is_mode": bool(pd.notna(row["rank"])),
        "words": evaluation.words,
        "row": row.to_dict(),
        "ber": evaluation.analysis.ber,
        "n_images": evaluation.analysis.n_images,
        "in_sample": _in_sample(row, evaluation),
        "held_out": _held_out(row),
        "checked": _checked(mode),
        "verdict": None if mode is None else str(mode["verdict"]),
        "verdict_reason": None if mode is None else str(mode["verdict_reason"]),
        "tree": [_branch(branch, node) for branch in rates.to_dict("records")],
        "features": [
            _feature(run, chosen.group, node, feature, conditions[feature], judgements, names, embed) for feature in node.features
        ],
        "columns": [_column(run, chosen.group, node, column, said) for column, said in column_words(node.conditions).items()],
        **interventions_section(run, chosen, node, embed, refitted=evaluation.refitted),
        "failures": failure_pictures(drawn, embed),
        "n_failures": int(row["n_failures"]),
        "suggestions": suggestions,
        "seed": seed,
        "example_of": len(images_of(run, chosen.group, node)),
    }


def _in_sample(row: pd.Series, evaluation: WhatIf) -> list[tuple[str, str]]:
    return [
        ("Images", f"{row['n_images']:,}"),
        ("Failures", f"{row['n_failures']:,}"),
        ("Error rate (ER)", percent(row["error_rate"])),
        ("Base error rate of the group (BER)", percent(evaluation.analysis.ber)),
        ("ER \N{MINUS SIGN} BER", points(row["increase"])),
        ("Error coverage (EC)", percent(row["error_coverage"])),
        ("Importance value (ER \N{MULTIPLICATION SIGN} EC)", f"{row['importance_value']:.4f}"),
    ]


def _held_out(row: pd.Series) -> list[tuple[str, str]]:
    if pd.isna(row["held_out_n_images"]):
        return []
    n = int(row["held_out_n_images"])
    found = [("Images", f"{n:,}"), ("Failures", f"{int(row['held_out_n_failures']):,}")]
    if n:
        rate, increase = (
            percent_interval(row["held_out_error_rate_low"], row["held_out_error_rate_high"]),
            points_interval(row["held_out_increase_low"], row["held_out_increase_high"]),
        )
        found += [
            ("Error rate (ER)", f"{percent(row['held_out_error_rate'])} ({rate})"),
            ("ER \N{MINUS SIGN} BER", f"{points(row['held_out_increase'])} ({increase})"),
        ]
        if not pd.isna(row["held_out_error_coverage"]):
            found.append(("Error coverage (EC)", percent(row["held_out_error_coverage"])))
    if not pd.isna(row["held_out_agreement"]):
        found.append(("Agreement of the rules found again", percent(row["held_out_agreement"])))
    return found


def _mode(run: Run, chosen: Chosen, evaluation: WhatIf) -> pd.Series | None:
    """The failure mode of the run that is exactly this leaf; None where there is none."""
    if evaluation.refitted:
        return None
    try:
        return failure_mode(run, chosen.group, depth=chosen.depth, leaf=chosen.leaf)
    except KeyError:
        return None


def _checked(mode: pd.Series | None) -> list[tuple[str, str]]:
    """p, q and stability, where the run has them."""
    found: list[tuple[str, str]] = []
    if mode is None:
        return found
    same = same_images_words(mode)
    if same:
        found.append(("Mostly the same images", "; ".join(same)))
    luck = luck_words(mode)
    if luck is not None:
        found.append(("Permutation test of the tree", luck))
    if not pd.isna(mode["stability"]):
        found.append(("Chosen again on random halves", percent(mode["stability"])))
    seen, n_blocks = mode.get("held_out_n_seen"), mode.get("held_out_n_blocks")
    if not pd.isna(seen) and seen > 0:
        found.append(("Near-duplicates of searched images", f"{int(seen):,} of {int(mode['held_out_n_images']):,}"))
    if not pd.isna(n_blocks):
        found.append(("Blocks of images kept together", f"{int(n_blocks):,}"))
    return found


def _column(run: Run, key: str, node: Node, column: str, condition: str) -> dict[str, Any]:
    """A column of the metadata in a rule: what is asked of it, and how often its values fail."""
    values = column_values(run, key, column, node=node).head(VALUES)
    return {
        "name": column,
        "condition": condition,
        "values": values.assign(rate=values["error_rate"].map(percent)).to_dict("records"),
    }


def _branch(branch: dict[Any, Any], node: Node) -> dict[str, Any]:
    return branch | {
        "here": branch["node"] == node.number,
        "mode": bool(pd.notna(branch["rank"])),
        "label": branch["split"] or "all images of the group",
        "held_out": "" if pd.isna(branch["held_out_error_rate"]) else percent(branch["held_out_error_rate"]),
    }


def _feature(
    run: Run,
    group: str,
    node: Node,
    feature: int,
    condition: str,
    judgements: Judgements | None,
    names: Names | None,
    embed: Embedder,
) -> dict[str, Any]:
    spread = distribution(run, group, feature, node=node)
    name = name_of(names, group, feature)
    said = [] if judgements is None else judgements.of_feature(feature)
    return {
        "number": feature,
        "condition": condition,
        "name": name.words if name is not None else None,
        "mark": mark.words if (mark := study_marks(run.path).get((group, feature))) is not None else None,
        "judgements": [
            judgement_words(judgement)
            + ("" if judgement.group in (None, group) else f" \N{EN DASH} said about {judgement.group}")
            for judgement in said
        ],
        "histogram": histogram(spread),
        "thresholds": [f"{threshold:.4g}" for threshold in spread.thresholds],
        "spread": spread.what,
        "n_zero": spread.n_zero,
        "rows": panel_rows(load_panel(run, group, feature), embed),
    }


def _pictures(table: pd.DataFrame, embed: Embedder) -> list[dict[str, Embedded | str]]:
    return [
        {
            "picture": embed(row["path"]),
            "alt": f"{row['label']} image {row['name']}"
            + ("" if pd.isna(row["prediction"]) else f", predicted {row['prediction']}"),
            "caption": str(row["label"])
            if pd.isna(row["prediction"]) or row["prediction"] == row["label"]
            else f"{row['label']} as {row['prediction']}",
        }
        for row in table.to_dict("records")
    ]


def _version() -> str:
    try:
        return version("barlow")
    except PackageNotFoundError:
        return "unknown"
