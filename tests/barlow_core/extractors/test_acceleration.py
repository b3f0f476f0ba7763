from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchvision import models

from barlow_core.errors import BarlowError
from barlow_core.extractors import Extractor, acceleration, small_resnet
from barlow_core.extractors.acceleration import Execution, accelerate, best_precision, fold_batch_norms, one_thread_each


def settled(model: nn.Module) -> nn.Module:
    """`model` with batch normalisations that have seen something, in evaluation mode."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.weight, module.bias):
                assert values is not None
                nn.init.normal_(values, 1.0, 0.3)
            assert module.running_var is not None
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return model.eval()


class Block(nn.Module):
    """A convolution and a batch normalisation, and whatever `between` makes of the first one's result."""

    def __init__(self, between: Callable[[nn.Module, Tensor, Tensor], Tensor] | None = None):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.between = between

    def forward(self, images: Tensor) -> Tensor:
        maps = self.convolution(images)
        return self.norm(maps) if self.between is None else self.between(self, images, maps)


def also_used(block: nn.Module, images: Tensor, maps: Tensor) -> Tensor:
    return block.norm(maps) + maps


def called_twice(block: nn.Module, images: Tensor, maps: Tensor) -> Tensor:
    return block.norm(maps) + block.convolution(images * 2)


def by_value(block: nn.Module, images: Tensor, maps: Tensor) -> Tensor:
    return block.norm(maps) if float(maps.detach().mean()) > -1e9 else maps


@pytest.mark.parametrize(("between", "folded"), [(None, 1), (also_used, 0), (called_twice, 0), (by_value, 0)])
def test_folds_what_belongs_together_and_nothing_else(between: Callable[..., Tensor] | None, folded: int) -> None:
    model = settled(Block(between))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fast, count = fold_batch_norms(model)
    assert count == folded
    images = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(fast(images), model(images))
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())


def test_a_batch_normalisation_that_uses_the_statistics_of_its_batch_stays() -> None:
    assert fold_batch_norms(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)))[1] == 0
    hooked = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    hooked[0].register_forward_hook(lambda module, inputs, output: output * 2)
    assert fold_batch_norms(hooked)[1] == 0


@pytest.mark.parametrize(("name", "folded"), [("resnet18", 20), ("densenet121", 59), ("mobilenet_v3_small", 34), ("swin_t", 0)])
def test_whole_networks_compute_the_same(name: str, folded: int) -> None:
    model = settled(models.get_model(name, weights=None))
    fast, execution = accelerate(model, "float32")
    assert execution == Execution("float32", channels_last=True, folded=folded)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = model(images)
        found = fast(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_an_accelerated_extractor_is_the_same_extractor() -> None:
    extractor = Extractor.from_model(
        settled(models.resnet18(num_classes=5)), image_size=32, mean=[0.5] * 3, std=[0.25] * 3, name="mine"
    )
    fast = extractor.accelerated()
    assert (fast.name, fast.fingerprint, fast.n_features) == ("mine", extractor.fingerprint, 512)
    assert extractor.execution == Execution()
    images = torch.rand(3, 3, 32, 32)
    for found, expected in zip(fast.forward(images), extractor.forward(images), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fast.features(images), fast.forward(images).features)
    torch.testing.assert_close(fast.feature_maps(images), fast.forward(images).feature_maps)
    half = extractor.accelerated("bfloat16")
    assert {tensor.dtype for tensor in half.forward(images)} == {torch.float32}
    torch.testing.assert_close(half.features(images), extractor.features(images), rtol=0.05, atol=0.05)
    with pytest.raises(BarlowError, match="precision is 'float8'. Expected one of: float32, bfloat16, float16"):
        extractor.accelerated("float8")


def test_a_network_that_looks_into_its_own_weights_is_not_run_otherwise_than_it_means() -> None:
    def weights_too(block: nn.Module, images: Tensor, maps: Tensor) -> Tensor:
        return block.norm(maps) * block.convolution.weight.abs().sum()

    model = nn.Sequential(settled(Block(weights_too)), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    extractor = Extractor.from_model(model, image_size=8, mean=[0] * 3, std=[1] * 3)
    with pytest.raises(BarlowError, match=r"cannot be run in float32 \(its logits change\).*--exact"):
        extractor.accelerated()


def test_nothing_is_computed_behind_the_features() -> None:
    class Counting(nn.Linear):
        calls = 0

        def forward(self, values: Tensor) -> Tensor:
            Counting.calls += 1
            return super().forward(values)

    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), Counting(4, 2))
    extractor = Extractor.from_model(model, image_size=8, mean=[0] * 3, std=[1] * 3)
    before = Counting.calls
    images = torch.rand(2, 3, 8, 8, requires_grad=True)
    extractor.features(images).sum().backward()
    extractor.feature_maps(images)
    assert Counting.calls == before
    assert images.grad is not None
    extractor.forward(images)
    assert Counting.calls == before + 1


def test_one_thread_each_gives_the_threads_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), one_thread_each():
        assert torch.get_num_threads() == 1
        raise ZeroDivisionError
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("half", "chosen"), [(0.4, "bfloat16"), (0.9, "float32"), (3.0, "float32")])
def test_bfloat16_is_used_where_it_is_measured_to_be_faster(monkeypatch: pytest.MonkeyPatch, half: float, chosen: str) -> None:
    """A processor that can compute in it, on a clock that tells how long it takes."""
    now = 0.0

    def convolution(images: Tensor, weights: Tensor, **settings: int) -> Tensor:
        nonlocal now
        now += 1.0 if images.dtype == torch.float32 else half
        return images

    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    monkeypatch.setattr(F, "conv2d", convolution)
    monkeypatch.setattr(acceleration.time, "perf_counter", lambda: now)
    acceleration._cpu_gains_by_bfloat16.cache_clear()
    try:
        assert best_precision(torch.device("cpu")) == chosen
    finally:
        acceleration._cpu_gains_by_bfloat16.cache_clear()


def test_compiled_stages_give_the_same_features_and_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the compiler's front end alone: kernels would take a minute, and are not ours to test."""
    monkeypatch.setattr(acceleration, "BACKEND", "eager")
    extractor = Extractor.from_model(
        settled(small_resnet.build((4, 4, 8, 8), (1, 1, 1, 1), 5)), image_size=16, mean=[0.5] * 3, std=[0.25] * 3
    )
    compiled = extractor.accelerated(compiled=True)
    assert compiled.execution.compiled
    assert not extractor.accelerated().execution.compiled
    images = torch.rand(2, 3, 16, 16)
    gradients = []
    for one in (extractor, compiled):
        pixels = images.clone().requires_grad_(True)
        one.features(pixels)[:, 1].sum().backward()
        gradients.append(pixels.grad)
    torch.testing.assert_close(compiled.features(images), extractor.features(images), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-5)


def test_features_inside_of_a_compiled_stage_are_refused_or_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceleration, "BACKEND", "eager")
    inside = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), nn.Linear(4, 2))
    extractor = Extractor.from_model(inside, image_size=8, mean=[0] * 3, std=[1] * 3, name="inside")
    images = torch.rand(2, 3, 8, 8)
    found = None
    with suppress(BarlowError):
        found = extractor.accelerated(compiled=True).features(images)
    if found is not None:
        torch.testing.assert_close(found, extractor.features(images), rtol=1e-4, atol=1e-5)
