"""Asking the model under inspection: what it says of changed images, and whether it is the one that made the run's predictions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import functional as transforms

from barlow_core.benchmark.images import open_image
from barlow_core.errors import BarlowError
from barlow_core.extraction import best_method, default_batch_size, run_as
from barlow_core.extractors import Classifier
from barlow_core.extractors.extractor import Preprocessing
from barlow_core.groups.group import predictions_of
from barlow_core.prediction import match_classes
from barlow_core.run import Run
from barlow_core.wording import count, percent

CHECKED = 500  # images, drawn at random, on which the model is compared with the stored predictions


class Answers(NamedTuple):
    """What a model says of images with known labels.

    Attributes:
        margins: (n,) float32, log odds of the label: log p / (1 - p), with p the model's probability of the label among the classes.
        predictions: (n,) int64 class indices.
    """

    margins: np.ndarray
    predictions: np.ndarray


class Inspected:
    """The model under inspection, for the classes of a run.

    Raises:
        BarlowError: it does not know a class.
    """

    def __init__(self, run: Run, model: Classifier):
        self._columns, _ = match_classes(model, run.benchmark.class_names)
        self.model = run_as(model, best_method(model, "float32"))
        self._size = default_batch_size(self.model, "float32")

    @property
    def preprocess(self) -> Preprocessing:
        return self.model.preprocess

    def ask(self, images: Tensor, labels: np.ndarray) -> Answers:
        """What it says of images (n, 3, H, W) in [0, 1], as it sees them."""
        margins, predictions = [], []
        with torch.inference_mode():
            for part, own in zip(images.split(self._size), torch.from_numpy(labels).split(self._size), strict=True):
                logits = self.model.logits(part)[:, self._columns].double().cpu()
                at = own[:, None]
                others = logits.scatter(1, at, float("-inf")).logsumexp(dim=1)
                margins.append(logits.gather(1, at)[:, 0] - others)
                predictions.append(logits.argmax(dim=1))
        if not margins:
            return Answers(np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int64))
        return Answers(torch.cat(margins).numpy().astype(np.float32), torch.cat(predictions).numpy())


def pictures(run: Run, positions: np.ndarray, *views: Preprocessing) -> list[Tensor]:
    """Images of the benchmark as networks see them: for each of `views` (n, 3, S, S) float32 in [0, 1]."""
    benchmark = run.benchmark
    opened = [open_image(benchmark.paths[i], digest=str(benchmark.digests[i])) for i in positions]
    return [
        torch.stack([view(one) for one in opened]) if opened else torch.zeros(0, 3, view.image_size, view.image_size)
        for view in views
    ]


def carried(change: Tensor, seen: Preprocessing, asked: Preprocessing) -> Tensor:
    """A change of pictures as one network sees them, laid where it belongs in pictures as another one sees them.

    Args:
        change: (n, c, S, S), of pictures that `seen` makes.

    Returns:
        (n, c, T, T) for pictures that `asked` makes: scaled with the picture; 0 where the first network sees nothing.
    """
    if (seen.image_size, seen.resize) == (asked.image_size, asked.resize):
        return change
    side = max(1, round(seen.image_size * asked.resize / seen.resize))
    scaled = torch.nn.functional.interpolate(
        change, size=(side, side), mode="bilinear", antialias=side < seen.image_size, align_corners=False
    )
    return transforms.center_crop(scaled, [asked.image_size, asked.image_size])


def check_model(run: Run, inspected: Inspected, *, tolerance: float, seed: int) -> float:
    """How often the model contradicts the stored predictions, of `CHECKED` images at random.

    Raises:
        BarlowError: the run has no predictions, or more than `tolerance` of them are not the model's.
    """
    benchmark = run.benchmark
    stored = predictions_of(benchmark)
    rng = np.random.default_rng([seed, 0])
    drawn = np.sort(rng.choice(len(benchmark), min(CHECKED, len(benchmark)), replace=False))
    wrong = 0
    for part in np.array_split(drawn, max(1, len(drawn) // 64)):
        (images,) = pictures(run, part, inspected.preprocess)
        wrong += int((inspected.ask(images, benchmark.labels[part]).predictions != stored[part]).sum())
    share = wrong / max(1, len(drawn))
    if share > tolerance:
        name = inspected.model.name
        raise BarlowError(
            f"{name} contradicts the stored predictions of {percent(share, space=' ')} of {count(len(drawn), 'image')} of {run.path}. "
            f"Expected at most {percent(tolerance, space=' ')}: an intervention asks the model that made them. Name that model with "
            f"--model, with its preprocessing (--image-size, --mean, --std); or let this one predict first: barlow predict {run.path} "
            f"--model {name} --overwrite"
        )
    return share
