"""What comes of putting two runs side by side (`compare`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from barlow_core.storage.files import atomic_write, write_json
from barlow_core.wording import count, percent, points, points_interval

SIDES = ("first", "second")
VERDICTS = ("new", "worse", "unchanged", "better", "gone", "in neither", "matched", "only in first", "only in second")


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What `compare` found; "first" and "second" in the names of columns are the two runs.

    Attributes:
        names: what the runs are called.
        depth, delta, tau, confidence: of the trees, of a failure mode, and of every interval.
        same_images, same_failures, same_extractor: what the runs have in common.
        common_images: how many images of the first run are in the second, by their bytes.
        only_first, only_second: class names that only one of the runs has.
        overall: of all images of each run, n_images_, n_failures_, ber_ first and second, ber_difference with _low and _high,
            and interval.
        groups: one row a group that either run explained.
            explained_in: "both", or the run in which alone it was explained.
            same_images: whether the group holds the same images in both.
            n_images_, n_failures_, ber_ first and second: of the images that were searched; missing where a run does not have
            the class.
            ber_difference, _low, _high, interval ("paired", "independent"; missing where there is nothing to estimate).
            aler_increase_ first and second: ALER - BER of the tree, held_out_aler_increase_ the same on held-out images,
            failure_modes_ how many there are; missing where the group was not explained.
        failure_modes: one row a failure mode, in the order of `VERDICTS` and within one the largest difference first.
            found_in: "first" or "second"; "both" where both found exactly this rule.
            group, grouping, class_name, depth, leaf (number, in the run that found it), rule, conditions (JSON).
            For first and second, of the images that the rule holds in that run's group: n_images_, n_failures_, error_rate_,
            error_coverage_ (of the failures in that run's group), ber_ (of that group), increase_ (ER - BER), passes_ (ER > BER +
            delta and EC > tau).
            difference (of the error rates), _low, _high, interval; certain: whether the interval leaves out 0.
            verdict: for two models, "new" (passes only in the second), "gone" (only in the first), and where it passes in both,
            "worse", "better" (certain) or "unchanged". For the same failures, "matched" (a failure mode of the other run overlaps
            it by `statistics.SAME_RULE` or more), or else "new" or "gone". "only in first", "only in second": the other run does not have
            the class. Missing: the rule cannot be measured in the other run.
            same_images_error_rate_ first and second, same_images_difference, _low, _high: on exactly the images that the rule
            holds in the run that found it, always paired. For a label group these are the numbers above; for a prediction group
            they say whether the other model is right on the very same images, not whether it has the same failure mode.
            held_out_n_images_, held_out_error_rate_ first and second: on images that took no part in the search. Of the run
            that found the rule, as in failure_modes.parquet (after cross-fitting, of the rules that the search finds without
            them). Of the other run, and held_out_difference, _low, _high, only where that run searched one split and the images
            are the same: both are then counted on the other splits, with nothing to lean on either side.
            held_out_verdict: of two models on those, as `verdict`; "in neither" where the rule passes in none of the two there.
            overlap, match_leaf, match_rule, match_error_rate, match_error_coverage, match_increase: the failure mode of the
            other run in the same group that shares most images; overlap is their Jaccard index, 0 where none shares any.
            Missing where the images are not the same.
    """

    names: tuple[str, str]
    depth: int
    delta: float
    tau: float
    confidence: float
    same_images: bool
    same_failures: bool
    same_extractor: bool
    common_images: int
    only_first: list[str]
    only_second: list[str]
    overall: pd.Series
    groups: pd.DataFrame
    failure_modes: pd.DataFrame

    def to_csv(self, folder: str | Path) -> list[Path]:
        """Write groups.csv, failure_modes.csv, and comparison.json with all else; the same runs give the same bytes.

        Args:
            folder: made when needed; files of the same names are replaced.
        """
        folder = Path(folder)
        for name, table in (("groups", self.groups), ("failure_modes", self.failure_modes)):
            with atomic_write(folder / f"{name}.csv") as temporary:
                table.to_csv(temporary, index=False, lineterminator="\n")
        about = {
            name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("groups", "failure_modes", "overall")
        }
        overall = {str(name): None if pd.isna(value) else value for name, value in self.overall.items()}
        write_json(folder / "comparison.json", about | {"overall": overall})
        return [folder / name for name in ("groups.csv", "failure_modes.csv", "comparison.json")]

    def __repr__(self) -> str:
        first, second = self.names
        lines = [
            f"Comparison of {first} (first) and {second} (second): trees of depth {self.depth}, failure modes with "
            f"ER > BER + {self.delta:g} and EC > {self.tau:g}",
            f"  images: {self._images_words()}",
            f"  failures: {self._failure_words()}",
            f"  extractor: {'the same' if self.same_extractor else 'two different ones'}",
            f"  groups: {self._group_words()}",
            *(f"  failure modes found in {side}: {self._mode_words(side)}" for side in ("first", "second", "both")),
        ]
        if not self.same_failures:
            lines.append("  differences are second - first; those on searched images lean against the run that found the rule")
        for side, classes in (("first", self.only_first), ("second", self.only_second)):
            if classes:
                more = " …" if len(classes) > 8 else ""
                lines.append(f"  {count(len(classes), 'class', 'classes')} only in {side}: {', '.join(classes[:8])}{more}")
        return "\n".join(lines)

    def _images_words(self) -> str:
        all_, other = int(self.overall["n_images_first"]), int(self.overall["n_images_second"])
        if self.same_images:
            return f"the same {all_:,}"
        shared = f"; {self.common_images:,} are in both, which the intervals do not account for" if self.common_images else ""
        return f"{all_:,} and {other:,}, not the same{shared}"

    def _failure_words(self) -> str:
        rates = " and ".join(
            f"{int(self.overall[f'n_failures_{side}']):,} ({percent(self.overall[f'ber_{side}'], space=' ')})" for side in SIDES
        )
        if self.same_failures:
            return f"{rates}, the same images"
        difference, low, high = (self.overall[f"ber_difference{end}"] for end in ("", "_low", "_high"))
        return f"{rates}, {points(difference)} ({points_interval(low, high)}, {self.overall['interval']})"

    def _group_words(self) -> str:
        explained = self.groups["explained_in"].value_counts()
        words = ", ".join(
            f"{explained[side]} only in {side}" if side != "both" else f"{explained[side]} in both" for side in explained.index
        )
        if self.same_failures:
            return words
        higher, lower = (self.groups["ber_difference_low"] > 0).sum(), (self.groups["ber_difference_high"] < 0).sum()
        return f"{words}; error rate clearly higher in second in {higher}, clearly lower in {lower}"

    def _mode_words(self, side: str) -> str:
        modes = self.failure_modes[self.failure_modes["found_in"] == side]
        words = _counted(modes["verdict"])
        if modes["verdict"].isna().any():
            words.append(f"{modes['verdict'].isna().sum()} that cannot be measured in the other run")
        held_out = _counted(modes["held_out_verdict"])
        return (
            f"{len(modes)}"
            + (f" ({', '.join(words)})" if words else "")
            + (f"; on held-out images {', '.join(held_out)}" if held_out else "")
        )


def _counted(verdicts: pd.Series) -> list[str]:
    counts = verdicts.value_counts()
    return [f"{counts[verdict]} {verdict}" for verdict in VERDICTS if verdict in counts]
