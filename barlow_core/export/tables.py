"""Everything that was found, as tables: CSV for a spreadsheet, Parquet for pandas and R, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from barlow_core.analyses import FoundRule, found_rules, rule_images, searched_groups
from barlow_core.conditions import ColumnCondition
from barlow_core.errors import BarlowError
from barlow_core.export.chosen import found, strongest
from barlow_core.failure_tree import Condition, condition_from
from barlow_core.run import Run
from barlow_core.storage.files import atomic_write
from barlow_core.views.feature_names import Names, name_of
from barlow_core.views.images import activation, images_at, images_of
from barlow_core.views.judgements import Judgements
from barlow_core.views.marks import study_marks
from barlow_core.views.sentences import rule_words

FORMATS = ("csv", "parquet", "json")
NAMES = (
    "images",
    "groups",
    "failure_modes",
    "failure_mode_images",
    "search_groups",
    "search_rules",
    "search_rule_images",
    "judgements",
)


def export_tables(
    run: Run,
    folder: str | Path,
    *,
    formats: Sequence[str] = ("csv",),
    depth: int | None = None,
    judgements: Judgements | None = None,
    names: Names | None = None,
) -> list[Path]:
    """Write the tables of `frames` into a folder, one file a table and format; files of the same names are replaced.

    Args:
        folder: made when needed.
        formats: of `FORMATS`. JSON is one record a row; a list in a cell (the features of a rule) is a list in JSON and Parquet, and
            its numbers with spaces between in CSV.
        (others): see `frames`.

    Raises:
        BarlowError: an unknown format, a run that is not explained, a folder that cannot be written.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise BarlowError(f"Unknown format {unknown[0] if unknown else ''!r}. Expected one of: {', '.join(FORMATS)}.")
    folder = Path(folder)
    written = []
    try:
        for name, table in frames(run, depth=depth, judgements=judgements, names=names):
            for form in formats:
                path = folder / f"{name}.{form}"
                with atomic_write(path) as temporary:
                    _write(table, temporary, form)
                written.append(path)
    except OSError as error:
        raise BarlowError(f"{folder} cannot be written ({error.strerror or error}). Choose another folder.") from error
    return written


def frames(
    run: Run, *, depth: int | None = None, judgements: Judgements | None = None, names: Names | None = None
) -> Iterator[tuple[str, pd.DataFrame]]:
    """The tables of a run by name, each worked out when it is its turn.

    Args:
        depth: of the trees whose failure modes' images are listed; None for the deepest.
        judgements: what people said; None for none.
        names: that workers gave to features.

    Returns:
        images: as in images.parquet, with failure.
        groups: as in groups.parquet.
        failure_modes: as in failure_modes.parquet, of every depth, with the rule in words (rule_words); judgement_name,
            judgement_verdict, judgement_action, judgement_author and judgement_group (that it was said about), the one closest to
            the feature that decides it (`Judgements.latest`); worker_name, worker_support, worker_n. Columns that nobody filled
            are left out.
        failure_mode_images: one row an image of a failure mode: group, depth, leaf, rule, and the columns of `views.images_at`, with
            the activation of the deciding feature.
        search_groups, search_rules: as in the files of the run, where `barlow search` was run and is not out of date; and
            search_rule_images: one row an image of a rule: group, number (of the rule in it), value (the weighted sum less the
            threshold), and the columns of `views.images_at`.
        judgements: as `Judgements.history`, where there are any.
    """
    benchmark = run.benchmark
    images = benchmark.table
    if benchmark.predictions is not None:
        images = images.assign(failure=benchmark.failure)
    yield "images", images
    yield "groups", run.groups()
    yield "failure_modes", _failure_modes(run, judgements, names)
    yield "failure_mode_images", _mode_images(run, depth)
    if run.is_current("search"):
        yield "search_groups", searched_groups(run)
        yield "search_rules", found_rules(run)
        yield "search_rule_images", _rule_images(run)
    if judgements is not None:
        history = judgements.history()
        if len(history):
            yield "judgements", history


def _failure_modes(run: Run, judgements: Judgements | None, names: Names | None) -> pd.DataFrame:
    modes = run.failure_modes()
    marks = study_marks(run.path)
    rows = []
    for row in modes.itertuples():
        group, feature = str(row.group), None if pd.isna(row.feature) else int(row.feature)  # type: ignore[arg-type]
        said_of = judgements is not None and feature is not None
        judgement = judgements.latest(feature, group, str(row.rule)) if said_of else None  # type: ignore[union-attr, arg-type]
        name = None if feature is None else name_of(names, group, feature)
        mark = None if feature is None else marks.get((group, feature))
        rows.append(
            {
                "judgement_name": getattr(judgement, "name", None) or None,
                "judgement_verdict": getattr(judgement, "verdict", None),
                "judgement_action": getattr(judgement, "action", None),
                "judgement_author": getattr(judgement, "author", None),
                "judgement_group": getattr(judgement, "group", None),
                "worker_name": getattr(name, "name", None),
                "worker_support": getattr(name, "support", None),
                "worker_n": getattr(name, "n", None),
                "worker_simulated": getattr(name, "simulated", None),
                "worker_mark": None if mark is None else mark.words,
            }
        )
    said = pd.DataFrame(rows, index=modes.index).dropna(axis="columns", how="all")
    words = [rule_words(conditions_of(text)) for text in modes["conditions"]]
    modes.insert(int(modes.columns.get_loc("rule")) + 1, "rule_words", words)  # type: ignore[arg-type]
    return modes.join(said)


def conditions_of(text: str) -> list[Condition | ColumnCondition]:
    """The conditions of a rule out of their JSON in failure_modes.parquet."""
    return [condition_from(condition) for condition in json.loads(text)]


def _mode_images(run: Run, depth: int | None) -> pd.DataFrame:
    parts = []
    for chosen, _, node in found(run, strongest(run, depth=depth)):
        feature = next(iter(node.features), None)
        table = images_of(run, chosen.group, node)
        parts.append(
            table.drop(columns=[column for column in table if str(column).startswith("feature[")]).assign(
                group=chosen.group,
                depth=chosen.depth,
                leaf=chosen.leaf,
                rule=node.rule,
                feature=feature,
                activation=float("nan") if feature is None else table[activation(feature)],
            )
        )
    lead = ["group", "depth", "leaf", "rule"]
    if not parts:
        return pd.DataFrame(columns=[*lead, "position", "name", "label", "prediction", "failure"])
    whole = pd.concat(parts, ignore_index=True)
    return whole[lead + [column for column in whole if column not in lead]]


def _rule_images(run: Run) -> pd.DataFrame:
    parts = []
    for row in found_rules(run).to_dict("records"):
        rule = FoundRule(row)
        positions = rule_images(run, rule)
        value = rule.direction.values(run.features(), positions) - rule.threshold
        parts.append(images_at(run, positions).assign(group=rule.group, number=rule.number, value=value))
    lead = ["group", "number", "value"]
    if not parts:
        return pd.DataFrame(columns=[*lead, "position", "name", "label", "prediction", "failure"])
    whole = pd.concat(parts, ignore_index=True)
    return whole[lead + [column for column in whole if column not in lead]]


def _write(table: pd.DataFrame, path: Path, form: str) -> None:
    if form == "parquet":
        table.to_parquet(path, index=False)
    elif form == "json":
        table.to_json(path, orient="records", indent=1, force_ascii=False, double_precision=15)
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    else:
        lists = {column: table[column].map(_spaced) for column in _lists(table)}
        table.assign(**lists).to_csv(path, index=False, lineterminator="\n")


def _lists(table: pd.DataFrame) -> Iterable[str]:
    """Columns whose cells are lists."""
    return [
        str(column)
        for column in table
        if table[column].dtype == object and len(table) and not isinstance(table[column].iloc[0], str)
    ]


def _spaced(cell: object) -> object:
    return " ".join(map(str, cell)) if isinstance(cell, Iterable) and not isinstance(cell, str) else cell
