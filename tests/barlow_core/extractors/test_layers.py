"""Features of each family of networks, at a small size with random weights, beside hooks written by hand and other libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.convnext import CNBlockConfig
from torchvision.ops import SqueezeExcitation

from barlow_core.errors import BarlowError
from barlow_core.extractors import Extractor, small_resnet

SIDE = 32


class Family(NamedTuple):
    """A network, and by hand: the module to hook, and features and maps out of what it gives."""

    build: Callable[[], nn.Module]
    module: str
    read: Callable[[Tensor], tuple[Tensor, Tensor]]


def means(maps: Tensor) -> tuple[Tensor, Tensor]:
    return maps.mean((2, 3)), maps


def means_of_channels_last(maps: Tensor) -> tuple[Tensor, Tensor]:
    return means(maps.permute(0, 3, 1, 2))


def class_token(tokens: Tensor) -> tuple[Tensor, Tensor]:
    n, _, d = tokens.shape
    return tokens[:, 0], tokens[:, 1:].reshape(n, 4, 4, d).permute(0, 3, 1, 2)


FAMILIES = {
    "resnet": Family(lambda: small_resnet.build((4, 8, 8, 16), (1, 1, 1, 1), 5), "layer4", means),
    "densenet": Family(lambda: models.DenseNet(4, (2, 2), 8, num_classes=5), "features", lambda maps: means(maps.relu())),
    "efficientnet": Family(lambda: models.efficientnet_b0(num_classes=5), "features", means),
    "mobilenet": Family(lambda: models.mobilenet_v3_small(num_classes=5), "features", means),
    "mobilenet_v2": Family(lambda: models.mobilenet_v2(num_classes=5, width_mult=0.25), "features", means),
    "convnext": Family(
        lambda: models.ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)], num_classes=5), "features", means
    ),
    "swin": Family(
        lambda: models.SwinTransformer([4, 4], 8, [1, 1], [1, 2], [2, 2], num_classes=5), "norm", means_of_channels_last
    ),
    "vit": Family(lambda: models.VisionTransformer(SIDE, 8, 2, 2, 16, 32, num_classes=5), "encoder", class_token),
}


def built(family: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = FAMILIES[family].build().eval()
        for name, parameter in model.named_parameters():
            if "head" in name or "classifier" in name:  # some begin at zero, which hides what comes before
                nn.init.normal_(parameter)
    return model


def extractor_of(model: nn.Module, layer: str | None = None) -> Extractor:
    return Extractor.from_model(model, image_size=SIDE, mean=[0.5] * 3, std=[0.25] * 3, layer=layer, name="mine")


def pictures(n: int = 3) -> Tensor:
    return torch.rand(n, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def hooked(model: nn.Module, name: str, images: Tensor) -> Any:
    seen: list[Any] = []
    handle = model.get_submodule(name).register_forward_hook(lambda module, inputs, output: seen.append(output.clone()))
    with torch.no_grad():
        model((images - 0.5) / 0.25)
    handle.remove()
    return seen[-1]


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * max(1.0, float(expected.abs().max())))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_penultimate_layer_is_found(family: str) -> None:
    model, images = built(family), pictures()
    features, maps = FAMILIES[family].read(hooked(model, FAMILIES[family].module, images))
    extractor = extractor_of(model)
    assert extractor.without_maps is None
    assert (extractor.n_features, extractor.feature_map_size) == (features.shape[1], tuple(maps.shape[2:]))
    for one in (extractor, extractor.accelerated()):
        with torch.no_grad():
            found = one.forward(images)
            close(found.features, features)
            close(found.feature_maps, maps)
            close(found.logits, model((images - 0.5) / 0.25))
            close(one.features(images), features)
            close(one.feature_maps(images), maps)
    assert extractor.layer == (
        "its last global average pooling"
        if family != "vit"
        else "the input of heads.head (features are the class token's, maps are the same features of the tokens of the places)"
    )


@pytest.mark.parametrize(
    ("family", "layer", "read"),
    [
        ("resnet", "layer2", means),
        ("resnet", "layer3.0.bn2", means),  # folded into the convolution before it where nobody looks at it
        ("swin", "features.3", means_of_channels_last),
        ("vit", "encoder.layers.encoder_layer_0", class_token),
        ("densenet", "features.transition1", means),
    ],
)
def test_a_named_layer(family: str, layer: str, read: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
    model, images = built(family), pictures()
    features, maps = read(hooked(model, layer, images))
    extractor = extractor_of(model, layer)
    assert extractor.layer.startswith(f"layer {layer}")
    assert extractor.fingerprint != extractor_of(model).fingerprint
    with torch.no_grad():
        for one in (extractor, extractor.accelerated()):
            close(one.features(images), features)
            close(one.feature_maps(images), maps)
            close(one.forward(images).features, features)
    gradient_of = images.clone().requires_grad_(True)
    extractor.features(gradient_of)[:, 0].sum().backward()
    assert gradient_of.grad is not None
    assert gradient_of.grad.abs().sum() > 0


def test_captum_takes_the_same_out_of_a_layer() -> None:
    attribution = pytest.importorskip("captum.attr")
    model, images = built("resnet"), pictures()
    expected = attribution.LayerActivation(model, model.layer3).attribute((images - 0.5) / 0.25)
    close(extractor_of(model, "layer3").feature_maps(images), expected.detach())


def test_torchcam_weighs_the_same_maps() -> None:
    """CAM (Zhou et al. 2016) weighs the last maps with the weights of a class."""
    methods = pytest.importorskip("torchcam.methods")
    model, images = built("resnet"), pictures(1)
    with methods.CAM(model, target_layer="layer4", fc_layer="fc") as cam:
        model((images - 0.5) / 0.25)
        (expected,) = cam(2, normalized=False)
    maps = extractor_of(model).feature_maps(images)
    close(torch.einsum("d,ndhw->nhw", model.fc.weight[2], maps), expected.detach())


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.Flatten(), nn.Linear(256, 6), nn.ReLU(), nn.Linear(6, 5)),
        # pools globally inside, in a squeeze-and-excitation block, but not at the end
        lambda: nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), SqueezeExcitation(6, 2), nn.Flatten(), nn.Linear(6 * SIDE**2, 5)),
    ],
)
def test_features_that_are_of_no_place_have_no_maps(build: Callable[[], nn.Module]) -> None:
    model = build().eval()
    extractor, images = extractor_of(model), pictures(2)
    head = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)][-1]
    assert extractor.layer == f"the input of {head}"
    assert extractor.without_maps == f"its features, the input of {head}, are not of places in the image"
    with torch.no_grad():
        expected = model[:-1]((images - 0.5) / 0.25)
        close(extractor.features(images), expected)
    assert extractor.feature_map_size == (0, 0)
    assert extractor.feature_maps(images).shape == (2, extractor.n_features, 0, 0)


def test_layers_that_cannot_be_used_are_refused_with_what_there_is() -> None:
    model = built("resnet")
    with pytest.raises(BarlowError, match=r"no layer 'layer'\. It has layer1, layer1\.0"):
        extractor_of(model, "layer")
    with pytest.raises(BarlowError, match="mine ends neither in a global average pooling nor in a linear layer.*--layer"):
        extractor_of(nn.Sequential(nn.Conv2d(3, 5, SIDE), nn.Flatten()))
    unused = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    unused[0].other = nn.Conv2d(3, 4, 3)
    with pytest.raises(BarlowError, match=r"does not come past its module 0\.other"):
        extractor_of(unused, "0.other")


def test_threads_see_their_own_images_only() -> None:
    from concurrent.futures import ThreadPoolExecutor

    extractor = extractor_of(built("vit"))
    images = pictures(8)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda image: extractor.features(image[None]), list(images) * 5))
    close(torch.cat(found).detach(), extractor.features(images).detach().repeat(5, 1))


@pytest.mark.parametrize(
    ("name", "options", "side", "maps"),
    [
        ("resnet10t", {}, 64, (2, 2)),
        ("vit_tiny_patch16_224", {"img_size": 64, "depth": 2}, 64, (4, 4)),
        # with four tokens that are of no place
        ("vit_small_patch14_reg4_dinov2", {"img_size": 56, "depth": 2, "embed_dim": 48, "num_heads": 2}, 56, (4, 4)),
        (
            "swin_tiny_patch4_window7_224",
            {"img_size": 64, "window_size": 4, "depths": (1, 1, 1, 1), "embed_dim": 24, "num_heads": (2, 2, 2, 2)},
            64,
            (2, 2),
        ),
    ],
)
def test_networks_of_timm(name: str, options: dict[str, Any], side: int, maps: tuple[int, int]) -> None:
    timm = pytest.importorskip("timm")
    from barlow_core.extractors.timm_networks import network

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = timm.create_model(name, num_classes=5, **options).eval()
    made = network(model, f"timm/{name}", image_size=side)
    assert (made.image_size, made.resize, made.mean) == (
        side,
        int(side / model.pretrained_cfg["crop_pct"]),
        model.pretrained_cfg["mean"],
    )
    extractor = Extractor(made, name=name)
    images = torch.rand(2, 3, side, side)
    normalised = (images - torch.tensor(made.mean).view(3, 1, 1)) / torch.tensor(made.std).view(3, 1, 1)
    with torch.no_grad():
        expected = model.forward_head(model.forward_features(normalised), pre_logits=True)
        close(extractor.features(images), expected)
    assert extractor.feature_map_size == maps
