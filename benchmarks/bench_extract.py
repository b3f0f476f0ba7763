"""Images a second of `extract`, beside the bare network and beside the loop that one would write without it.

    python benchmarks/bench_extract.py [--network resnet50] [--images 96] [--rounds 5] [--busy 2] [--device cuda] [--plain-images 48]

(a) bare: the network on a batch that lies in memory already, in the layout and precision that are best here.
(b) plain: a DataLoader that decodes the same files in as many processes as there are cores, and the network as it comes (float32,
    default layout) in batches of 32; of the first --plain-images files, if that is given.
(c) exact: `extract` with exact=True, unless --without-exact is given.

Each round times all of them, one after the other, and gives ratios; the median of the rounds counts, since other programs slow
down all of a round alike. `example` is the small network on the images of the CIFAR-10 example; torchvision's networks have random
weights (speed does not depend on them) and photographs of 500 x 375 pixels as JPEG files.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from machine import busy, described
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import models

from barlow_core.benchmark import Benchmark
from barlow_core.benchmark.batches import default_workers
from barlow_core.benchmark.images import open_image
from barlow_core.extraction import default_batch_size, extract
from barlow_core.extractors import Extractor, Preprocessing, load
from barlow_core.extractors.acceleration import best_precision
from barlow_core.run import Run
from barlow_core.storage.shipped import data_dir

PLAIN_BATCH = 32


class Images(Dataset[Tensor]):
    """The images as a plain data set."""

    def __init__(self, paths: list[Path], preprocess: Preprocessing):
        self.paths, self.preprocess = paths, preprocess

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        return self.preprocess(Image.open(self.paths[index]).convert("RGB"))


def plain(extractor: Extractor, paths: list[Path], device: str) -> np.ndarray:
    loader = DataLoader(Images(paths, extractor.preprocess), batch_size=PLAIN_BATCH, num_workers=default_workers())
    with torch.inference_mode():
        return torch.cat([extractor.features(images.to(device)).cpu() for images in loader]).numpy()


def bare(extractor: Extractor, images: Tensor, times: int) -> None:
    with torch.inference_mode():
        for _ in range(times):
            extractor.features(images)
    if images.is_cuda:
        torch.cuda.synchronize()


def example(folder: Path, n_images: int) -> Benchmark:
    with zipfile.ZipFile(data_dir() / "cifar10_test.zip") as archive:
        archive.extractall(folder, [f"images/{i:05d}.png" for i in range(n_images)])
        header, *rows = archive.read("metadata.csv").decode().splitlines()
    (folder / "metadata.csv").write_text("\n".join([header, *sorted(rows)[:n_images]]), encoding="utf-8")
    return Benchmark.from_csv(folder / "images", folder / "metadata.csv")


def photographs(folder: Path, n_images: int) -> Benchmark:
    """Cuts of two photographs, JPEG files in one folder a class."""
    rng = np.random.default_rng(0)
    names = ("china", "flower")
    whole = {name: load_sample_image(f"{name}.jpg") for name in names}
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)

    def save(i: int, x: int, y: int) -> None:
        name = names[i % 2]
        Image.fromarray(whole[name][y : y + 375, x : x + 500]).save(folder / name / f"{i}.jpg", quality=92)

    corners = [(rng.integers(0, 140), rng.integers(0, 52)) for _ in range(n_images)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(save, range(n_images), *zip(*corners, strict=True)))
    return Benchmark.from_folder(folder)


def network(name: str, device: str) -> Extractor:
    if name == "example":
        return load("robust_resnet_cifar10", device=device)
    torch.manual_seed(0)
    model = models.get_model(name, weights=None)
    return Extractor.from_model(
        model, image_size=224, resize=256, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225], name=name, device=device
    )


def rate(work: Callable[[], object], n_images: int) -> float:
    started = time.perf_counter()
    work()
    return n_images / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="example", help="example, or a name of torchvision's such as resnet50")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--plain-images", type=int)
    parser.add_argument("--without-exact", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--busy", type=int, default=0, help="processes that compute something else meanwhile")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()

    n, device = arguments.images, arguments.device
    extractor = network(arguments.network, device)
    precision = best_precision(extractor.device)
    fast = extractor.accelerated(precision)
    batch_size = arguments.batch_size or default_batch_size(extractor, precision)
    print(described(device))
    print(f"{extractor!r}, {precision}, batches of {batch_size}, {n} images, {arguments.busy} busy processes beside it")
    rounds: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder, busy(arguments.busy):
        benchmark = (example if arguments.network == "example" else photographs)(Path(folder) / "images", n)
        paths = benchmark.paths
        first = torch.stack([extractor.preprocess(open_image(path)) for path in paths[: max(PLAIN_BATCH, batch_size)]]).to(device)
        bare(fast, first, 1)
        times = -(-n // len(first))
        plain_paths = paths[: arguments.plain_images]
        for number in range(arguments.rounds):
            runs = [Run.create(Path(folder) / f"{number}{way}", benchmark) for way in "ab"]
            rounds.append(
                {
                    "extract": rate(lambda: extract(runs[0], extractor, batch_size=batch_size), n),  # noqa: B023
                    "bare": rate(lambda: bare(fast, first, times), len(first) * times),
                    "plain": rate(lambda: plain(extractor, plain_paths, device), len(plain_paths)),
                }
            )
            if not arguments.without_exact:
                rounds[-1]["exact"] = rate(lambda: extract(runs[1], extractor, exact=True), n)  # noqa: B023
            print("  ".join(f"{name} {value:.1f}" for name, value in rounds[-1].items()), "images/s", flush=True)
    for against in list(rounds[0])[1:]:
        ratios = [found["extract"] / found[against] for found in rounds]
        print(f"extract / {against:6s} {statistics.median(ratios):5.2f}  (rounds: {', '.join(f'{x:.2f}' for x in ratios)})")


if __name__ == "__main__":
    main()
