"""Predictions of a network for the images of a run that came without."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from barlow_core.benchmark.class_names import imagenet_classes
from barlow_core.errors import BarlowError
from barlow_core.extraction import AS_IT_IS, best_method, default_batch_size, describe, described_execution, fill, run_as
from barlow_core.extractors import Classifier
from barlow_core.run import Run, digest
from barlow_core.storage.shards import ShardedArray

_ROW = np.dtype([("prediction", "<i8"), ("confidence", "<f8")])


def predict(
    run: Run,
    network: Classifier,
    *,
    batch_size: int | None = None,
    shard_size: int = 512,
    workers: int | None = None,
    exact: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> np.ndarray:
    """Let `network` predict the class of every image of a run, and store predictions and confidence with the benchmark.

    The prediction is the class of the benchmark with the largest logit, the confidence its softmax probability among
    the benchmark's classes. Resumable like `extract`.

    Args:
        network: a Classifier or an Extractor.
        batch_size, workers, exact: see `extract`; but predictions are always float32, since a shorter precision would change some.
        overwrite: replace predictions that came with the images or from another network.

    Returns:
        (N,) int64 class indices.

    Raises:
        BarlowError: the network's classes are not the benchmark's, or there are predictions already.
    """
    benchmark = run.benchmark
    columns, matched = match_classes(network, benchmark.class_names)
    key = digest(benchmark.images_digest, network.fingerprint, columns)
    folder = run.path / "predict.partial"
    with run.lock():
        record = run.recorded("predict")
        if record is not None and record["key"] == key and run.is_current("predict") and benchmark.predictions is not None:
            return np.asarray(benchmark.predictions)
        # The folder is still there when an earlier call was killed between storing predictions and recording them.
        if benchmark.predictions is not None and not overwrite and not folder.is_dir():
            raise BarlowError(
                f"{run.path} has predictions already. Keep them, or replace them with those of {network.name} "
                "with overwrite=True (--overwrite)."
            )
        started = time.monotonic()
        folder.mkdir(exist_ok=True)
        # A partial result of another network is nobody's: it may go.
        with ShardedArray(
            folder / "predictions.npy", key=key, shape=(len(benchmark),), dtype=_ROW, shard_size=shard_size, overwrite=True
        ) as array:
            method = AS_IT_IS if exact else best_method(network, "float32")
            running = run_as(network, method)
            size = fill(
                array,
                benchmark,
                running,
                lambda images: running.logits(images)[:, columns],
                lambda logits, paths: _predictions(logits, paths, network.name),
                batch_size=batch_size or default_batch_size(network, method),
                workers=workers,
                description="predictions",
                progress=progress,
            )
            predictions, confidence = array.data["prediction"].copy(), array.data["confidence"].copy()
        run.save_benchmark(benchmark.with_predictions(predictions, confidence))
        settings = {"batch_size": size, "classes": matched}
        seconds = time.monotonic() - started
        execution = described_execution(running)
        run.record("predict", key=key, settings=settings, seconds=seconds, model=describe(network), execution=execution)
        shutil.rmtree(folder)
        return predictions


def match_classes(network: Classifier, class_names: Sequence[str]) -> tuple[list[int], str]:
    """Find the output of `network` for each class of a benchmark.

    By name where the network's names are known (case and underscores do not count; WordNet ids stand for ImageNet's
    names), else by index where there are as many outputs as classes.

    Returns:
        (K,) index of the logit of each class, and in words how they were found.

    Raises:
        BarlowError: a class that the network does not know, or another number of classes.
    """
    if network.class_names is None:
        if network.n_classes != len(class_names):
            raise BarlowError(
                f"{network.name} has {network.n_classes} outputs without names, the benchmark has {len(class_names)} classes. "
                "Give the names of the outputs with class_names=, or use a network for these classes."
            )
        return list(range(len(class_names))), "by index: the network's outputs have no names"
    outputs = _outputs_by_name(network.class_names)
    found = [outputs.get(name, outputs.get(_plain(name))) for name in class_names]
    unknown = [name for name, column in zip(class_names, found, strict=True) if column is None]
    if unknown:
        shown = ", ".join(map(repr, unknown[:5])) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
        raise BarlowError(
            f"{network.name} does not know {shown}. Its {network.n_classes} classes are "
            f"{', '.join(network.class_names[:5])}{', …' if network.n_classes > 5 else ''}. "
            "Use a network for the benchmark's classes, or name them as the network does."
        )
    columns = [column for column in found if column is not None]
    if len(set(columns)) < len(columns):
        twice = next(name for name, column in zip(class_names, columns, strict=True) if columns.count(column) > 1)
        raise BarlowError(f"Two classes of the benchmark are the same output of {network.name}, one of them {twice!r}.")
    among = "" if len(columns) == network.n_classes else f", the best of {len(columns)} among its {network.n_classes} outputs"
    return columns, f"by name{among}"


def _outputs_by_name(names: Sequence[str]) -> dict[str, int]:
    """The outputs under their plain names and, taking precedence, their own: ImageNet has a Cardigan (dog) and a cardigan."""
    found = {_plain(name): index for index, name in enumerate(names)}
    found |= {name: index for index, name in enumerate(names)}
    imagenet = imagenet_classes()
    if list(names) == imagenet["name"].to_list():
        found |= {_plain(wnid): index for index, wnid in enumerate(imagenet["wnid"])}
    return found


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())


def _predictions(found: np.ndarray, paths: list[Path], name: str) -> np.ndarray:
    logits = torch.from_numpy(found).double()
    if not torch.isfinite(logits).all():
        bad = paths[int(torch.nonzero(~torch.isfinite(logits).all(dim=1))[0])]
        raise BarlowError(f"A logit of {bad} by {name} is not finite. Check the weights and the normalisation.")
    confidence, prediction = logits.softmax(dim=1).max(dim=1)
    rows = np.empty(len(logits), dtype=_ROW)
    rows["prediction"], rows["confidence"] = prediction.numpy(), confidence.numpy()
    return rows
