"""Intervening on a failure mode of a run: change images, ask the model again, compare with controls, keep what was found."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from barlow_core.directions import Direction
from barlow_core.extraction import describe
from barlow_core.extractors import Classifier, Extractor
from barlow_core.groups import parse
from barlow_core.interventions import judging
from barlow_core.interventions.asking import Answers, Inspected, carried, check_model
from barlow_core.interventions.changes import control_features, latent_changes, lengths, like, of_length, random_changes
from barlow_core.interventions.images import Images, drawn_images
from barlow_core.interventions.judging import ANSWER, Measured
from barlow_core.interventions.kinds import (
    ELSEWHERE,
    FEATURE,
    LATENT,
    LEAF,
    OUTSIDE,
    RANDOM_DIRECTION,
    RANDOM_FEATURE,
    RANDOM_REGION,
)
from barlow_core.interventions.record import FORMAT, Intervention, folder_of, load_intervention, save_intervention
from barlow_core.interventions.regions import feature_regions, filled, moved_regions, regions_of_area
from barlow_core.interventions.settings import InterventionSettings
from barlow_core.interventions.target import Target
from barlow_core.panels.attack import attack_networks
from barlow_core.panels.pictures import weighted_maps
from barlow_core.panels.render import check_extractor
from barlow_core.progress import progress_bar
from barlow_core.run import Run, digest
from barlow_core.storage.shards import ShardedArray

DRAWS = 5  # random directions, and random regions, an image
MOST_SHOWN = 5  # other features that are named as changed

Step = Callable[[], None]


def intervene(
    run: Run,
    model: Classifier,
    target: Target,
    *,
    extractor: Extractor | None = None,
    settings: InterventionSettings | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Intervention:
    """Change a feature in images, through the extractor and by what it looks at, and ask the model under inspection again.

    In failures of the leaf the feature is moved out of the rule, in successes outside of the leaf into it. A model that depends on the
    feature then gets the first right (repair) and the second wrong (break), more often than with random features that are changed in the
    same images by the same l2 length. An interrupted call goes on where it stopped; what is there already, made from the same, is kept.

    Args:
        model: the one whose predictions the run holds.
        target: of `leaf_target` or `rule_target`.
        extractor: the one that made the features of the run; None loads it.
        overwrite: do it again all the same.

    Raises:
        BarlowError: the model is another one (`asking.check_model`); no image that could be changed; another extractor.
    """
    settings = settings or InterventionSettings()
    extractor = extractor or run.extractor(device=str(model.device))
    check_extractor(run, extractor)
    made_from = _made_from(run, model, target, settings)
    key = digest(made_from)
    folder = folder_of(run, target.group, target.slug)
    with run.lock():
        if not overwrite and (kept := load_intervention(folder)) is not None and kept.info["key"] == key:
            return kept
        inspected = Inspected(run, model)
        mismatch = check_model(run, inspected, tolerance=settings.tolerance, seed=settings.seed)
        images = drawn_images(run, inspected, extractor, target, settings)
        gradients, fast = attack_networks(extractor)
        work = _Work(run, inspected, fast, gradients, target, settings, images, key)
        measured, shown, effects, counts = work.measure(progress=progress)
        n_ways = 1 + len(settings.fills)
        judged = judging.judge(measured, alpha=settings.alpha, n_ways=n_ways, seed=settings.seed)
        info = {
            "format": FORMAT,
            "key": key,
            "made_from": made_from,
            "verdict": judged.verdict,
            "why": judged.why,
            "p": judged.p,
            "mismatch": mismatch,
            "n_contradicted": images.n_contradicted,
            "model": describe(model),
            "settings": _plain(settings) | {"epsilon": settings.full_change(extractor.image_size)},
            "target": _described(target),
            "controls": counts,
            "gradients": gradients.execution.precision,
            "ways": judged.ways,
            "without_regions": work.without_regions,
            "side_effects": effects,
        }
        found = save_intervention(folder, info, judging.dose_table(measured, confidence=1 - settings.alpha), run, measured, shown)
        shutil.rmtree(work.partial, ignore_errors=True)
        return found


def _made_from(run: Run, model: Classifier, target: Target, settings: InterventionSettings) -> dict[str, Any]:
    return {
        "extract": run.require("extract")["key"],
        "outcome": run.info["data"]["outcome"],
        "model": model.fingerprint,
        "target": _described(target) | {"images": digest(target.inside.tolist(), target.outside.tolist())},
        "settings": _plain(settings),
        "format": FORMAT,
    }


def _plain(settings: InterventionSettings) -> dict[str, Any]:
    """As JSON gives it back."""
    return asdict(settings) | {"fills": list(settings.fills)}


def _described(target: Target) -> dict[str, Any]:
    return {
        "group": target.group,
        "name": target.name,
        "rule": target.rule,
        "features": list(target.direction.features),
        "weights": list(target.direction.weights),
        "above": target.above,
        "threshold": target.threshold,
        "sides": list(target.sides),
    }


class _Work:
    """One intervention under way.

    Attributes:
        extractor: says how strong features are, and where; gradients: what changes follow, in bfloat16 where that is faster.
        partial: the folder of what is measured so far.
        without_regions: why no region was changed; None where some were.
    """

    def __init__(
        self,
        run: Run,
        inspected: Inspected,
        extractor: Extractor,
        gradients: Extractor,
        target: Target,
        settings: InterventionSettings,
        images: Images,
        key: str,
    ):
        self.run, self.inspected, self.extractor, self.gradients = run, inspected, extractor, gradients
        self.target, self.settings, self.images, self.key = target, settings, images, key
        self.partial = folder_of(run, target.group, target.slug).with_name(f".{target.slug}.partial")
        self.without_regions: str | None = None
        self.epsilon = settings.full_change(extractor.image_size)
        self.among = parse(run.benchmark, target.group).indices

    def measure(
        self, *, progress: bool
    ) -> tuple[list[Measured], dict[str, tuple[Images, Tensor]], dict[str, dict[str, Any]], dict[str, int]]:
        """Everything: what the model said, the changed pictures (way -> images and (n, 3, S, S)), side effects by way, numbers of controls."""
        settings, target = self.settings, self.target
        n = settings.n_controls(1 + len(settings.fills))
        among = self.among
        tested = self.images.positions[self.images.sides != ELSEWHERE]
        stored = np.asarray(self.run.features())
        width = len(target.direction.features)
        rng = np.random.default_rng([settings.seed, 2])
        wanted = n if width == 1 else min(stored.shape[1] - width, max(n, 4 * width))
        pool, counts = control_features(stored, target.direction, tested, among, wanted, rng)
        controls = [like(target.direction, one) for one in (pool[:, None] if width == 1 else self._sets(pool, width, n, rng))]
        regions = self._strong() if settings.fills else np.zeros(0, dtype=np.int64)
        n_trials = 1 + n + DRAWS
        total = n_trials * (1 + (len(settings.fills) if len(regions) else 0))
        self.partial.mkdir(parents=True, exist_ok=True)
        measured, shown, effects = [], {}, {}
        with progress_bar(total=total, desc="intervention", unit="trial", shown=progress) as bar:
            latent, changed, side_effects = self._latent(controls, bar.update)
            measured.append(latent)
            shown[LATENT], effects[LATENT] = (self.images, changed), side_effects
            for fill in settings.fills if len(regions) else ():
                found, pictures_of, side_effects = self._regions(self.images.at(regions), fill, controls, bar.update)
                measured.append(found)
                shown[fill], effects[fill] = pictures_of, side_effects
        return measured, shown, effects, counts

    @staticmethod
    def _sets(pool: np.ndarray, width: int, n: int, rng: np.random.Generator) -> list[np.ndarray]:
        return [rng.choice(pool, width, replace=False) for _ in range(n)]

    def _strong(self) -> np.ndarray:
        """The images in which the feature is strong, so that there is a region to change; `without_regions` says why there are none."""
        if self.extractor.without_maps is not None:
            self.without_regions = f"the extractor has no feature maps: {self.extractor.without_maps}"
            return np.zeros(0, dtype=np.int64)
        strong = (LEAF, ELSEWHERE) if self.target.above else (OUTSIDE,)
        rows = np.flatnonzero(np.isin(self.images.sides, strong))
        regions = feature_regions(self._maps(self.images.seen[rows])[0], self.extractor.image_size, self.settings.threshold)
        rows = rows[regions.any(axis=(1, 2))]
        if not (self.images.sides[rows] != ELSEWHERE).any():
            self.without_regions = "there was no image in which the feature is strong"
            return np.zeros(0, dtype=np.int64)
        return rows

    def _maps(self, images: Tensor, *directions: Direction) -> list[Tensor]:
        """The maps (n, h, w) of the target's feature, or of directions."""
        with torch.inference_mode():
            parts = [self.extractor.feature_maps(part).cpu() for part in images.split(32)]
        maps = torch.cat(parts)
        return [weighted_maps(maps, one) for one in directions or (self.target.direction,)]

    def _values(self, images: Tensor) -> np.ndarray:
        """(n, D) features of images as the extractor sees them."""
        with torch.inference_mode():
            return torch.cat([self.extractor.features(part).cpu() for part in images.split(64)]).numpy()

    # --- through the extractor

    def _latent(self, controls: list[Direction], step: Step) -> tuple[Measured, Tensor, dict[str, Any]]:
        images = self.images
        raised = (images.sides == OUTSIDE) == self.target.above  # out of the rule in the leaf and elsewhere, into it outside
        change = partial(latent_changes, self.gradients, raised=raised, doses=self.settings.doses, epsilon=self.epsilon)
        own = change(images.seen, self.target.direction)
        wanted = lengths(own)

        def trial(number: int, rows: np.ndarray) -> Tensor:
            if number == 0:
                return own
            if number <= len(controls):
                found = change(images.seen[rows], controls[number - 1], raised=raised[rows])
                return of_length(found, wanted[:, rows])
            rng = np.random.default_rng([self.settings.seed, 3, number])
            return random_changes(images.seen.shape, wanted, rng)[:, rows]

        trials = (FEATURE, *[RANDOM_FEATURE] * len(controls), *[RANDOM_DIRECTION] * DRAWS)

        def asked(number: int, rows: np.ndarray) -> tuple[Answers, np.ndarray]:
            seen, before = images.seen[rows], images.asked[rows]
            changes = ((seen + trial(number, rows)).clamp(0, 1)) - seen
            carry = partial(carried, seen=self.extractor.preprocess, asked=self.inspected.preprocess)
            return self._ask(rows, images, [(before + carry(one)).clamp(0, 1) for one in changes]), lengths(changes)

        answers = self._run(LATENT, trials, images, asked, step)
        after = (images.seen + own).clamp(0, 1)
        return self._measured(LATENT, trials, answers, images, after)

    # --- by regions

    def _regions(
        self, images: Images, fill: str, controls: list[Direction], step: Step
    ) -> tuple[Measured, tuple[Images, Tensor], dict[str, Any]]:
        settings, side = self.settings, self.extractor.image_size
        maps = self._maps(images.seen, self.target.direction, *controls)
        own = feature_regions(maps[0], side, settings.threshold)
        areas = own.sum(axis=(1, 2))
        doses = np.linspace(0, 1, settings.doses + 1).tolist()

        def region(number: int) -> np.ndarray:
            if number == 0:
                return own
            if number <= len(controls):
                return regions_of_area(maps[number], side, areas)
            return moved_regions(own, np.random.default_rng([settings.seed, 4, number]))

        def change(views: Tensor, regions: np.ndarray, number: int) -> Tensor:
            return filled(views, regions, fill, doses, np.random.default_rng([settings.seed, 5, number]))

        def asked(number: int, rows: np.ndarray) -> tuple[Answers, np.ndarray]:
            chosen = region(number)[rows]
            seen = change(images.seen[rows], chosen, number)
            there = carried(
                torch.from_numpy(chosen[:, None].astype(np.float32)), self.extractor.preprocess, self.inspected.preprocess
            )
            same = torch.equal(images.seen[rows], images.asked[rows]) if images.seen.shape == images.asked.shape else False
            views = seen if same else change(images.asked[rows], there[:, 0].numpy() >= 0.5, number)
            return self._ask(rows, images, views), lengths(seen - images.seen[rows])

        trials = (FEATURE, *[RANDOM_FEATURE] * len(controls), *[RANDOM_REGION] * DRAWS)
        answers = self._run(fill, trials, images, asked, step)
        after = change(images.seen, own, 0)
        measured, last, effects = self._measured(fill, trials, answers, images, after)
        return measured, (images, last), effects

    # --- both

    def _ask(self, rows: np.ndarray, images: Images, doses: Sequence[Tensor] | Tensor) -> Answers:
        """What the model says of images at every dose: arrays (doses + 1, n)."""
        found = [self.inspected.ask(one, images.labels[rows]) for one in doses]
        return Answers(np.stack([one.margins for one in found]), np.stack([one.predictions for one in found]))

    def _run(
        self,
        way: str,
        trials: tuple[str, ...],
        images: Images,
        asked: Callable[[int, np.ndarray], tuple[Answers, np.ndarray]],
        step: Step,
    ) -> np.ndarray:
        """(trials, doses + 1, n) of `judging.ANSWER`; trials that an interrupted call finished are not repeated."""
        n_controls = trials.count(RANDOM_FEATURE)
        shape = (len(trials), self.settings.doses + 1, len(images.positions))
        with ShardedArray(
            self.partial / f"{way}.npy",
            key=digest(self.key, images.positions.tolist()),
            shape=shape,
            dtype=ANSWER,
            shard_size=1,
            overwrite=True,
        ) as array:
            for number in range(len(trials)):
                if not array.done[number]:
                    rows = self._rows(number, n_controls, images.sides)
                    answers, length = asked(number, rows)
                    row = np.empty(shape[1:], dtype=ANSWER)
                    row["margin"], row["length"], row["prediction"] = np.nan, np.nan, -1
                    row["margin"][:, rows], row["prediction"][:, rows] = answers.margins, answers.predictions
                    row["length"][:, rows] = length
                    array.write(number, row[None])
                step()
            return np.array(array.data)

    @staticmethod
    def _rows(number: int, n_controls: int, sides: np.ndarray) -> np.ndarray:
        """Which images are changed in a trial: of other classes, each with one of the random features only."""
        elsewhere = np.flatnonzero(sides == ELSEWHERE)
        if number == 0 or number > n_controls:
            return np.arange(len(sides))
        own = elsewhere[np.arange(len(elsewhere)) % n_controls == number - 1]
        return np.sort(np.concatenate([np.flatnonzero(sides != ELSEWHERE), own]))

    def _measured(
        self, way: str, trials: tuple[str, ...], answers: np.ndarray, images: Images, after: Tensor
    ) -> tuple[Measured, Tensor, dict[str, Any]]:
        """What was measured, the fully changed pictures, and by how much other features changed with the target's."""
        features = np.stack([self._values(dose) for dose in after])
        values = np.stack([self.target.direction.values(one) for one in features])
        was_above, is_above = values[0] > self.target.threshold, values[-1] > self.target.threshold
        measured = Measured(way, trials, answers, images.sides, images.labels, values, was_above != is_above, images.positions)
        tested = measured.tested
        return measured, after[-1], self._side_effects(features[0][tested], features[-1][tested])

    def _side_effects(self, before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
        """By how many standard deviations (over the group's images) features change, the target's and the others'."""
        among, stored = self.among, self.run.features()
        deviation = np.asarray(stored[among], dtype=np.float64).std(axis=0)
        own_deviation = float(self.target.direction.values(stored, among).std())
        own = np.abs(self.target.direction.values(after) - self.target.direction.values(before)).mean()
        change = np.abs(after - before).mean(axis=0)
        others = np.divide(change, deviation, out=np.zeros(len(change)), where=deviation > 0)
        others[list(self.target.direction.features)] = 0.0
        order = np.argsort(-others, kind="stable")[:MOST_SHOWN]
        own_sd = float(own / own_deviation) if own_deviation > 0 else 0.0
        return {
            "own": own_sd,
            "median_other": float(np.median(np.delete(others, list(self.target.direction.features)))),
            "n_others": len(others) - len(self.target.direction.features),
            "n_more_than_half": int((others > own_sd / 2).sum()),
            "most": [[int(i), float(others[i])] for i in order],
        }
