from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from barlow_core.directions import Direction
from barlow_core.errors import BarlowError
from barlow_core.extractors import Extractor, load
from barlow_core.panels import attack, attack_settings, attack_steps, default_steps, feature_attack, feature_attack_frames
from barlow_core.panels.attack import attack_together

SIDE = 8


def linear(weights: Tensor) -> Any:
    """Features that are linear in the pixels, so that the best image in a ball is known: `weights` is (D, 3, H, W)."""
    return SimpleNamespace(
        device=torch.device("cpu"), n_features=len(weights), features=lambda images: images.flatten(1) @ weights.flatten(1).T
    )


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )


def small_extractor(model: nn.Module | None = None) -> Extractor:
    return Extractor.from_model(model or small_network(), image_size=SIDE, mean=[0.5] * 3, std=[0.5] * 3)


def some_images(n: int = 3, seed: int = 0) -> Tensor:
    return torch.rand(n, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def distances(a: Tensor, b: Tensor) -> np.ndarray:
    return np.linalg.norm((a.double() - b.double()).flatten(1).numpy(), axis=1)


@pytest.fixture
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor that gains nothing by shorter numbers."""
    monkeypatch.setattr(attack, "best_precision", lambda device: "float32")


def test_finds_the_known_optimum_of_a_linear_feature() -> None:
    """Inside the box the best image at distance epsilon is x + epsilon w / ||w||, and it gains epsilon ||w||."""
    weights = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    grey = torch.full((1, 3, SIDE, SIDE), 0.5)
    attacked, activations = feature_attack(linear(weights), grey, 1, steps=10, step_size=0.1, epsilon=0.3)
    w = weights[1]
    torch.testing.assert_close(attacked[0], grey[0] + 0.3 * w / w.norm(), atol=1e-5, rtol=0)
    assert float(activations[0]) == pytest.approx(0.5 * float(w.sum()) + 0.3 * float(w.norm()), rel=1e-5)


def test_gains_one_step_length_a_step_until_the_budget_is_spent() -> None:
    weights = torch.zeros(1, 3, SIDE, SIDE)
    weights[0, 0, 0, 0], weights[0, 1, 2, 3] = 3.0, -4.0  # ||w|| = 5
    grey = torch.full((1, 3, SIDE, SIDE), 0.5)
    gains = [
        float(feature_attack(linear(weights), grey, 0, steps=steps, step_size=0.1, epsilon=0.35)[1][0]) + 0.5
        for steps in range(6)
    ]
    assert gains == pytest.approx([0.0, 0.5, 1.0, 1.5, 1.75, 1.75], abs=1e-5)


def test_fills_the_box_where_the_budget_allows_it() -> None:
    weights = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    attacked, _ = feature_attack(linear(weights), some_images(), 0, steps=3000, step_size=0.5, epsilon=100.0)
    expected = (weights > 0).float().expand(3, -1, -1, -1)
    sure = weights.abs().expand(3, -1, -1, -1) > 0.05  # The smallest weights would take the most steps.
    torch.testing.assert_close(attacked[sure], expected[sure])


@settings(max_examples=40, deadline=None)
@example(seed=0, steps=1, step_size=1.0, epsilon=0.001, features=[0, 0, 0, 0], sharpness=1.0)  # once outside by rounding
@given(
    seed=st.integers(0, 10_000),
    steps=st.integers(0, 12),
    step_size=st.floats(1e-3, 50),
    epsilon=st.floats(1e-6, 50),
    features=st.lists(st.integers(0, 5), min_size=4, max_size=4),
    sharpness=st.floats(0.1, 20),
)
def test_budget_and_box_hold(
    seed: int, steps: int, step_size: float, epsilon: float, features: list[int], sharpness: float
) -> None:
    images = (some_images(4, seed) * sharpness).clamp(0, 1)  # Many pixels on the border of the box.
    attacked, activations = feature_attack(EXTRACTOR, images, features, steps=steps, step_size=step_size, epsilon=epsilon)
    assert attacked.shape == images.shape
    assert attacked.dtype == torch.float32
    assert float(attacked.min()) >= 0
    assert float(attacked.max()) <= 1
    assert (distances(attacked, images) <= epsilon).all()
    expected = EXTRACTOR.features(attacked)[torch.arange(4), torch.tensor(features)]
    torch.testing.assert_close(activations, expected)


EXTRACTOR = small_extractor()


def test_a_real_network_is_raised() -> None:
    images = some_images(4)
    before = EXTRACTOR.features(images)[:, 3]
    _, after = feature_attack(EXTRACTOR, images, 3, steps=30, step_size=0.1, epsilon=2.0)
    assert (after > before + 0.05).all()


def test_each_image_may_have_its_own_feature() -> None:
    images = some_images(3)
    together, activations = feature_attack(EXTRACTOR, images, [4, 0, 2], steps=8, step_size=0.2, epsilon=1.0)
    for i, feature in enumerate([4, 0, 2]):
        alone, activation = feature_attack(EXTRACTOR, images[i : i + 1], feature, steps=8, step_size=0.2, epsilon=1.0)
        torch.testing.assert_close(together[i], alone[0], atol=1e-4, rtol=0)
        torch.testing.assert_close(activations[i], activation[0], atol=1e-4, rtol=0)


def test_an_image_without_gradient_stays_and_the_others_move() -> None:
    """A ReLU holds the feature of a dark image at 0; nothing there says which way to go."""

    def features(images: Tensor) -> Tensor:
        return torch.relu(images.mean((1, 2, 3)) - 0.3)[:, None]

    extractor: Any = SimpleNamespace(device="cpu", n_features=1, features=features)
    images = torch.stack([torch.full((3, SIDE, SIDE), 0.1), torch.full((3, SIDE, SIDE), 0.6)])
    attacked, activations = feature_attack(extractor, images, 0, steps=5, step_size=0.1, epsilon=1.0)
    torch.testing.assert_close(attacked[0], images[0])
    assert float(activations[0]) == 0
    assert float(activations[1]) > 0.3


def test_leaves_images_weights_and_modes_as_they_were() -> None:
    extractor = small_extractor()
    images = some_images()
    kept = images.clone()
    parameters = list(extractor._model.parameters())
    for parameter in parameters:
        parameter.requires_grad_(True)
        parameter.grad = torch.full_like(parameter, 7.0)
    values = [parameter.detach().clone() for parameter in parameters]
    with torch.no_grad():  # As in a notebook that switched gradients off.
        attacked, activations = feature_attack(extractor, images, 1, steps=3)
        assert not torch.is_grad_enabled()
    assert not attacked.requires_grad
    assert not activations.requires_grad
    torch.testing.assert_close(images, kept, rtol=0, atol=0)
    for parameter, value in zip(parameters, values, strict=True):
        assert parameter.requires_grad
        assert parameter.grad is not None
        assert parameter.grad.eq(7.0).all()
        torch.testing.assert_close(parameter.detach(), value, rtol=0, atol=0)
    assert not extractor._model.training


def test_is_the_same_every_time() -> None:
    first, second = (feature_attack(EXTRACTOR, some_images(), 2, steps=20)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_no_steps_give_the_images_back() -> None:
    images = some_images()
    attacked, activations = feature_attack(EXTRACTOR, images.numpy(), 2, steps=0)
    assert torch.equal(attacked, images)
    torch.testing.assert_close(activations, EXTRACTOR.features(images)[:, 2])


def test_no_images_give_no_images() -> None:
    attacked, activations = feature_attack(EXTRACTOR, torch.empty(0, 3, SIDE, SIDE), 2, steps=2)
    assert (attacked.shape, activations.shape) == ((0, 3, SIDE, SIDE), (0,))


def test_the_papers_settings() -> None:
    assert attack_settings(224, 224) == {"steps": 500, "step_size": 1.0, "epsilon": 500.0}
    assert attack_settings(32, 32, steps=100) == pytest.approx(
        {"steps": 100, "step_size": 500 * 32 / 224 / 100, "epsilon": 500 * 32 / 224}
    )
    assert attack_settings(32, 32, steps=100, step_size=1.0, epsilon=500.0) == {"steps": 100, "step_size": 1.0, "epsilon": 500.0}
    assert [default_steps(side) for side in (16, 32, 224, 448)] == [50, 71, 500, 500]
    parameters = inspect.signature(feature_attack).parameters
    assert list(parameters)[:3] == ["extractor", "images", "features"]
    assert parameters["steps"].default == 500


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": some_images() * 255}, r"from .* to 25.*Expected values in \[0, 1\]"),
        ({"images": some_images() * float("nan")}, r"Expected values in \[0, 1\]"),
        ({"images": (some_images() * 255).to(torch.uint8)}, "torch.uint8"),
        ({"images": some_images()[:, :1]}, r"\(3, 1, 8, 8\)"),
        ({"features": 6}, "Feature 6 does not exist.*0 to 5"),
        ({"features": [0, 1, -1]}, "Feature -1 does not exist"),
        ({"features": [0, 1]}, "each of the 3 images"),
        ({"features": 1.5}, "whole number"),
        ({"steps": -1}, "steps is -1"),
        ({"step_size": 0.0}, "step_size is 0.0"),
        ({"epsilon": float("inf")}, "epsilon is inf"),
    ],
)
def test_says_what_is_wrong(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"images": some_images(), "features": 0, "steps": 1} | change
    with pytest.raises(BarlowError, match=message):
        feature_attack(EXTRACTOR, **arguments)


def test_a_network_that_gives_nan_is_reported() -> None:
    broken: Any = SimpleNamespace(
        device="cpu", n_features=1, features=lambda images: images.mean((1, 2, 3))[:, None] / 0 - torch.inf
    )
    with pytest.raises(BarlowError, match="feature 0 on image 0 of the batch gave an activation of nan"):
        feature_attack(broken, some_images(1), 0, steps=1)


# --- in frames


def test_stages_are_attacks_of_fewer_steps_of_the_same_length() -> None:
    """The outside oracle: an attack is its own beginning, so each frame is the attack that ends there."""
    extractor, images = small_extractor(), some_images(2)
    frames = feature_attack_frames(extractor, images, 3, frames=4, steps=9, step_size=0.05, epsilon=1.0)
    assert [frame.step for frame in frames] == [0, 3, 6, 9]
    assert torch.equal(frames[0].images, images)
    assert frames[0].distances.tolist() == [0.0, 0.0]
    for frame in frames:
        attacked, activations = feature_attack(extractor, images, 3, steps=frame.step, step_size=0.05, epsilon=1.0)
        assert torch.equal(frame.images, attacked)
        assert torch.equal(frame.activations, activations)
        torch.testing.assert_close(frame.distances, (attacked - images).flatten(1).norm(dim=1))
    activations = torch.stack([frame.activations for frame in frames])
    assert (activations.diff(dim=0) > 0).all()


def test_fewer_steps_than_stages_give_a_stage_a_step() -> None:
    images = torch.full((1, 3, SIDE, SIDE), 0.5)
    assert [frame.step for frame in feature_attack_frames(small_extractor(), images, 0, frames=5, steps=2)] == [0, 1, 2]
    assert [frame.step for frame in feature_attack_frames(small_extractor(), images, 0, frames=5, steps=0)] == [0]
    with pytest.raises(BarlowError, match="frames is 1"):
        feature_attack_frames(small_extractor(), images, 0, frames=1)


def test_every_step_is_reported_and_may_end_the_attack() -> None:
    images = torch.full((1, 3, SIDE, SIDE), 0.5)
    seen: list[tuple[int, int]] = []
    feature_attack(small_extractor(), images, 0, steps=3, on_step=lambda step, steps: seen.append((step, steps)))
    assert seen == [(1, 3), (2, 3), (3, 3)]

    def enough(step: int, steps: int) -> None:
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        feature_attack(small_extractor(), images, 0, steps=3, on_step=enough)


# --- together, on threads, with little memory


def test_the_company_and_the_cores_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone, in company of others, in another order, on one core or on many: the same picture."""
    extractor, images = small_extractor(), some_images(14)
    requests = [(images[:6], 1), (images[6:10], 4), (images[10:], Direction((0, 3), (1.0, -0.5)))]
    settings: dict[str, Any] = {"steps": 12, "step_size": 0.1, "epsilon": 1.0}
    alone = [feature_attack(extractor, *request, **settings) for request in requests]
    for cores in (1, 5):
        monkeypatch.setattr(attack_steps.joblib, "cpu_count", lambda cores=cores: cores)
        for order in ((0, 1, 2), (2, 0, 1)):
            found = attack_together(extractor, [requests[i] for i in order], **settings)
            for i, (attacked, activations) in zip(order, found, strict=True):
                assert torch.equal(attacked, alone[i][0])
                assert torch.equal(activations, alone[i][1])
    assert attack_together(extractor, []) == []


def test_batches_that_differ_give_the_same_picture_but_for_rounding(in_float32: None) -> None:
    """As on a GPU, where all panels are one batch: the tolerance that docs/speed.md states."""
    extractor, images = small_extractor(), some_images(6)
    alone = torch.cat([feature_attack(extractor, image[None], 2, steps=30, step_size=0.1, epsilon=2.0)[0] for image in images])
    assert attack_steps.batch_size(extractor.device, SIDE, SIDE) == 6
    together, _ = feature_attack(extractor, images, 2, steps=30, step_size=0.1, epsilon=2.0)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-3)


def test_one_forward_pass_a_step_and_one_for_the_result() -> None:
    weights = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    calls: list[int] = []

    def features(images: Tensor) -> Tensor:
        calls.append(len(images))
        return images.flatten(1) @ weights.flatten(1).T

    counting: Any = SimpleNamespace(device="cpu", n_features=1, features=features)
    frames = feature_attack_frames(counting, some_images(2), 0, frames=4, steps=9, step_size=0.05, epsilon=1.0)
    assert len(frames) == 4
    assert calls == [2] * 10


def test_fast_and_exact_attacks_differ_by_rounding(in_float32: None) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    extractor, images = small_extractor(model), some_images(4)
    settings: dict[str, Any] = {"steps": 20, "step_size": 0.1, "epsilon": 2.0}
    for found, expected in zip(
        feature_attack(extractor, images, 2, **settings),
        feature_attack(extractor, images, 2, exact=True, **settings),
        strict=True,
    ):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


def test_gradients_of_bfloat16_climb_as_high(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other pictures, as strong, inside the same ball; what is reported is the float32 network's."""
    monkeypatch.setattr(attack, "best_precision", lambda device: "bfloat16")
    extractor = load("robust_resnet_cifar10")
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    features, settings = [3, 120], {"steps": 6, "step_size": 2.0, "epsilon": 10.0}
    assert [network.execution.precision for network in attack.attack_networks(extractor)] == ["bfloat16", "float32"]
    assert [network.execution.precision for network in attack.attack_networks(extractor, exact=True)] == ["float32", "float32"]
    frames = feature_attack_frames(extractor, images, features, frames=3, **settings)
    before, _, after = (extractor.features(frame.images)[torch.arange(2), features] for frame in frames)
    torch.testing.assert_close(frames[0].activations, before, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(frames[2].activations, after, rtol=1e-3, atol=1e-5)
    _, exact = feature_attack(extractor, images, features, exact=True, **settings)
    assert (after - before > 0.9 * (exact - before)).all()
    assert (distances(frames[2].images, images) <= 10.0).all()
    assert frames[2].images.min() >= 0
    assert frames[2].images.max() <= 1


def test_towards_lower_activation_is_the_attack_of_the_negated_feature() -> None:
    extractor, images = small_extractor(), some_images(4)
    settings: dict[str, Any] = {"steps": 10, "step_size": 0.1, "epsilon": 1.0}
    lowered, activations = feature_attack(extractor, images, 3, lower=True, **settings)
    negated, negative = feature_attack(extractor, images, Direction((3,), (-1.0,)), **settings)
    torch.testing.assert_close(lowered, negated)
    torch.testing.assert_close(activations, -negative)
    assert (activations < extractor.features(images)[:, 3]).all()


def test_an_early_stop_ends_each_image_where_it_no_longer_gains() -> None:
    """The linear feature rises until the budget is spent: 0.1 a step, five steps, then never again."""
    weights = torch.zeros(1, 3, SIDE, SIDE)
    weights[0, 0, 0, 0] = 1.0
    seen: list[int] = []
    extractor = linear(weights)
    real = extractor.features
    extractor.features = lambda images: (seen.append(len(images)), real(images))[1]
    start = torch.full((2, 3, SIDE, SIDE), 0.2)
    start[1] = 0.45  # the first pixel of this one is white after 6 steps
    attacked, activations = feature_attack(extractor, start, 0, steps=100, step_size=0.1, epsilon=0.5, early_stop=0.01)
    expected, _ = feature_attack(linear(weights), start, 0, steps=100, step_size=0.1, epsilon=0.5)
    torch.testing.assert_close(attacked, expected)
    assert activations.tolist() == pytest.approx([0.7, 0.95], abs=1e-4)
    assert 20 <= len(seen) <= 32, "the window, and the steps until the budget was spent"
    with pytest.raises(BarlowError, match="early_stop is 2"):
        feature_attack(extractor, start, 0, early_stop=2)


def test_too_little_memory_halves_the_batch(caplog: pytest.LogCaptureFixture) -> None:
    extractor, images = small_extractor(), some_images(3)
    expected, _ = feature_attack(extractor, images, 2, steps=5, exact=True)

    def room(n: int) -> Any:
        def features(pixels: Tensor) -> Tensor:
            if len(pixels) > n:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            return extractor.features(pixels)

        return SimpleNamespace(device="cpu", n_features=extractor.n_features, features=features)

    found, _ = feature_attack(room(1), images, 2, steps=5)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "cpu: too little memory to attack 3 images at a time; going on with 2."
    with pytest.raises(BarlowError, match=r"too little memory to attack a single image of \(8, 8\) pixels"):
        feature_attack(room(0), images, 2, steps=5)
