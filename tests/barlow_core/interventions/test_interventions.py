"""A model that depends on one known feature: is that said of this feature, and not of others? And is nothing changed by nothing?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import steered
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from barlow_core.cli import causal, cli, printing
from barlow_core.cli.printing_interventions import print_interventions
from barlow_core.directions import Direction
from barlow_core.errors import BarlowError
from barlow_core.extractors import Classifier, Extractor
from barlow_core.extractors.extractor import Preprocessing
from barlow_core.interventions import (
    Intervention,
    InterventionSettings,
    intervene,
    interventions,
    leaf_target,
    load_intervention,
    running,
)
from barlow_core.interventions.asking import carried
from barlow_core.interventions.changes import control_features, latent_changes, lengths, of_length, random_changes
from barlow_core.interventions.kinds import CANNOT_TELL, DEPENDS, NO_EVIDENCE
from barlow_core.interventions.known_model import known_model
from barlow_core.interventions.regions import feature_regions, filled, moved_regions, regions_of_area
from barlow_core.interventions.settings import FILLS
from barlow_core.interventions.words import intervene_command
from barlow_core.run import Run
from barlow_core.wording import percent

# At a level of 0.2 nine random features suffice in two ways; the other numbers are usual.
QUICK = InterventionSettings(images=12, doses=2, alpha=0.2)
Made = tuple[Run, Extractor, Classifier]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return steered.steered_run(tmp_path_factory.mktemp("steered"))


@pytest.fixture(scope="module")
def steering(made: Made) -> Intervention:
    """What is found of the feature that steers the model, in images labelled a."""
    run, extractor, model = made
    return intervene(run, model, steered.target(run, steered.STEERING), extractor=extractor, settings=QUICK)


def some_images(n: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, steered.SIDE, steered.SIDE, generator=torch.Generator().manual_seed(seed))


# --- nothing comes of nothing


@settings(max_examples=20)
@given(fill=st.sampled_from(FILLS), seed=st.integers(0, 99))
def test_a_region_filled_with_no_strength_keeps_every_bit(fill: str, seed: int) -> None:
    images = some_images(2, seed)
    regions = np.random.default_rng(seed).random((2, steered.SIDE, steered.SIDE)) < 0.3
    unchanged, changed = filled(images, regions, fill, (0.0, 1.0), np.random.default_rng(0))
    assert torch.equal(unchanged, images)
    outside = np.broadcast_to(~regions[:, None], images.shape)
    assert np.array_equal(changed.numpy()[outside], images.numpy()[outside])
    assert changed.min() >= 0
    assert changed.max() <= 1


@settings(max_examples=8)
@given(seed=st.integers(0, 99), feature=st.integers(0, steered.N_FEATURES - 1))
def test_dose_zero_is_no_change_and_doses_are_steps_of_one_length(seed: int, feature: int) -> None:
    images = some_images(4, seed)
    raised = np.array([True, False, True, False])
    changes = latent_changes(steered.extractor(), images, Direction.of(feature), raised=raised, doses=2, epsilon=0.5)
    assert not changes[0].any()
    assert (lengths(changes) <= np.array([[0], [0.25], [0.5]]) + 1e-6).all()
    values = torch.stack([steered.extractor().features(images + one)[:, feature] for one in changes]).detach().numpy()
    assert ((values[-1] >= values[0]) == raised)[values[-1] != values[0]].all()


def test_in_a_whole_intervention_the_first_dose_changes_no_answer(made: Made) -> None:
    run, extractor, model = made
    doses = intervene(run, model, steered.target(run, 30), extractor=extractor, settings=QUICK).doses()
    first = doses[doses["dose"] == 0]
    assert len(first) >= 6
    assert (first["rate"] == 0).all()
    assert (first["length"] == 0).all()
    assert np.abs(first["margin"]).max() < 1e-4  # of controls, asked in other batches: rounding


# --- the truth is found


@pytest.mark.parametrize(("group", "above"), [("a", False), ("b", True)])
def test_the_feature_that_steers_the_model_is_depended_on(made: Made, group: str, above: bool) -> None:
    run, extractor, model = made
    target = steered.target(run, steered.STEERING, group=group, above=above)
    found = intervene(run, model, target, extractor=extractor, settings=QUICK)
    assert found.verdict == DEPENDS
    latent = found.info["ways"][0]
    assert latent["p"] == 1 / 10
    assert latent["rate"] > 0.5 > latent["control_rate"]
    assert latent["direction_rate"] < latent["rate"]
    assert {side["side"] for side in latent["sides"]} >= {"leaf", "outside"}
    assert found.info["mismatch"] == 0
    rows = found.images()
    repaired = rows[(rows["side"] == "leaf") & rows["flipped"]]
    assert (repaired["after"] == repaired["label"]).all()
    assert (rows["length"] <= found.info["settings"]["epsilon"] + 1e-6)[rows["way"] == "latent"].all()
    assert all(pair["before_picture"].is_file() and pair["after_picture"].is_file() for pair in found.pictures())


def test_a_feature_that_the_model_does_not_use_is_not(made: Made) -> None:
    """Of features that have least to do with the steering one, none is said to be depended on."""
    run, extractor, model = made
    correlation = np.abs(np.corrcoef(np.asarray(run.features()).T)[steered.STEERING])
    for feature in np.argsort(correlation)[:2]:
        found = intervene(run, model, steered.target(run, int(feature)), extractor=extractor, settings=QUICK)
        assert found.verdict in (NO_EVIDENCE, CANNOT_TELL)


def test_a_weighted_sum_can_be_the_target(made: Made) -> None:
    run, extractor, model = made
    target = steered.target(run, steered.STEERING)
    target = replace(target, direction=Direction((steered.STEERING, 20), (0.9, -0.1)), name="search rule 0")
    found = intervene(
        run, model, target, extractor=extractor, settings=InterventionSettings(images=12, doses=1, fills=(), controls=9)
    )
    assert found.info["ways"][0]["rate"] > found.info["ways"][0]["control_rate"]
    assert found.features == [steered.STEERING, 20]


def test_too_few_images_cannot_tell(made: Made) -> None:
    run, extractor, model = made
    target = steered.target(run, steered.STEERING)
    found = intervene(run, model, target, extractor=extractor, settings=InterventionSettings(images=3, doses=1, controls=9))
    assert found.verdict == CANNOT_TELL
    assert "at least 10 are needed" in found.info["why"]


def test_under_the_null_p_is_uniform(made: Made) -> None:
    """A model that looks at one of the controls' kind, features at random: 20 null modes (benchmarks/calibration_interventions.py: 200)."""
    run, extractor, model = made
    rng = np.random.default_rng(0)
    quick = InterventionSettings(images=5, doses=1, fills=(), controls=4)
    p = [
        intervene(run, model, steered.target(run, int(feature)), extractor=extractor, settings=quick).info["ways"][0]["p"]
        for feature in rng.choice(steered.N_FEATURES, 20, replace=False)
    ]
    jittered = np.array(p) - rng.random(len(p)) / 5  # p is one of 0.2, 0.4, ..., 1
    assert kstest(jittered, "uniform").pvalue > 0.01


# --- regions


@settings(max_examples=25)
@given(seed=st.integers(0, 999), threshold=st.floats(0.2, 0.9))
def test_regions_elsewhere_have_the_same_area_and_shape(seed: int, threshold: float) -> None:
    maps = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(seed))
    regions = feature_regions(maps, 16, threshold)
    moved = moved_regions(regions, np.random.default_rng(seed))
    assert (moved.sum(axis=(1, 2)) == regions.sum(axis=(1, 2))).all()
    for one, other in zip(regions, moved, strict=True):
        assert any(np.array_equal(np.roll(one, (y, x), (0, 1)), other) for y in range(16) for x in range(16))
    assert (regions_of_area(maps, 16, regions.sum(axis=(1, 2))).sum(axis=(1, 2)) == regions.sum(axis=(1, 2))).all()


def test_a_small_region_moves_away_from_itself() -> None:
    region = np.zeros((1, 16, 16), dtype=bool)
    region[0, 2:6, 3:7] = True
    places = [moved_regions(region, np.random.default_rng(seed))[0] for seed in range(30)]
    assert all((place & region[0]).sum() <= 4 for place in places)
    assert len({place.tobytes() for place in places}) > 20


def test_a_region_is_painted_with_its_surroundings() -> None:
    images = torch.full((1, 3, 16, 16), 0.25)
    images[0, :, 5:9, 5:9] = 1.0
    region = np.zeros((1, 16, 16), dtype=bool)
    region[0, 4:10, 4:10] = True
    for fill in ("inpaint", "mean"):
        assert torch.allclose(
            filled(images, region, fill, [1.0], np.random.default_rng(0))[0], torch.full_like(images, 0.25), atol=0.01
        )
    blurred = filled(images, region, "blur", [1.0], np.random.default_rng(0))[0]
    assert 0.25 < float(blurred[0, 0, 6, 6]) < 1


# --- controls


def test_controls_are_active_and_say_something_else() -> None:
    rng = np.random.default_rng(0)
    stored = rng.random((200, 30)).astype(np.float32) + 0.1
    stored[:, 1] = stored[:, 0] + 0.01 * rng.random(200)  # says the same
    stored[:, 2] = 0  # dead
    everything = np.arange(200)
    chosen, counts = control_features(stored, Direction.of(0), everything, everything, 20, np.random.default_rng(1))
    assert len(set(chosen.tolist())) == 20
    assert not {0, 1, 2} & set(chosen.tolist())
    assert counts["n_correlated"] >= 1
    assert counts["n_inactive"] == 1
    with pytest.raises(BarlowError, match="29 other features, and 40 are wanted"):
        control_features(stored, Direction.of(0), everything, everything, 40, np.random.default_rng(1))


def test_controls_have_the_length_of_the_change() -> None:
    rng = np.random.default_rng(0)
    changes = torch.from_numpy(rng.normal(size=(2, 3, 3, 8, 8)).astype(np.float32))
    wanted = rng.uniform(5, 20, (2, 3)).astype(np.float32)
    np.testing.assert_allclose(lengths(of_length(changes, wanted)), wanted, rtol=1e-5)
    np.testing.assert_allclose(lengths(random_changes((3, 3, 8, 8), wanted, rng)), wanted, rtol=1e-5)
    assert not of_length(torch.zeros(1, 3, 8, 8), np.ones(1, dtype=np.float32)).any()


# --- from one network's view of a picture to another's


def test_a_change_lands_where_it_belongs() -> None:
    """A square in the middle of what one network sees is in the middle of what another sees, at its scale."""
    seen, asked = Preprocessing(32, 32), Preprocessing(48, 64)
    change = torch.zeros(1, 1, 32, 32)
    change[0, 0, 12:20, 12:20] = 1
    there = carried(change, seen, asked)
    assert there.shape == (1, 1, 48, 48)
    assert float(there[0, 0, 24, 24]) == 1
    assert float(there.sum()) == pytest.approx(4 * 64, rel=0.02)  # twice as large on either side
    assert carried(change, seen, Preprocessing(32, 32)) is change
    smaller = carried(torch.ones(1, 1, 32, 32), Preprocessing(32, 48), Preprocessing(48, 48))
    assert float(smaller.sum()) == 32 * 32  # what the first network does not see stays


# --- the run


def test_what_is_found_is_kept_and_goes_on_after_an_interruption(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    run, extractor, model = made
    target, quick = steered.target(run, 12), InterventionSettings(images=8, doses=1, seed=3, alpha=0.2)
    whole = intervene(run, model, target, extractor=extractor, settings=quick)
    calls: list[int] = []
    ask = running._Work._ask

    def stops(self: running._Work, *arguments: object) -> object:
        calls.append(1)
        if len(calls) == 10:
            raise KeyboardInterrupt
        return ask(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(running._Work, "_ask", stops)
    with pytest.raises(KeyboardInterrupt):
        intervene(run, model, target, extractor=extractor, settings=quick, overwrite=True)
    kept = load_intervention(whole.path)
    assert kept is not None
    assert kept.info == whole.info  # nothing half-written
    again = intervene(run, model, target, extractor=extractor, settings=quick, overwrite=True)
    n_trials = 2 * (1 + 9 + running.DRAWS)
    assert len(calls) == n_trials + 1  # nine were not asked twice
    assert again.info == whole.info
    assert again.doses().equals(whole.doses())
    monkeypatch.setattr(running._Work, "_ask", ask)
    intervene(run, model, target, extractor=extractor, settings=quick)  # is there already
    assert not list(whole.path.parent.glob(".*"))


def test_another_model_is_refused(made: Made) -> None:
    run, extractor, _ = made
    torch.manual_seed(5)
    other = Classifier.from_model(
        steered.Steered(steered.extractor()._model, 0.0).eval(), class_names=["a", "b"], name="other", **steered.USUAL
    )
    with pytest.raises(BarlowError, match=r"other contradicts the stored predictions of \d+\.\d % of 120 images.*--model"):
        intervene(run, other, steered.target(run, 12), extractor=extractor, settings=QUICK)


def test_interventions_of_other_predictions_are_not_shown(made: Made, steering: Intervention) -> None:
    run, *_ = made
    assert steering.path in [one.path for one in interventions(run)]
    before = run.info["data"]["outcome"]
    run.info["data"]["outcome"] = "another"
    try:
        assert interventions(run) == []
    finally:
        run.info["data"]["outcome"] = before
    rule = steering.info["target"]["rule"]
    own = interventions(run, "label:a", rule)
    assert steering.path in [one.path for one in own]
    assert {(one.group, one.info["target"]["rule"]) for one in own} == {("label:a", rule)}
    assert interventions(run, "label:a", "another rule") == []


def test_what_is_damaged_or_of_another_format_is_not_there(steering: Intervention, tmp_path: Path) -> None:
    file = tmp_path / "intervention.json"
    for text in ("", "[]", "{}", json.dumps(steering.info | {"format": 1})):
        file.write_text(text)
        assert load_intervention(tmp_path) is None
    file.write_text(json.dumps(steering.info))
    assert load_intervention(tmp_path) == Intervention(tmp_path, steering.info)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"images": 0}, "images is 0"),
        ({"epsilon": -1.0}, "epsilon is -1.0"),
        ({"fills": ("paint",)}, "cannot be filled with 'paint'"),
        ({"threshold": 1.0}, "threshold is 1.0"),
        ({"controls": 0}, "controls is 0"),
        ({"tolerance": 2.0}, "tolerance is 2.0"),
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        InterventionSettings(**wrong)  # type: ignore[arg-type]


def test_as_many_controls_as_the_test_needs() -> None:
    assert InterventionSettings().n_controls(2) == 39
    assert InterventionSettings().n_controls(1) == 19
    assert InterventionSettings(controls=7).n_controls(2) == 7


# --- the command


def test_the_command_says_what_is_needed(explained_run: Run) -> None:
    said = CliRunner().invoke(cli, ["intervene", str(explained_run.path), "label:truck"])
    assert said.exit_code == 2
    assert "has predictions, but not the model that made them" in said.output


def test_targets_come_from_the_trees(explained_run: Run) -> None:
    found = leaf_target(explained_run, "label:truck")
    assert found.direction.features == (7,)
    assert not found.above
    failure = explained_run.benchmark.failure
    assert failure[found.inside].mean() > failure[found.outside].mean()
    assert set(found.elsewhere).isdisjoint(np.flatnonzero(explained_run.benchmark.labels == 2))
    for wrong, message in (
        ({"leaf": 99}, "has no node 99"),
        ({"depth": 1, "leaf": 1, "feature": 11}, "Feature 11 is not in the rule"),
        ({"depth": 1, "leaf": 0}, "it has no feature"),
    ):
        with pytest.raises(BarlowError, match=message):
            leaf_target(explained_run, "label:truck", **wrong)  # type: ignore[arg-type]
    with pytest.raises(BarlowError, match="not among the"):
        leaf_target(explained_run, "label:trunk")


def test_the_command_prints_what_was_found(made: Made, steering: Intervention) -> None:
    run, *_ = made
    printed = CliRunner().invoke(cli, ["show", str(run.path), "interventions"], catch_exceptions=False).output
    assert f"The model depends on feature {steered.STEERING}." in printed
    told = json.loads(CliRunner().invoke(cli, ["show", str(run.path), "interventions", "--json"]).output)
    assert steering.info in told


def test_the_numbers_fit_a_terminal_of_80_columns(
    steering: Intervention, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(printing, "PIPE_WIDTH", 80)
    print_interventions([steering], as_json=False)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    for way in steering.info["ways"]:
        for number in (percent(way["rate"], space=" "), percent(way["control_rate"], space=" "), f"{way['p']:.2g}"):
            assert number in said


def test_a_run_knows_its_model_where_it_can(made: Made, explained_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that `barlow predict` asked, else that of an intervention, else that of the example; nobody has to name it then."""
    run, _, _ = made
    assert known_model(run) is None  # a model of a notebook has no name that a command could load
    assert intervene_command(run, "label:a", 1, 2).endswith("--leaf 2 --model MODEL")
    monkeypatch.setitem(explained_run.info, "arguments", {"example": "cifar10"})
    assert known_model(explained_run) == ("standard_resnet_cifar10", {})
    assert intervene_command(explained_run, "label:a", 1, 2, feature=3, path="RUN") == (
        "barlow intervene RUN label:a --depth 1 --leaf 2 --feature 3"
    )
    stages = explained_run.info["stages"]
    monkeypatch.setitem(stages, "predict", {"model": {"source": "resnet18", "options": {"image_size": 64}}})
    assert known_model(explained_run) == ("resnet18", {"image_size": 64})
    monkeypatch.setitem(stages, "predict", {"model": {"source": None, "options": {}}})
    assert known_model(explained_run) is None


def test_a_second_call_says_that_nothing_was_done(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    run, extractor, model = made
    monkeypatch.setattr(causal, "_target", lambda *_, **__: steered.target(run, steered.STEERING, group="b", above=True))
    monkeypatch.setattr(causal, "inspected_model", lambda *_: model)
    monkeypatch.setattr(Run, "extractor", lambda *_, **__: extractor)
    command = ["intervene", str(run.path), "label:b", "--images", "4", "--doses", "1", "--no-regions", "--quiet"]

    def said(*options: str) -> bool:
        return "Found earlier, and kept: 1 of 1" in CliRunner().invoke(cli, [*command, *options], catch_exceptions=False).output

    assert [said(), said(), said("--overwrite")] == [False, True, False]
