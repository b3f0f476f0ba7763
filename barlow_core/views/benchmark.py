"""The benchmark at a glance: which classes are missed, which are seen where they are not, which are confused."""

from __future__ import annotations

import numpy as np
import pandas as pd

from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError
from barlow_core.run import Run


def classes(run: Run) -> pd.DataFrame:
    """Every class with both kinds of its errors, over all images of the benchmark; the highest error rate first.

    Returns:
        class_name; of the images labelled so: n_images, n_failures, error_rate; of the images predicted so: n_predicted,
        n_wrong (labelled otherwise), wrong_share; taken_for, what the classifier most often calls it instead (missing where it
        never fails), and how often, n_taken_for. A share of no images is NaN.

    Raises:
        BarlowError: there are no predictions yet.
    """
    benchmark = run.benchmark
    predictions, failure = _predictions(benchmark), benchmark.failure
    size = len(benchmark.class_names)
    names = np.array(benchmark.class_names, dtype=object)
    n_images, n_predicted = np.bincount(benchmark.labels, minlength=size), np.bincount(predictions, minlength=size)
    n_failures = np.bincount(benchmark.labels[failure], minlength=size)
    n_wrong = np.bincount(predictions[failure], minlength=size)
    counts = _confusions(benchmark).drop_duplicates("label").set_index("label")
    counts = counts.reindex(np.arange(size))
    confused = counts["n_failures"].notna().to_numpy()
    taken_for = np.full(size, None, dtype=object)
    taken_for[confused] = names[counts.loc[confused, "prediction"].to_numpy(dtype=np.int64)]
    table = pd.DataFrame(
        {
            "class_name": names,
            "n_images": n_images,
            "n_failures": n_failures,
            "error_rate": _share(n_failures, n_images),
            "n_predicted": n_predicted,
            "n_wrong": n_wrong,
            "wrong_share": _share(n_wrong, n_predicted),
            "taken_for": taken_for,
            "n_taken_for": counts["n_failures"].fillna(0).to_numpy(dtype=np.int64),
        }
    )
    return table.sort_values(["error_rate", "n_failures"], ascending=False, kind="stable", ignore_index=True, na_position="last")


def confusion_pairs(run: Run) -> pd.DataFrame:
    """Which class is mistaken for which, in each direction, over all images of the benchmark; the most frequent first.

    Returns:
        label, prediction (class names), n_failures, share_of_label (of the images of that label), share_of_failures (of all
        failures), confidence (mean over these failures; NaN where none is known).

    Raises:
        BarlowError: there are no predictions yet.
    """
    benchmark = run.benchmark
    table = _confusions(benchmark)
    names = np.array(benchmark.class_names, dtype=object)
    labels = table["label"].to_numpy()
    n_images = np.bincount(benchmark.labels, minlength=len(names))
    table = table.assign(
        label=names[labels],
        prediction=names[table["prediction"].to_numpy()],
        share_of_label=_share(table["n_failures"].to_numpy(), n_images[labels]),
        share_of_failures=table["n_failures"] / max(1, int(benchmark.failure.sum())),
    )
    order = ["n_failures", "share_of_label"]
    table = table.sort_values(order, ascending=False, kind="stable", ignore_index=True)
    return table[["label", "prediction", "n_failures", "share_of_label", "share_of_failures", "confidence"]]


def _confusions(benchmark: Benchmark) -> pd.DataFrame:
    """label, prediction (indices), n_failures, confidence (mean); for each label the most frequent prediction first."""
    predictions, wrong = _predictions(benchmark), benchmark.failure
    confidence = benchmark.confidence[wrong] if benchmark.confidence is not None else np.nan
    failures = pd.DataFrame({"label": benchmark.labels[wrong], "prediction": predictions[wrong], "confidence": confidence})
    table = failures.groupby(["label", "prediction"], sort=True)["confidence"].agg(["size", "mean"]).reset_index()
    table = table.rename(columns={"size": "n_failures", "mean": "confidence"})
    return table.sort_values(["label", "n_failures"], ascending=[True, False], kind="stable", ignore_index=True)


def _predictions(benchmark: Benchmark) -> np.ndarray:
    if benchmark.predictions is None:
        raise BarlowError("These images have no predictions yet, so there are no confusions. Run: barlow predict RUN")
    return benchmark.predictions


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
