"""What a study consists of: items, workers, answers, time on task, pay, and what does not count."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd

from study.answers.study_data import StudyData


@dataclass(frozen=True)
class Overview:
    """Counts of a study, or of the part of it that is looked at.

    Attributes:
        n_answers, n_workers: accepted answers, and who gave them; n_items: items with an answer; n_listed: all items.
        tasks: answers a worker, with the workers as index.
        per_item: how many items have how many answers: `answers`, `items`; unanswered ones included.
        complete: items with all the answers that they want, of the n_wanting of the whole study that are known to want some: an item lacks no
            answer because filters leave it out. None where it is not known how many any item wants.
        seconds: time on task of every answer, NaN where it is not known.
        by_day: answers a day (UTC): `day`, `answers`, `total`; no rows where times are not known.
        platforms: answers a platform: `platform`, `answers`, `workers`.
        hourly: pay an hour of time on task, pay_per_item / mean time; None where either is not known.
        hourly_median: the same for an answer of median time.
        left_out: answers that do not count and workers who are out, of the whole study: `what`, `n`.
        paid: what the whole study has cost so far.
    """

    n_answers: int
    n_items: int
    n_listed: int
    n_workers: int
    tasks: pd.Series
    per_item: pd.DataFrame
    complete: int | None
    n_wanting: int
    seconds: np.ndarray
    by_day: pd.DataFrame
    platforms: pd.DataFrame
    hourly: float | None
    hourly_median: float | None
    left_out: pd.DataFrame
    paid: Decimal | None

    @property
    def timed(self) -> np.ndarray:
        """The known times on task."""
        return self.seconds[~np.isnan(self.seconds)]


def overview(data: StudyData) -> Overview:
    """Count what is there."""
    answers = data.answers
    per_item = answers.groupby("item", sort=False).size()
    counts = per_item.reindex(per_item.index.union(data.items.index, sort=False), fill_value=0)
    sizes = counts.value_counts().sort_index(ascending=False)
    complete, n_wanting = _complete(data.whole or data)
    seconds = answers["seconds"].to_numpy(dtype=np.float64) if "seconds" in answers else np.full(len(answers), np.nan)
    timed = seconds[~np.isnan(seconds)]
    return Overview(
        n_answers=len(answers),
        n_items=data.n_items,
        n_listed=len(counts),
        n_workers=data.n_workers,
        tasks=answers.groupby("worker", sort=False).size().rename("answers"),
        per_item=pd.DataFrame({"answers": sizes.index.astype(int), "items": sizes.to_numpy(dtype=int)}),
        complete=complete,
        n_wanting=n_wanting,
        seconds=seconds,
        by_day=_by_day(data),
        platforms=_platforms(data),
        hourly=_hourly(data.pay_per_item, timed.mean() if len(timed) else 0.0),
        hourly_median=_hourly(data.pay_per_item, float(np.median(timed)) if len(timed) else 0.0),
        left_out=_left_out(data),
        paid=data.paid,
    )


def _complete(whole: StudyData) -> tuple[int | None, int]:
    """Items with all the answers that they want, and items of which that is known."""
    if "wanted" not in whole.items or not whole.items["wanted"].notna().any():
        return None, 0
    wanted = whole.items["wanted"].dropna().astype("Float64")
    counts = whole.answers.groupby("item", sort=False).size().reindex(wanted.index, fill_value=0)
    return int((counts >= wanted).sum()), len(wanted)


def _hourly(pay: Decimal | None, seconds: float) -> float | None:
    return float(pay) * 3600 / seconds if pay is not None and seconds > 0 else None


def _by_day(data: StudyData) -> pd.DataFrame:
    if not data.has("submitted_at"):
        return pd.DataFrame({"day": pd.Series(dtype=object), "answers": pd.Series(dtype=int), "total": pd.Series(dtype=int)})
    # Days stay numbers until they are few: a date object for each of 600,000 answers takes as much room as the answers.
    days = data.answers["submitted_at"].dropna().dt.floor("D").value_counts().sort_index()
    return pd.DataFrame(
        {"day": list(days.index.date), "answers": days.to_numpy(dtype=int), "total": np.cumsum(days.to_numpy(dtype=int))}
    )


def _platforms(data: StudyData) -> pd.DataFrame:
    if not data.has("platform"):
        return pd.DataFrame(
            {"platform": pd.Series(dtype=object), "answers": pd.Series(dtype=int), "workers": pd.Series(dtype=int)}
        )
    named = data.answers["platform"].astype(object).where(data.answers["platform"].notna(), "not known")
    groups = data.answers.groupby(named, sort=True)
    return pd.DataFrame({"answers": groups.size(), "workers": groups["worker"].nunique()}).rename_axis("platform").reset_index()


def _left_out(data: StudyData) -> pd.DataFrame:
    states = data.states[data.states["kind"] == "item"].groupby("state")["n"].sum()
    reasons = {
        "surplus": "answers that came late, when all wanted ones were there",
        "discarded": "answers discarded because their worker was blocked",
        "withdrawn": "answers withdrawn by their worker",
    }
    rows = [(text, int(states.get(state, 0))) for state, text in reasons.items()]
    for state in ("blocked", "withdrawn"):
        rows.append(
            (
                f"workers who are {state}" if state == "blocked" else "workers who withdrew",
                int((data.workers["state"] == state).sum()),
            )
        )
    return pd.DataFrame(rows, columns=["what", "n"])
