"""What `barlow show` prints: failure modes, what a search found, groups, the state of a run, the tree of one group."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from barlow_core.analyses import ExplainRecord, FoundRule, found_rules, load_analysis, searched_groups
from barlow_core.analyses.same_images import behind, mode_name, shown_once
from barlow_core.analyses.verdicts import CONFIRMED, ranked, verdict_counts
from barlow_core.errors import BarlowError
from barlow_core.failure_tree import Node
from barlow_core.run import Run
from barlow_core.views.feature_names import names_for, read_names, rules_in_words
from barlow_core.views.marks import FeatureMark, study_marks
from barlow_core.views.search import NONE_CONFIRMED, direction_words, search_words

HEADERS = {
    "in_words": "in words",
    "n_images": "images",
    "n_failures": "failures",
    "ber": "BER",
    "error_rate": "ER",
    "increase": "ER - BER",
    "error_coverage": "EC",
    "importance_value": "IV",
    "aler": "ALER",
    "failure_modes": "modes",
    "n_images_first": "images 1",
    "n_images_second": "images 2",
    "error_rate_first": "ER 1",
    "error_rate_second": "ER 2",
    "difference": "ER 2 - ER 1",
    "held_out_error_rate_first": "held-out ER 1",
    "held_out_error_rate_second": "held-out ER 2",
    "n_groups": "groups",
    "n_explained": "explained",
    "valid_share": "valid",
    "held_out_valid_share": "held-out valid",
    "mean_ber": "mean BER",
    "mean_aler_increase": "mean ALER - BER",
    "mean_held_out_aler_increase": "mean held-out ALER - BER",
    "min_leaf": "min leaf",
    "groups_with_modes": "groups with modes",
    "aler_increase": "ALER - BER",
    "held_out_aler_increase": "held-out ALER - BER",
    "held_out_error_rate": "held-out ER",
    "held_out_increase": "held-out ER - BER",
    "held_out_n_images": "held-out images",
    "short_agreement": "same images",
    "held_out_n_seen": "near-duplicates",
    "n_duplicates": "near-duplicates",
    "held_out_q": "held-out q",
    "verdict_reason": "why",
    "also": "mostly the same images",
    "same_as": "mostly the images of",
}
ENDS = ("low", "high")
PIPE_WIDTH = 200  # columns where there is no terminal to ask
SHARES = (
    "ber",
    "error_rate",
    "error_rate_first",
    "error_rate_second",
    "error_coverage",
    "importance_value",
    "held_out_error_rate",
    "held_out_error_rate_first",
    "held_out_error_rate_second",
    "stability",
    "short_agreement",
    "groups_with_modes",
    "overlap",
    "accuracy",
    "core_accuracy",
    "spurious_accuracy",
    "mean_ber",
    "valid_share",
    "held_out_valid_share",
)
DIFFERENCES = (
    "gap",
    "random_gap",
    "beyond_random",
    "increase",
    "held_out_increase",
    "difference",
    "mean_aler_increase",
    "mean_held_out_aler_increase",
)
# Shown to a person; JSON has every column.
SHOWN = {
    "modes": (
        "group",
        "rule",
        "in_words",
        "marks",
        "n_images",
        "n_failures",
        "ber",
        "error_rate",
        "increase",
        "held_out_error_rate",
        "held_out_increase",
        "held_out_n_seen",
        "error_coverage",
        "importance_value",
        "held_out_q",
        "q",
        "stability",
        "verdict",
        "verdict_reason",
        "also",
        "same_as",
    ),
    "comparison": (
        "verdict",
        "group",
        "rule",
        "n_images_first",
        "error_rate_first",
        "n_images_second",
        "error_rate_second",
        "difference",
        "held_out_error_rate_first",
        "held_out_error_rate_second",
        "overlap",
    ),
    "search": (
        "group",
        "in_words",
        "marks",
        "short_agreement",
        "held_out_n_images",
        "held_out_error_rate",
        "held_out_increase",
        "held_out_n_seen",
        "held_out_q",
        "stability",
        "n_images",
        "n_failures",
        "verdict",
        "verdict_reason",
    ),
    "evaluation": (
        "run",
        "grouping",
        "depth",
        "n_groups",
        "n_explained",
        "valid_share",
        "held_out_valid_share",
        "mean_ber",
        "mean_aler_increase",
        "mean_held_out_aler_increase",
    ),
}


def failure_modes(run: Run, *, depth: int | None = None, everything: bool = False, rank: str = "evidence") -> pd.DataFrame:
    """The failure modes of the trees of one depth (None: the deepest), by the names that people gave to features as well, where the
    run has them.

    Args:
        everything: also those that are not confirmed, and those that hold mostly the same images as one before them, whose names
            are otherwise in the column also; ranked by importance value, as the paper does, all are there anyway.
        rank: of `verdicts.RANKS`.
    """
    modes = run.failure_modes()
    found = shown_once(ranked(modes[modes["depth"] == _depth(run, depth)], rank))
    if not everything and rank == "evidence":
        others = behind(found)
        found = found[(found["verdict"] == CONFIRMED) & found["same_as"].isna()].reset_index(drop=True)
        shown = map(mode_name, found["group"], found["depth"], found["leaf"])
        found["also"] = pd.array([", ".join(others[one]) if one in others else pd.NA for one in shown], dtype="string")
    if names := read_names(run.path):
        found.insert(int(found.columns.get_loc("rule")) + 1, "in_words", rules_in_words(found, names))  # type: ignore[arg-type]
    if marks := study_marks(run.path):
        found.insert(int(found.columns.get_loc("rule")) + 1, "marks", _marked(found, marks))  # type: ignore[arg-type]
    return found


def _marked(modes: pd.DataFrame, marks: Mapping[tuple[str, int], FeatureMark]) -> list[str | None]:
    """What people said of the features of rules: "83 core, 12 spurious"."""
    words = []
    for group, features in zip(modes["group"], modes["features"], strict=True):
        known = {int(feature): marks.get((str(group), int(feature))) for feature in features}
        said = [f"{feature} {mark.mark}" + (" (simulated)" if mark.simulated else "") for feature, mark in known.items() if mark]
        words.append(", ".join(said) or None)
    return words


def _depth(run: Run, depth: int | None) -> int:
    deepest = ExplainRecord.of(run).settings.depth
    if depth is not None and not 1 <= depth <= deepest:
        raise BarlowError(
            f"{run.path} has no trees of depth {depth}. Expected 1 to {deepest}; deeper ones come from: "
            f"barlow explain {run.path} --depth {depth if depth > deepest else deepest}"
        )
    return deepest if depth is None else depth


def groups(run: Run, *, depth: int | None = None) -> pd.DataFrame:
    """The groups with their error rates and ALER, and how many failure modes each has at `depth` (None: the deepest)."""
    table, modes = run.groups(), run.failure_modes()
    chosen = _depth(run, depth)
    counts = modes.loc[modes["depth"] == chosen, "group"].value_counts()
    table["failure_modes"] = table["group"].map(counts).fillna(0).astype(int)
    table["reason"] = table["reason"].fillna("")
    return table


def status(run: Run, *, depth: int | None = None) -> pd.DataFrame:
    """The stages of a run and the command that brings each up to date."""
    return run.status()


NOTHING_PASSES = "Nothing to show: no leaf passes delta and tau. Try smaller ones: barlow explain RUN --delta 0.05 --tau 0.1"


def print_table(
    table: pd.DataFrame,
    columns: Sequence[str] = (),
    *,
    sort: str | None = None,
    limit: int = 20,
    as_json: bool = False,
    empty: str = NOTHING_PASSES,
) -> None:
    """Print `columns` of `table` for a person, or all of it as JSON records; shares with four decimals, counts with separators.

    The interval of a difference goes into the cell of the difference. `empty` is printed where there is no row.

    Raises:
        BarlowError: `sort` names no column.
    """
    if sort is not None:
        if sort not in table.columns:
            raise BarlowError(f"No column is called {sort!r}. Expected one of: {', '.join(table.columns)}.")
        table = table.sort_values(sort, ascending=False, kind="stable")
    if as_json:
        print(table.head(limit).to_json(orient="records", indent=1))
        return
    terminal = console()
    if table.empty:
        terminal.print(empty)
        return
    out = Table(box=None, header_style="bold")
    for column in columns or table.columns:
        numeric = pd.api.types.is_numeric_dtype(table[column])
        header = HEADERS.get(column, column.replace("aler_depth_", "ALER ").replace("_depth_", " "))
        out.add_column(
            header, justify="right" if numeric else "left", overflow="fold", no_wrap=numeric, min_width=None if numeric else 14
        )
    for row in table.head(limit).to_dict("records"):
        out.add_row(*(_cell(row, str(column)) for column in columns or table.columns))
    terminal.print(out)
    if len(table) > limit:
        terminal.print(f"… and {len(table) - limit:,} more (--limit {len(table)} shows all)", style="dim")


def print_modes(
    run: Run, *, depth: int | None, everything: bool, rank: str, sort: str | None, limit: int, as_json: bool
) -> pd.DataFrame:
    """Print `failure_modes`, below a line that says how many are certain and how many are not, and return them."""
    table = failure_modes(run, depth=depth, everything=everything, rank=rank)
    columns = for_people("modes", table)
    nothing = NOTHING_PASSES
    if not as_json:
        modes = failure_modes(run, depth=depth, everything=True)
        counts, n_same = verdict_counts(modes), int(modes["same_as"].notna().sum())
        words = ", ".join(f"{n:,} {verdict}" for verdict, n in counts.items())
        if n_same:
            words += f"; {n_same:,} {'holds' if n_same == 1 else 'hold'} mostly the same images as another"
        hidden = sum(counts.values()) - len(table)
        if not everything and rank == "evidence":  # all of them are confirmed
            columns = [column for column in columns if column not in ("verdict", "verdict_reason")]
        if hidden:
            nothing = "No failure mode is confirmed on held-out images."
            words += f" (--all shows the other {hidden:,})"
        if sum(counts.values()):
            console().print(f"Failure modes of depth {_depth(run, depth)}: {words}", style="dim")
    print_table(table, columns, sort=sort, limit=limit, as_json=as_json, empty=nothing)
    return table


def print_search(run: Run, *, everything: bool, sort: str | None = None, limit: int, as_json: bool) -> None:
    """Print what the search of a run found, below a line that says how much of it is certain and what could not be searched."""
    found = found_rules(run)
    table = found if everything else found[found["verdict"] == CONFIRMED]
    named = read_names(run.path)
    words = [
        direction_words(FoundRule(row), {f: name.name for f, name in names_for(named, str(row["group"])).items()})
        for row in table.to_dict("records")
    ]
    table = table.assign(in_words=words)
    columns = for_people("search", table)
    if not everything:
        columns = [column for column in columns if column not in ("verdict", "verdict_reason")]
    if not as_json:
        console().print(search_words(searched_groups(run), found, hidden=len(found) - len(table)), style="dim")
    print_table(table, columns, sort=sort, limit=limit, as_json=as_json, empty=NONE_CONFIRMED)


def console() -> Console:
    """A console as wide as the terminal; a pipe or a file gets whole lines."""
    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


def for_people(what: str, table: pd.DataFrame) -> list[str]:
    """The columns of a table (one of `SHOWN`, or "groups") that a person compares; what was not measured at all is left out."""
    measured = [str(column) for column in table if table[column].notna().any()]
    if what in SHOWN:
        return [column for column in SHOWN[what] if column in measured]
    if what == "groups":
        return [column for column in measured if not column.startswith(("grouping", "class_name", "held_out_"))]
    return measured


def _cell(row: dict[Any, Any], column: str) -> str:
    value = row[column]
    if column == "held_out_n_seen" and not pd.isna(value):
        return f"{value:,.0f} of {row['held_out_n_images']:,.0f}"
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return ""
    if column == "increase":  # Its interval would know nothing of the search that found the rule; the held-out one does.
        return f"{value:+.4f}"
    if column in DIFFERENCES:
        low, high = (row.get(f"{column}_{end}") for end in ENDS)
        interval = "" if low is None or pd.isna(low) else f" ({low:+.3f} to {high:+.3f})"
        return f"{value:+.4f}{interval}"
    if column in SHARES or column.startswith("aler") or column == "held_out_aler_increase":
        return f"{value:.4f}"
    if column in ("q", "held_out_q") or column.startswith(("p_", "q_")):
        return f"{value:.3g}"
    if isinstance(value, float):
        return f"{value:g}" if column in ("delta", "tau") else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def print_group(run: Run, key: str, *, depth: int | None = None, as_json: bool = False) -> None:
    """Print the tree of one group; its failure modes stand out.

    Raises:
        BarlowError: the group or the depth was not explained.
    """
    analysis = load_analysis(run, key, depth=depth)
    if as_json:
        print(json.dumps(analysis.tree.root.to_dict(), indent=1))
        return
    terminal = console()
    terminal.print(f"[bold]{key}[/bold]  {analysis.n_failures:,} failures in {analysis.n_images:,} images, ", end="")
    terminal.print(f"BER {analysis.ber:.4f}, ALER {analysis.aler:.4f} at depth {analysis.settings.depth}")
    if analysis.reason:
        terminal.print(f"Nothing to explain: {analysis.reason}.")
        return
    modes = {mode.number for mode in analysis.failure_modes}

    def label(node: Node, text: str) -> str:
        line = f"{text}   ER {node.error_rate:.4f}  EC {node.error_coverage:.4f}  ({node.n_failures:,}/{node.n_images:,})"
        return f"[bold red]{line}  ← failure mode[/bold red]" if node.number in modes else line

    def grow(branch: Tree, node: Node) -> None:
        if node.split is None or node.below is None or node.above is None:
            return
        for child, split in ((node.below, node.split), (node.above, node.split.opposite())):
            grow(branch.add(label(child, str(split).replace("[", r"\["))), child)

    root = Tree(label(analysis.tree.root, "all images"))
    grow(root, analysis.tree.root)
    terminal.print(root)
    terminal.print(f"\nSelected features (nats): {', '.join(f'{f} ({i:.3f})' for f, i in _top(analysis, 8))} …")


def _top(analysis: Any, n: int) -> list[tuple[int, float]]:
    return list(zip(analysis.features[:n].tolist(), analysis.information[:n].tolist(), strict=True))
