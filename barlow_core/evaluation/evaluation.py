"""How well failure modes explain failures, over all classes: the automatic evaluation of the paper (section 7, appendix E).

For each run (a model under inspection, or an extractor), grouping and depth:
    ALER - BER of every class (Definition 4), against its BER: the data of Figures 8 and 15 to 20.
    The best leaf of every class, that with the highest importance value IV = ER * EC (Definition 5), and whether it is valid.

Valid, as Table 1 has it: "the leaf nodes that satisfy these two conditions: ER > BER + delta and EC > tau, with delta = 0.1 and
tau = 0.2", where section 7 and appendix E say which leaf of a tree is looked at: "We also select the leaf with highest importance
value for each decision tree and evaluate whether the cluster of data in this leaf satisfies the two conditions". Section 7 also
speaks of "the fraction of classes with at least one valid leaf", which is the same or more (a leaf that is not the best can be
valid while the best is not); both are given.

All of this is measured on the images that were searched, as in the paper, where every tree gains by luck. The columns with
`held_out_` are the same measures on images that took no part in the search (`statistics.held_out` says which).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from barlow_core.analyses.record import ExplainRecord, GroupResult, TreeMeasures, load_results
from barlow_core.errors import BarlowError
from barlow_core.failure_modes import failure_modes, is_failure_mode
from barlow_core.groups import CLASS_GROUPINGS
from barlow_core.run import Run
from barlow_core.storage.files import atomic_write, write_parquet

GROUP_COLUMNS = {
    "run": "string",
    "group": "string",
    "grouping": "string",
    "class_name": "string",
    "depth": "int64",
    "n_images": "int64",
    "n_failures": "int64",
    "ber": "float64",
    "aler": "float64",
    "aler_increase": "float64",
    "held_out_n_images": "Int64",
    "held_out_ber": "float64",
    "held_out_aler_increase": "float64",
    "held_out_aler_increase_low": "float64",
    "held_out_aler_increase_high": "float64",
    "n_leaves": "int64",
    "n_failure_modes": "int64",
    "leaf": "int64",
    "rule": "string",
    "leaf_n_images": "int64",
    "leaf_n_failures": "int64",
    "error_rate": "float64",
    "error_coverage": "float64",
    "importance_value": "float64",
    "increase": "float64",
    "valid": "bool",
    "leaf_held_out_n_images": "Int64",
    "held_out_error_rate": "float64",
    "held_out_error_coverage": "float64",
    "held_out_increase": "float64",
    "held_out_valid": "boolean",
    "reason": "string",
}
CELL = ["run", "grouping", "depth"]  # one row of the summary, one series of a plot
# Column of `Evaluation.groups` -> what it was measured on.
INCREASES = {"aler_increase": "searched", "held_out_aler_increase": "held out"}


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        groups: one row a run, grouping, depth and class. The group's n_images, n_failures, ber; the tree's aler, aler_increase
            (ALER - BER), n_leaves, n_failure_modes (valid leaves of any IV); of its best leaf leaf (number), rule,
            leaf_n_images, leaf_n_failures, error_rate, error_coverage, importance_value, increase (ER - BER), valid. The same on
            held-out images: held_out_n_images, held_out_ber, held_out_aler_increase (corrected for the luck of small leaves,
            with its interval _low, _high), leaf_held_out_n_images, held_out_error_rate, held_out_error_coverage,
            held_out_increase, held_out_valid; missing where nothing was held out. reason: why there is nothing to explain,
            missing where there is. A group with a reason has a tree of one leaf, which is not valid.
        summary: one row a run, grouping and depth.
            n_groups: classes with images in this grouping; n_explained: those with something to explain.
            n_valid, valid_share: classes whose best leaf is valid, and their share of n_groups (Table 1).
            any_valid_share: share of n_groups with any valid leaf.
            n_held_out: classes that could be measured on held-out images; held_out_valid_share: of these, the share whose best
            leaf is valid there.
            mean_ and median_aler_increase: over n_explained classes; mean_ and median_held_out_aler_increase: over n_held_out.
            mean_ber: over n_explained classes.
        comparisons: what the comparison plots show, in numbers: one row for each two groupings (of the same run and depth), runs
            (same grouping and depth) or depths (same run and grouping), and for what they were measured_on ("searched" or "held
            out"). n_classes: measured in both; mean_first, mean_second: of ALER - BER; difference: second - first, with _low and
            _high its interval of Student's t over classes; share_higher: of the classes, where the second has more.
        delta, tau: of a valid leaf.
        confidence: of the intervals of `comparisons`.
        held_out: what "held out" means in each run: "cross-fit", "split" or "none".
    """

    groups: pd.DataFrame
    summary: pd.DataFrame
    comparisons: pd.DataFrame
    delta: float
    tau: float
    confidence: float
    held_out: dict[str, str]

    def __repr__(self) -> str:
        shown = {
            "run": "run",
            "grouping": "grouping",
            "depth": "depth",
            "n_groups": "classes",
            "n_explained": "explained",
            "valid_share": "valid",
            "held_out_valid_share": "valid, held out",
            "mean_aler_increase": "ALER - BER",
            "mean_held_out_aler_increase": "ALER - BER, held out",
        }
        table = self.summary[list(shown)].rename(columns=shown)
        return (
            f"Evaluation: a class is valid when its best leaf has ER > BER + {self.delta:g} and EC > {self.tau:g}; "
            f"ALER - BER is a mean over classes\n{table.to_string(index=False, float_format='{:.3f}'.format, na_rep='-')}"
        )

    def save(self, folder: str | Path, *, figures: bool = True) -> list[Path]:
        """Write the tables as CSV and Parquet, and the plots as PNG and SVG; the same runs give the same bytes.

        Args:
            folder: made when needed; files of the same names are replaced.
            figures: False for the tables only.

        Returns:
            What was written: summary, groups and comparisons (.csv and .parquet), and figures (see `plots.figures`).
        """
        folder, written = Path(folder), []
        for name in ("summary", "groups", "comparisons"):
            table: pd.DataFrame = getattr(self, name)
            with atomic_write(folder / f"{name}.csv") as temporary:
                table.to_csv(temporary, index=False, lineterminator="\n")
            write_parquet(folder / f"{name}.parquet", table)
            written += [folder / f"{name}.csv", folder / f"{name}.parquet"]
        if figures:
            from barlow_core.evaluation import plots  # tables do without what renders them

            for name, figure in plots.figures(self.groups, self.held_out):
                written += plots.save(figure, folder / name)
        return written


def evaluate(
    runs: Sequence[Run],
    *,
    names: Sequence[str] | None = None,
    depths: Sequence[int] | None = None,
    groupings: Sequence[str] | None = None,
    delta: float | None = None,
    tau: float | None = None,
    confidence: float = 0.95,
) -> Evaluation:
    """Evaluate the trees of finished runs as section 7 and appendix E of the paper do.

    Args:
        runs: explained, such as one of a standard and one of a robust model.
        names: what to call them; None for the names of their folders.
        depths: which to evaluate; None for all there are.
        groupings: which to evaluate; None for those of classes, over which the paper's measures are defined.
        delta, tau: of a valid leaf; None for those that the runs were explained with. The paper's are 0.1 and 0.2.
        confidence: of the intervals of `Evaluation.comparisons`.

    Raises:
        BarlowError: a run that is not explained, given twice, or without a depth or grouping that is asked for; runs with
            different delta or tau, where none is given; an argument out of range.

    Cost: reading trees.json, about 1 ms for each tree; no feature is read.
    """
    if not runs:
        raise BarlowError("No run to evaluate. Name at least one that `barlow explain` has finished.")
    if not 0 < confidence < 1:
        raise BarlowError(f"confidence is {confidence}. Expected a number between 0 and 1, such as 0.95.")
    called = run_names(runs, names)
    delta, tau = agreed(runs, called, "delta", delta), agreed(runs, called, "tau", tau)
    rows: list[dict[str, Any]] = []
    for run, name in zip(runs, called, strict=True):
        results = load_results(run)
        _require_all(results, name, depths, groupings)
        for result in results.values():
            if result.grouping in (CLASS_GROUPINGS if groupings is None else groupings):
                rows += _rows(name, result, depths, delta, tau)
    table = pd.DataFrame(rows, columns=list(GROUP_COLUMNS)).astype(GROUP_COLUMNS)
    if table.empty:
        raise BarlowError(
            f"No group of classes was explained in {', '.join(called)}. Explain some (barlow explain {runs[0].path}), or name a "
            "grouping that was (--grouping)."
        )
    held_out = {name: ExplainRecord.of(run).checks.held_out for run, name in zip(runs, called, strict=True)}
    return Evaluation(table, _summary(table), _comparisons(table, confidence), delta, tau, confidence, held_out)


def run_names(runs: Sequence[Run], names: Sequence[str] | None = None) -> list[str]:
    """What to call runs: `names`, or else the names of their folders, with as many of the folders above as tell them apart.

    Raises:
        BarlowError: a run that is given twice; names that are not one for each run, or not all different.
    """
    paths = [run.path.resolve() for run in runs]
    twice = next((path for i, path in enumerate(paths) if path in paths[:i]), None)
    if twice is not None:
        raise BarlowError(f"{twice} is given twice. Expected different runs.")
    if names is not None:
        if len(names) != len(runs) or len(set(names)) != len(names) or not all(names):
            raise BarlowError(f"names is {list(names)} for {len(runs)} runs. Expected one for each, all different.")
        return list(names)
    for length in itertools.count(1):
        found = ["/".join(path.parts[-length:]) for path in paths]
        if len(set(found)) == len(found):
            break
    return found


def agreed(runs: Sequence[Run], names: Sequence[str], setting: str, given: float | None) -> float:
    """`given`, or what all runs were explained with.

    Raises:
        BarlowError: they differ and none is given, or it is not in [0, 1].
    """
    used = {name: float(getattr(ExplainRecord.of(run).settings, setting)) for run, name in zip(runs, names, strict=True)}
    if given is None:
        if len(set(used.values())) > 1:
            listed = ", ".join(f"{value:g} in {name}" for name, value in used.items())
            raise BarlowError(
                f"The runs were explained with different {setting}: {listed}. Say which to use for all: {setting}=."
            )
        given = next(iter(used.values()))
    if not 0 <= given <= 1:
        raise BarlowError(f"{setting} is {given}. Expected a share between 0 and 1.")
    return given


def _require_all(
    results: dict[str, GroupResult], name: str, depths: Sequence[int] | None, groupings: Sequence[str] | None
) -> None:
    known_depths = sorted({depth for result in results.values() for depth in result.trees})
    known_groupings = list(dict.fromkeys(result.grouping for result in results.values()))
    for what, asked, known in (("depth", depths, known_depths), ("grouping", groupings, known_groupings)):
        missing = [value for value in asked or () if value not in known]
        if missing:
            raise BarlowError(
                f"{name} has no tree of {what} {missing[0]}, only of {what} {', '.join(map(str, known))}. "
                f"Ask for one of these, or explain the run again with another --{what}."
            )


def _rows(name: str, result: GroupResult, depths: Sequence[int] | None, delta: float, tau: float) -> Iterator[dict[str, Any]]:
    """The rows of one group, one for each of its trees."""
    for depth, tree in result.trees.items():
        if depths is not None and depth not in depths:
            continue
        leaves = tree.leaves
        best, valid = leaves[0], failure_modes(tree, delta=delta, tau=tau)
        aler = sum(leaf.importance_value for leaf in leaves)
        row = {
            "run": name,
            "group": result.group,
            "grouping": result.grouping,
            "class_name": result.class_name,
            "depth": depth,
            "n_images": tree.root.n_images,
            "n_failures": tree.root.n_failures,
            "ber": tree.ber,
            "aler": aler,
            # One leaf gains nothing; without failures ALER and BER are both 0 by definition.
            "aler_increase": aler - tree.ber,
            "n_leaves": len(leaves),
            "n_failure_modes": len(valid),
            "leaf": best.number,
            "rule": best.rule,
            "leaf_n_images": best.n_images,
            "leaf_n_failures": best.n_failures,
            "error_rate": best.error_rate,
            "error_coverage": best.error_coverage,
            "importance_value": best.importance_value,
            "increase": best.error_rate - tree.ber,
            "valid": best in valid,
            "reason": result.reason,
        }
        yield row | _held_out_row(result.held_out_tree(depth), best.number, delta, tau)


def _held_out_row(tree: TreeMeasures | None, leaf: int, delta: float, tau: float) -> dict[str, Any]:
    best = None if tree is None else tree.leaf(leaf)
    if tree is None or best is None or tree.ber is None:
        return {}
    counts = (best.n_images, best.n_failures, tree.n_images, tree.n_failures)
    return {
        "held_out_n_images": tree.n_images,
        "held_out_ber": tree.ber,
        "held_out_aler_increase": tree.aler_increase,
        "held_out_aler_increase_low": tree.aler_increase_low,
        "held_out_aler_increase_high": tree.aler_increase_high,
        "leaf_held_out_n_images": best.n_images,
        "held_out_error_rate": best.error_rate,
        "held_out_error_coverage": best.error_coverage,
        "held_out_increase": best.increase,
        # A leaf that no held-out image, or no held-out failure, falls into has proved nothing.
        "held_out_valid": is_failure_mode(*counts, delta=delta, tau=tau),
    }


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    explained = table["reason"].isna()
    table = table.assign(
        explained=explained,
        any_valid=table["n_failure_modes"] > 0,
        explained_increase=table["aler_increase"].where(explained),
        explained_ber=table["ber"].where(explained),
        held_out_valid=table["held_out_valid"].astype("Float64"),
    )
    found = table.groupby(CELL, sort=False).agg(
        n_groups=("group", "size"),
        n_explained=("explained", "sum"),
        n_valid=("valid", "sum"),
        valid_share=("valid", "mean"),
        any_valid_share=("any_valid", "mean"),
        n_held_out=("held_out_valid", "count"),
        held_out_valid_share=("held_out_valid", "mean"),
        mean_ber=("explained_ber", "mean"),
        mean_aler_increase=("explained_increase", "mean"),
        median_aler_increase=("explained_increase", "median"),
        mean_held_out_aler_increase=("held_out_aler_increase", "mean"),
        median_held_out_aler_increase=("held_out_aler_increase", "median"),
    )
    return found.reset_index().astype({"held_out_valid_share": "float64"})


COMPARISON_COLUMNS = {
    "compared": "string",
    "first": "string",
    "second": "string",
    "run": "string",
    "grouping": "string",
    "depth": "Int64",
    "measured_on": "string",
    "n_classes": "int64",
    "mean_first": "float64",
    "mean_second": "float64",
    "difference": "float64",
    "difference_low": "float64",
    "difference_high": "float64",
    "share_higher": "float64",
}


def _comparisons(table: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Every two cells that differ in one of run, grouping and depth, class by class."""
    rows = []
    explained = table[table["reason"].isna()]
    for column, measured_on in INCREASES.items():
        by_class = explained.dropna(subset=column).pivot_table(index="class_name", columns=CELL, values=column, sort=False)
        for varied, name in enumerate(CELL):
            for one, two in itertools.combinations(by_class.columns, 2):
                if [i for i in range(len(CELL)) if one[i] != two[i]] != [varied]:
                    continue
                both = by_class[[one, two]].dropna()
                if both.empty:
                    continue
                first, second = both[one].to_numpy(), both[two].to_numpy()
                fixed = {other: one[i] for i, other in enumerate(CELL) if i != varied}
                low, high = _mean_interval(second - first, confidence)
                rows.append(
                    {
                        "compared": name,
                        "first": str(one[varied]),
                        "second": str(two[varied]),
                        **fixed,
                        "measured_on": measured_on,
                        "n_classes": len(both),
                        "mean_first": first.mean(),
                        "mean_second": second.mean(),
                        "difference": (second - first).mean(),
                        "difference_low": low,
                        "difference_high": high,
                        "share_higher": (second > first).mean(),
                    }
                )
    return pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS)).astype(COMPARISON_COLUMNS)


def _mean_interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """Student's interval for a mean; unknown for fewer than two values."""
    if len(values) < 2:
        return np.nan, np.nan
    half = stdtrit(len(values) - 1, (1 + confidence) / 2) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)
