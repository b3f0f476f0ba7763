"""Make barlow_core/benchmark/imagenet_classes.csv again: index, WordNet id and name of ImageNet's 1,000 classes (ILSVRC 2012).

    pip install torchvision && python data/make_imagenet_classes.py

The order of the WordNet ids is that of the PyPI package timm (1.0.31, Apache-2.0; timm/data/_info/imagenet_synsets.txt,
read out of its wheel without installing it). The names are torchvision's (0.29, BSD-3-Clause; torchvision.models._meta):
the first lemma of each synset in Princeton's WordNet 3.0.

Two pairs of classes share their first lemma. The names are torchvision's to the letter, so that they equal the class
names of its networks, and torchvision tells the pairs apart: `crane bird` (134) and `crane` (517, the machine),
`maillot` (638) and `maillot tank suit` (639). `Cardigan` (264, the corgi) and `cardigan` (474, the garment) differ
by case alone, here as there.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from torchvision.models._meta import _IMAGENET_CATEGORIES as NAMES

TIMM = "timm==1.0.31"
SYNSETS = "timm/data/_info/imagenet_synsets.txt"
TARGET = Path(__file__).parents[1] / "barlow_core" / "benchmark" / "imagenet_classes.csv"


def read_wnids() -> list[str]:
    """Return the 1,000 WordNet ids in the order of the class indices."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, TIMM]
        subprocess.run(pip, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(SYNSETS).decode().split()


def main() -> None:
    """Write the table after checking what it relies on."""
    wnids = read_wnids()
    if wnids != sorted(set(wnids)) or len(wnids) != 1000 or len(NAMES) != 1000 or len(set(NAMES)) != 1000:
        raise SystemExit("The sources changed: expected 1,000 different ids in order and 1,000 different names.")
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["index", "wnid", "name"])
        writer.writerows(zip(range(1000), wnids, NAMES, strict=True))


if __name__ == "__main__":
    main()
