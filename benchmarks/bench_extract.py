"""Images a second of `extract`, beside the loop that one would write without it: a DataLoader and a forward hook.

    python benchmarks/bench_extract.py [--images 2000] [--rounds 4] [--workers 2]

Both decode the same files of the CIFAR-10 example and run the same network with the same batches; the loop keeps its features in
memory, `extract` in a run folder that survives a kill. The best round counts: the others measure what else the machine did.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import pil_to_tensor

from barlow_core.benchmark import Benchmark
from barlow_core.extraction import extract
from barlow_core.extractors import load
from barlow_core.extractors.small_resnet import load as load_network
from barlow_core.run import Run
from barlow_core.storage.shipped import data_dir

NAME = "robust_resnet_cifar10"


class Images(Dataset[Tensor]):
    """The images as a plain data set."""

    def __init__(self, paths: list[Path]):
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        return pil_to_tensor(Image.open(self.paths[index]).convert("RGB")).float() / 255


def plain_loop(paths: list[Path], batch_size: int, workers: int) -> np.ndarray:
    model = load_network(data_dir() / f"{NAME}.pt")
    features: list[Tensor] = []
    hook = model.network.avgpool.register_forward_hook(lambda module, inputs, output: features.append(output.flatten(1)))
    with torch.inference_mode():
        for images in DataLoader(Images(paths), batch_size=batch_size, num_workers=workers):
            model.logits(images)
    hook.remove()
    return torch.cat(features).numpy()


def example(folder: Path, n_images: int) -> Benchmark:
    with zipfile.ZipFile(data_dir() / "cifar10_test.zip") as archive:
        archive.extractall(folder, [f"images/{i:05d}.png" for i in range(n_images)])
        header, *rows = archive.read("metadata.csv").decode().splitlines()
    (folder / "metadata.csv").write_text("\n".join([header, *sorted(rows)[:n_images]]), encoding="utf-8")
    return Benchmark.from_csv(folder / "images", folder / "metadata.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()

    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        benchmark = example(Path(folder), arguments.images)
        extractor = load(NAME)
        for number in range(arguments.rounds):
            started = time.perf_counter()
            run = Run.create(Path(folder) / f"run{number}", benchmark)
            found = extract(run, extractor, batch_size=arguments.batch_size, workers=arguments.workers)
            ours.append(arguments.images / (time.perf_counter() - started))
            started = time.perf_counter()
            expected = plain_loop(benchmark.paths, arguments.batch_size, arguments.workers)
            theirs.append(arguments.images / (time.perf_counter() - started))
            np.testing.assert_allclose(found, expected, atol=1e-4)
    print(f"{extractor!r}, {torch.get_num_threads()} threads, {arguments.workers} decoding")
    print(f"extract     {max(ours):7.1f} images/s  (rounds: {', '.join(f'{x:.0f}' for x in ours)})")
    print(f"plain loop  {max(theirs):7.1f} images/s  (rounds: {', '.join(f'{x:.0f}' for x in theirs)})")
    print(f"ratio       {max(ours) / max(theirs):7.2f}")


if __name__ == "__main__":
    main()
