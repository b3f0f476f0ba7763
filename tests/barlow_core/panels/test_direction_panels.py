"""A, B and C of a direction: the images with the highest weighted sum, the weighted maps, the attack on the weighted sum."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from barlow_core.analyses import FoundRule, found_rules
from barlow_core.analyses.verdicts import CONFIRMED
from barlow_core.benchmark import Benchmark
from barlow_core.directions import Direction
from barlow_core.errors import BarlowError
from barlow_core.extraction import extract
from barlow_core.extractors import Extractor
from barlow_core.panels import feature_attack, load_panel, make_panel, pictures, rule_requests
from barlow_core.panels.figure import panel_figure
from barlow_core.run import Run

DIRECTION = Direction((3, 5, 0), (0.6, -0.5, 0.4))


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Extractor.from_model(model, image_size=32, mean=[0.5] * 3, std=[0.25] * 3, name="small")


@pytest.fixture(scope="module")
def run(planted_benchmark: Benchmark, extractor: Extractor, tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = Run.create(tmp_path_factory.mktemp("directions") / "run", planted_benchmark)
    extract(made, extractor)
    return made


def test_attack_finds_the_known_optimum_of_a_weighted_sum() -> None:
    """Of features that are linear in the pixels, the weighted sum is linear with the weighted sum of their weights."""
    pixels = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    linear: Any = SimpleNamespace(
        device=torch.device("cpu"), n_features=6, features=lambda images: images.flatten(1) @ pixels.flatten(1).T
    )
    grey = torch.full((2, 3, 8, 8), 0.5)
    attacked, values = feature_attack(linear, grey, DIRECTION, steps=10, step_size=0.1, epsilon=0.3)
    w = torch.tensordot(torch.tensor(DIRECTION.weights), pixels[list(DIRECTION.features)], dims=1)
    torch.testing.assert_close(attacked, grey + 0.3 * w / w.norm(), atol=1e-5, rtol=0)
    assert float(values[1]) == pytest.approx(0.5 * float(w.sum()) + 0.3 * float(w.norm()), rel=1e-4)


def test_attack_of_a_feature_is_that_of_its_direction_to_the_bit(extractor: Extractor) -> None:
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    one, other = (feature_attack(extractor, images, feature, steps=3) for feature in (5, Direction.of(5)))
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])


def test_mean_of_the_weighted_maps_is_the_weighted_sum_of_features(extractor: Extractor) -> None:
    found = extractor.forward(torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(2)))
    maps = pictures.weighted_maps(found.feature_maps, DIRECTION)
    expected = DIRECTION.values(found.features.detach().numpy())
    assert maps.mean((1, 2)).detach().numpy() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_panel_of_a_direction(run: Run, extractor: Extractor) -> None:
    panel = make_panel(run, extractor, "label:truck", DIRECTION, k=3, steps=5)
    trucks = np.flatnonzero(np.asarray(run.benchmark.labels) == run.benchmark.class_names.index("truck"))
    values = DIRECTION.values(run.features()[trucks])
    assert [image.index for image in panel.images] == trucks[np.argsort(-values, kind="stable")[:3]].tolist()
    assert [image.activation for image in panel.images] == pytest.approx(np.sort(values)[::-1][:3].tolist())
    assert all(image.attacked > image.activation for image in panel.images)
    assert panel.feature == DIRECTION
    assert load_panel(run, "label:truck", DIRECTION) == panel
    assert panel.path.name == DIRECTION.slug
    with Image.open(panel.path / panel.images[0].heatmap) as picture:
        shown = np.asarray(picture, dtype=float) / 255
    pixels = extractor.preprocess(Image.open(run.benchmark.paths[panel.images[0].index]))[None]
    with torch.no_grad():
        maps = pictures.weighted_maps(extractor.feature_maps(pixels), DIRECTION)
    assert np.abs(shown - pictures.heatmaps(maps, shown.shape[0])[0]).max() < 0.5 / 255 + 1e-6


def test_features_and_directions_have_panels_of_their_own(run: Run, extractor: Extractor) -> None:
    feature = make_panel(run, extractor, "label:cat", 3, k=2, steps=1)
    one = make_panel(run, extractor, "label:cat", Direction((3, 5), (0.6, 0.8)), k=2, steps=1)
    other = make_panel(run, extractor, "label:cat", Direction((3, 5), (0.8, 0.6)), k=2, steps=1)
    assert len({feature.path, one.path, other.path}) == 3
    assert (feature.direction.words, one.direction.words) == ("feature 3", "weighted sum of 2 features")
    assert panel_figure(one, dpi=40).width > 100
    with pytest.raises(BarlowError, match="Feature 8 does not exist"):
        make_panel(run, extractor, "label:cat", Direction((3, 8), (1.0, 1.0)))


def test_rules_of_a_search_are_what_is_asked_for(searched_run: Run) -> None:
    table = found_rules(searched_run)
    everything = rule_requests(searched_run, everything=True)
    assert everything
    assert everything == [(rule.group, rule.direction) for rule in map(FoundRule, table.to_dict("records"))]
    assert len(rule_requests(searched_run)) == (table["verdict"] == CONFIRMED).sum()
    assert {key for key, _ in rule_requests(searched_run, keys=["all:images"], everything=True)} == {"all:images"}
    with pytest.raises(BarlowError, match=r"label:nobody is not among .* barlow search"):
        rule_requests(searched_run, keys=["label:nobody"])
