from __future__ import annotations

import json
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from barlow_core import views
from barlow_core.errors import BarlowError
from barlow_core.export import fiftyone_dataset, fiftyone_samples, images_frame, spotlight_types
from barlow_core.run import Run


def test_every_image_knows_its_failure_modes(explained_run: Run) -> None:
    frame = images_frame(explained_run, depth=1, features=[7])
    assert len(frame) == 120
    assert all(Path(path).is_file() for path in frame["image"])
    modes = explained_run.failure_modes().query("depth == 1")
    for mode in modes.itertuples():
        inside = frame["failure_modes"].str.split("; ").map(lambda names, mode=mode: f"{mode.group} #{mode.leaf}" in names)
        assert inside.sum() == mode.n_images
        assert frame["failure"][inside].sum() == mode.n_failures
    assert frame["n_failure_modes"].sum() == modes["n_images"].sum()
    assert frame["feature[7]"].tolist() == explained_run.features()[:, 7].tolist()


def test_only_the_chosen_failure_modes(explained_run: Run) -> None:
    frame = images_frame(explained_run, modes=[("label:truck", 1, 1)])
    assert set(frame["failure_modes"]) == {"", "label:truck #1"}
    assert not images_frame(explained_run, modes=[])["n_failure_modes"].any()
    with pytest.raises(BarlowError, match="no node 9"):
        images_frame(explained_run, modes=[("label:truck", 1, 9)])


def test_samples_by_hand(explained_run: Run) -> None:
    samples = fiftyone_samples(explained_run, modes=[("label:truck", 1, 1)], features=[7])
    node = views.re_evaluate(explained_run, "label:truck", depth=1).analysis.tree.node(1)
    position = int(views.node_failures(explained_run, "label:truck", node)["position"].iloc[0])
    sample = samples[position]
    assert sample == {
        "filepath": str(explained_run.benchmark.paths[position]),
        "ground_truth": {"label": "truck"},
        "position": position,
        "prediction": {"label": "cat", "confidence": 0.9},
        "tags": ["failure", "label:truck #1"],
        "feature_7": float(explained_run.features()[position, 7]),
    }
    assert samples[1]["tags"] == ["success"]


def test_samples_without_confidence_and_with_splits(explained_run: Run) -> None:
    benchmark = replace(explained_run.benchmark, confidence=None, split=["test"] * 120)
    explained_run.__dict__["benchmark"] = benchmark
    sample = fiftyone_samples(explained_run, modes=[])[1]
    assert sample["prediction"] == {"label": "cat"}
    assert sample["tags"] == ["test", "success"]


@pytest.mark.parametrize(("module", "package"), [("renumics.spotlight", "renumics-spotlight"), ("fiftyone", "fiftyone")])
def test_a_tool_that_is_not_installed_is_named(
    explained_run: Run, monkeypatch: pytest.MonkeyPatch, module: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, module.split(".")[0], None)
    with pytest.raises(BarlowError, match=f"pip install {package}"):
        if package == "fiftyone":
            fiftyone_dataset(explained_run)
        else:
            spotlight_types(images_frame(explained_run, modes=[]))


def test_spotlight_takes_the_frame(explained_run: Run) -> None:
    """The real thing: Spotlight's own server reads the frame and says which types it sees."""
    spotlight = pytest.importorskip("renumics.spotlight", reason="the extra spotlight is not installed")
    frame = images_frame(explained_run, depth=1, features=[7])
    viewer = spotlight.show(frame, dtype=spotlight_types(frame), no_browser=True, wait=False)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{viewer.port}/api/table/", timeout=60) as answer:
            columns = {column["name"]: column["dtype"]["name"] for column in json.load(answer)["columns"]}
    finally:
        viewer.close()
    assert (columns["image"], columns["label"], columns["prediction"]) == ("Image", "Category", "Category")
    assert (columns["failure"], columns["feature[7]"]) == ("bool", "float")


def test_fiftyone_takes_the_samples(explained_run: Run) -> None:
    """The real thing as far as it goes here: samples need no database, a dataset does."""
    fiftyone = pytest.importorskip("fiftyone", reason="the extra fiftyone is not installed")
    plain = fiftyone_samples(explained_run, depth=1, features=[7])[0]
    labels = {what: fiftyone.Classification(**plain[what]) for what in ("ground_truth", "prediction")}
    sample = fiftyone.Sample(**plain | labels)
    assert (sample.ground_truth.label, sample.prediction.confidence, sample.feature_7) == ("cat", 0.9, plain["feature_7"])
    try:
        dataset = fiftyone_dataset(explained_run, "barlow test", depth=1)
    except BarlowError as error:
        assert "FIFTYONE_DATABASE_URI" in str(error)  # noqa: PT017
        return
    try:
        assert len(dataset) == 120
        assert len(dataset.match_tags("failure")) == explained_run.benchmark.failure.sum()
        with pytest.raises(BarlowError, match="already"):
            fiftyone_dataset(explained_run, "barlow test", depth=1)
    finally:
        dataset.delete()
