from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torchvision import models

from barlow_core import extractors
from barlow_core.benchmark import Benchmark
from barlow_core.cli import cli
from barlow_core.errors import BarlowError
from barlow_core.extractors import networks, small_resnet
from barlow_core.storage.shipped import data_dir
from barlow_core.training import adversarial, adversary, robust_network
from barlow_core.training.measuring import robust_accuracy
from barlow_core.training.robust_network import default_rho, train_robust
from barlow_core.wording import percent

QUICK: dict[str, Any] = {"image_size": 16, "epochs": 3, "batch_size": 32, "steps": 1, "peak_rate": 0.05}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """96 images of 24 x 20 pixels: reddish or bluish noise; two thirds of each are for training."""
    folder = tmp_path_factory.mktemp("colours")
    rng = np.random.default_rng(0)
    rows = ["Filenames,Labels,Split"]
    for i in range(96):
        red = i % 2 == 0
        pixels = rng.integers(0, 150, (20, 24, 3), dtype=np.uint8)
        pixels[..., 0 if red else 2] += 90
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
        rows.append(f"{i:02d}.png,{'red' if red else 'blue'},{'val' if i % 3 == 0 else 'train'}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def benchmark(folder: Path) -> Benchmark:
    return Benchmark.from_csv(folder, folder / "labels.csv")


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_resnet, "PLANES", (8, 8, 8, 8))
    monkeypatch.setattr(small_resnet, "BLOCKS", (1, 1, 1, 1))


def weights(path: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return state


def test_images_to_an_extractor(benchmark: Benchmark, tmp_path: Path) -> None:
    trained = train_robust(benchmark, tmp_path / "new" / "robust.pt", **(QUICK | {"epochs": 8}))
    assert (trained.n_training, trained.n_held_out) == (64, 32)
    assert trained.epochs[-1].loss < trained.epochs[0].loss
    assert trained.accuracy is not None
    assert trained.robust_accuracy is not None
    assert trained.accuracy > 0.9, "red and blue are easily told apart"
    assert trained.robust_accuracy <= trained.accuracy + 1e-9
    assert "32 held-out images" in repr(trained)
    left = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert left == ["robust.card.json", "robust.card.md", "robust.log.csv", "robust.log.svg", "robust.pt"]

    loaded = extractors.load(trained.path)
    assert (loaded.image_size, loaded.n_features, loaded.class_names) == (16, 8, ["blue", "red"])
    held_out = [i for i in range(96) if i % 3 == 0]
    images = torch.stack([loaded.preprocess(Image.open(benchmark.paths[i])) for i in held_out])
    predicted = loaded.logits(images).argmax(1).numpy()
    assert (predicted == benchmark.labels[held_out]).mean() == pytest.approx(trained.accuracy, abs=1.01 / 32)
    assert loaded.features(images).shape == (32, 8)


def test_a_card_and_a_log_lie_beside_it(benchmark: Benchmark, tmp_path: Path) -> None:
    trained = train_robust(benchmark, tmp_path / "robust.pt", **QUICK, rho=0.3, step_size=0.2)
    card = json.loads((tmp_path / "robust.card.json").read_text())
    assert card["sha256"] == hashlib.sha256(trained.path.read_bytes()).hexdigest()
    assert (card["data"]["training"], card["data"]["held_out"], card["data"]["digest"]) == (64, 32, benchmark.images_digest)
    assert card["settings"] == {
        **{name: QUICK[name] for name in ("epochs", "batch_size", "steps", "peak_rate")},
        **{
            "start": "random weights",
            "split": "train",
            "rho": 0.3,
            "step_size": 0.2,
            "average": 0.0,
            "weights": "32 bits",
            "seed": 0,
        },
    }
    measured = card["measured"]
    assert [one["radius"] for one in measured["robust"]] == [0.15, 0.3, 0.6, 2.4]
    shares = [measured["accuracy"], *(one["accuracy"] for one in measured["robust"])]
    assert shares == sorted(shares, reverse=True), "the further an image may be moved, the fewer stay right"
    assert shares[-1] == 0, "an attack that may do anything leaves nothing"
    assert (trained.accuracy, trained.robust_accuracy) == (shares[0], shares[2])
    log = pd.read_csv(tmp_path / "robust.log.csv")
    assert list(log["epoch"]) == [1, 2, 3]
    assert list(log["loss"]) == [epoch.loss for epoch in trained.epochs]
    assert log[["accuracy", "robust_accuracy"]].stack().between(0, 1).all()
    text = (tmp_path / "robust.card.md").read_text()
    assert f"| 0.3 | {percent(shares[2])} |" in text
    assert "![Accuracy and loss by epoch](robust.log.svg)" in text
    assert ">under attack</text>" in (tmp_path / "robust.log.svg").read_text()


def test_a_moving_average_of_the_weights(benchmark: Benchmark, tmp_path: Path) -> None:
    """By hand, over the weights after each of the two batches of one epoch: the first as it is, then (1 + t) / (10 + t) of it."""
    quick = QUICK | {"epochs": 1}
    seen: list[dict[str, torch.Tensor]] = []
    step = torch.optim.SGD.step

    def watched(optimizer: torch.optim.SGD, *arguments: Any) -> Any:
        done = step(optimizer, *arguments)
        seen.append([parameter.detach().clone() for parameter in optimizer.param_groups[0]["params"]])
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.SGD, "step", watched)
        trained = train_robust(benchmark, tmp_path / "averaged.pt", **quick, average=0.999)
    assert len(seen) == 2
    kept = (1 + 1) / (10 + 1)
    expected = [kept * first + (1 - kept) * second for first, second in zip(*seen, strict=True)]
    model = extractors.load(trained.path)._model
    for found, value in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(found, value)
    with pytest.raises(BarlowError, match="average is 1"):
        train_robust(benchmark, tmp_path / "other.pt", **quick, average=1.0)


def test_the_adversary_is_that_of_foolbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the image itself, which a radius of 0 of the random start means: the same steps, the same images."""
    foolbox = pytest.importorskip("foolbox")
    torch.manual_seed(0)
    model = models.resnet18(num_classes=5).eval()
    images, labels = torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 2, 3])
    attack = foolbox.attacks.L2ProjectedGradientDescentAttack(abs_stepsize=0.3, steps=6, random_start=False)
    _, (expected,), _ = attack(foolbox.PyTorchModel(model, bounds=(0, 1)), images, labels, epsilons=[1.0])
    monkeypatch.setattr(adversary.torch, "rand", lambda n, generator=None: torch.zeros(n))
    found = adversary.l2_pgd(model, images, labels, rho=1.0, step_size=0.3, steps=6)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_restarts_find_more_and_a_small_ball_holds_less(benchmark: Benchmark) -> None:
    """A linear network, whose nearest border is known: an image is right under attack where it is farther from it than rho."""
    rng = np.random.default_rng(0)
    direction = torch.from_numpy(rng.normal(size=3 * 8 * 8).astype(np.float32))
    images = torch.from_numpy(rng.integers(60, 196, (40, 3, 8, 8), dtype=np.uint8))
    scores = (images.float() / 255 - 0.5).flatten(1) @ direction
    labels, distance = (scores > 0).long(), scores.abs() / direction.norm()

    def logits(pixels: torch.Tensor) -> torch.Tensor:
        score = (pixels - 0.5).flatten(1) @ direction
        return torch.stack([-score, score], dim=1)

    for rho in (0.02, 0.1, 0.3):
        found = robust_accuracy(logits, images, labels, rows=np.arange(40), rho=rho, restarts=2)
        assert found == pytest.approx(float((distance > rho).float().mean()), abs=1e-6)


def test_gradients_may_be_those_of_another_network() -> None:
    """What is right is said by the first: moved along the other's gradients, which point elsewhere, images stay right."""
    images, labels = torch.full((10, 3, 4, 4), 128, dtype=torch.uint8), torch.ones(10, dtype=torch.int64)

    def of(channel: int) -> adversary.Logits:
        return lambda pixels: torch.stack([torch.zeros(len(pixels)), pixels[:, channel].mean((1, 2)) - 0.45], dim=1)

    settings: dict[str, Any] = {"rows": np.arange(10), "rho": 0.5, "restarts": 1}
    assert robust_accuracy(of(0), images, labels, **settings) == 0
    assert robust_accuracy(of(0), images, labels, ascent=of(0), **settings) == 0
    assert robust_accuracy(of(0), images, labels, ascent=of(1), **settings) == 1


def test_normalises_with_the_training_images(benchmark: Benchmark, tmp_path: Path) -> None:
    train_robust(benchmark, tmp_path / "robust.pt", **(QUICK | {"epochs": 1, "image_size": 20}))
    content = torch.load(tmp_path / "robust.pt", weights_only=True)
    # The shorter side is 20 pixels already, so that nothing is scaled: the middle of every image as it is.
    learnt = np.stack([np.asarray(Image.open(benchmark.paths[i]))[:, 2:22] / 255 for i in range(96) if i % 3])
    np.testing.assert_allclose(content["mean"], learnt.mean((0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(content["std"], learnt.std((0, 1, 2)), atol=1e-6)


def test_interrupted_training_goes_on(benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_robust(benchmark, tmp_path / "whole.pt", **QUICK)
    real, calls = adversarial.l2_pgd, itertools.count()

    def interrupted(*arguments: Any, **settings: Any) -> torch.Tensor:
        if next(calls) == 3:  # in the second of three epochs of two batches
            raise KeyboardInterrupt
        return real(*arguments, **settings)

    monkeypatch.setattr(adversarial, "l2_pgd", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_robust(benchmark, tmp_path / "resumed.pt", **QUICK)
    assert not (tmp_path / "resumed.pt").exists()
    with pytest.raises(BarlowError, match=r"another training \(seed 0, now 5\).*remove the file"):
        train_robust(benchmark, tmp_path / "resumed.pt", **QUICK, seed=5)
    fewer = Benchmark.from_table(benchmark.images_dir, benchmark.table.iloc[1:], benchmark.class_names)
    with pytest.raises(BarlowError, match="other images, labels or network"):
        train_robust(fewer, tmp_path / "resumed.pt", **QUICK)
    made = next(calls)
    train_robust(benchmark, tmp_path / "resumed.pt", **QUICK)
    assert next(calls) - made == 1 + 4, "two epochs of two batches, not three"
    whole, resumed = weights(tmp_path / "whole.pt"), weights(tmp_path / "resumed.pt")
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


def test_starts_from_a_checkpoint_and_keeps_its_kind(benchmark: Benchmark, tmp_path: Path) -> None:
    content = {"state_dict": models.resnet18(num_classes=2).state_dict(), "bn_eps": 1e-3}
    torch.save(content, tmp_path / "start.pt")
    quick = QUICK | {"epochs": 1, "peak_rate": 1e-9, "image_size": 32, "rho": 0.0}
    trained = train_robust(benchmark, tmp_path / "robust.pt", arch="resnet18", start=tmp_path / "start.pt", **quick)
    torch.testing.assert_close(weights(trained.path)["fc.weight"], content["state_dict"]["fc.weight"])
    written = torch.load(trained.path, weights_only=True)
    assert (written["arch"], written["bn_eps"], written["mean"]) == ("resnet18", 1e-3, list(networks.IMAGENET_MEAN))
    assert extractors.load(trained.path).n_features == 512
    assert trained.robust_accuracy is None
    with pytest.raises(BarlowError, match=r"does not hold a small_resnet.*--arch"):
        train_robust(benchmark, tmp_path / "other.pt", arch="small_resnet", start=tmp_path / "start.pt")


@pytest.mark.parametrize("name", ["resnet18", "robust_resnet18", "standard_resnet_cifar10"])
def test_starts_from_a_name(
    benchmark: Benchmark, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights and architecture are those that the name stands for, wherever they come from; its classes are others."""
    monkeypatch.setenv("BARLOW_CACHE", str(tmp_path))
    quick = QUICK | {"epochs": 1, "peak_rate": 1e-9, "image_size": 32, "rho": 0.0}
    state = models.resnet18().state_dict()
    layer = "layer3.0.conv1.weight"
    if name == "standard_resnet_cifar10":
        state = weights(data_dir() / f"{name}.pt")
    elif name == "resnet18":
        monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *arguments, **options: state)
    else:
        with pytest.raises(BarlowError, match=r"not on this machine yet.*--download.*--start PATH"):
            train_robust(benchmark, tmp_path / "robust.pt", start=name, **quick)
        torch.save({"model": {f"module.model.{key}": value for key, value in state.items()}}, tmp_path / f"{name}.pt")
    trained = train_robust(benchmark, tmp_path / "robust.pt", start=name, **quick)
    written = torch.load(trained.path, weights_only=True)
    assert written["arch"] == ("small_resnet" if name == "standard_resnet_cifar10" else "resnet18")
    torch.testing.assert_close(written["state_dict"][layer], state[layer].float())
    assert written["num_classes"] == 2
    assert f"{name} tells other classes apart" in caplog.text
    assert extractors.load(trained.path).class_names == ["blue", "red"]


@pytest.mark.parametrize("names", [["blue", "red", "green"], ["pear", "plum"], None])
def test_other_classes_get_a_new_last_layer(
    benchmark: Benchmark,
    tmp_path: Path,
    names: list[str] | None,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(robust_network, "STEPS", 1)
    n_before = 10 if names is None else len(names)
    state = small_resnet.build(num_classes=n_before, planes=(8, 8, 8, 8), blocks=(1, 1, 1, 1)).state_dict()
    kind = {"planes": [8, 8, 8, 8], "blocks": [1, 1, 1, 1], "num_classes": n_before}
    torch.save(kind | {"state_dict": state} | ({} if names is None else {"classes": names}), tmp_path / "start.pt")
    quick = QUICK | {"epochs": 1, "peak_rate": 1e-9, "rho": 0.0}
    first, again = (train_robust(benchmark, tmp_path / f"{name}.pt", start=tmp_path / "start.pt", **quick) for name in "ab")
    found = weights(first.path)
    assert found["fc.weight"].shape == (2, 8)
    torch.testing.assert_close(found["layer4.0.conv2.weight"], state["layer4.0.conv2.weight"])
    assert torch.equal(found["fc.weight"], weights(again.path)["fc.weight"]), "its random weights come from the seed"
    assert "learnt anew" in caplog.text
    assert torch.load(first.path, weights_only=True)["num_classes"] == 2


def test_a_new_last_layer_of_a_convolution() -> None:
    model = networks.with_new_head(models.squeezenet1_1(num_classes=10), 3)
    assert networks.weights_classes(model) == 3
    assert model.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 3)


def test_a_wider_network_of_16_bits(benchmark: Benchmark, tmp_path: Path) -> None:
    trained = train_robust(benchmark, tmp_path / "wide.pt", width=16, float16=True, **(QUICK | {"epochs": 1}))
    written = torch.load(trained.path, weights_only=True)
    assert written["planes"] == [16, 32, 64, 128]
    assert {value.dtype for value in written["state_dict"].values()} == {torch.float16, torch.int64}
    # What was measured is what was written: the same weights read again are right about as many.
    loaded = extractors.load(trained.path)
    assert loaded.n_features == 128
    held = np.flatnonzero(benchmark.split.astype(str) == "val")  # type: ignore[union-attr]
    images = torch.stack([loaded.preprocess(Image.open(benchmark.paths[i])) for i in held])
    right = loaded.logits(images).argmax(1).numpy() == np.asarray(benchmark.labels)[held]
    assert right.mean() == pytest.approx(trained.accuracy)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "training"}, r"no image has the split 'training'.*train, val"),
        ({"epochs": 0}, "epochs is 0"),
        ({"peak_rate": float("nan")}, "learning rate is nan"),
        ({"rho": -1.0}, r"rho is -1\.0"),
        ({"step_size": 0.0}, "of a length above 0"),
        ({"batch_size": 65}, r"64 training images do not fill one batch of 65.*--batch-size"),
        ({"arch": "resnet81"}, "no classification network 'resnet81'"),
        ({"start": "none.pt"}, r"none\.pt"),
        ({"attacked": 0}, r"attacked is 0.*--attacked"),
        ({"width": 0}, r"width is 0.*--width"),
        ({"width": 16, "arch": "resnet18"}, "width is 16, of resnet18"),
        ({"width": 16, "start": "none.pt"}, r"width is 16, of small_resnet, from none\.pt"),
    ],
)
def test_mistakes(benchmark: Benchmark, tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(BarlowError, match=f"(?i){message}"):
        train_robust(benchmark, tmp_path / "robust.pt", **(QUICK | settings))
    assert not (tmp_path / "robust.pt").exists()


def test_damaged_checkpoint_is_explained(benchmark: Benchmark, tmp_path: Path) -> None:
    (tmp_path / "robust.checkpoint.pt").write_bytes(b"half a file")
    with pytest.raises(BarlowError, match=r"robust\.checkpoint\.pt is not the checkpoint of a training"):
        train_robust(benchmark, tmp_path / "robust.pt", **QUICK)


def test_the_radius_is_that_of_the_robust_imagenet_networks() -> None:
    assert default_rho(224) == 3.0
    assert default_rho(32) == pytest.approx(3 / 7)


def test_command(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "robust.pt"
    arguments = ["train-robust", str(folder), str(out), "--metadata", str(folder / "labels.csv"), "--device", "cpu"]
    recipe = ["--image-size", "16", "--epochs", "1", "--batch-size", "32", "--steps", "1", "--rate", "0.05"]
    done = CliRunner().invoke(cli, arguments + recipe, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "of 32 held-out images" in done.stdout
    assert str(out.with_suffix(".card.md")) in done.stdout
    (epoch,) = pd.read_csv(out.with_suffix(".log.csv")).itertuples()
    assert f"epoch 1/1: loss {epoch.loss:.3f}; of 16 held-out images {percent(epoch.accuracy, space=' ')} right" in done.stderr
    silent = CliRunner().invoke(cli, [*arguments, *recipe, "--overwrite", "--quiet"], catch_exceptions=False)
    assert "epoch" not in silent.stderr
    again = CliRunner().invoke(cli, arguments + recipe)
    assert again.exit_code == 2
    assert "already exists" in again.stderr
    assert CliRunner().invoke(cli, [*arguments, *recipe, "--overwrite"]).exit_code == 0
