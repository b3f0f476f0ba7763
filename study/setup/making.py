"""From a run to a study: panels made where they are missing, frozen beside the study, and the study file written last."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barlow_core.analyses import ExplainRecord
from barlow_core.errors import BarlowError
from barlow_core.groups import parse
from barlow_core.panels import Panel, default_steps, load_panel, make_panels
from barlow_core.progress import progress_bar
from barlow_core.run import Run
from study.core_or_spurious import questionnaire_of
from study.setup.frozen_panels import MANIFEST, freeze, panels_folder
from study.setup.more_pictures import freeze_more, require_classes
from study.setup.selection import Selection, select, with_checks
from study.store import StudySettings, StudyStore
from study.store.clock import Clock

if TYPE_CHECKING:
    from barlow_core.extractors import Extractor

IMAGES_PER_PANEL = 6


def make_study(
    run: Run,
    path: str | Path | None = None,
    *,
    selection: Selection | None = None,
    conditions: Mapping[str, Run] | None = None,
    extractor: Extractor | Mapping[str, Extractor] | None = None,
    images_per_panel: int | None = None,
    steps: int | None = None,
    device: str | None = None,
    progress: bool = False,
    clock: Clock | None = None,
    **settings: Any,
) -> StudyStore:
    """Make the study of a run: its panels, their frozen copies, and the file. Resumable: what is made already is kept.

    Args:
        path: of the new study; None for study.sqlite in the run folder.
        selection: what it shows; None for the paper's selection with practice and attention checks.
        conditions: by name, the run that items of a condition show; None, or one that is not there: `run`. See `study.setup.conditions`.
        extractor: the one that made the features, or one for each condition; None loads it again, where there are panels to make.
        images_per_panel, steps: of the panels, all alike; None for those that the panels of the run were made with.
        settings: of the study, see `study.store.StudySettings`.

    Raises:
        BarlowError: the file exists; the run is not explained; an item or a setting is wrong.
    """
    path = run.path / "study.sqlite" if path is None else Path(path)
    if path.exists():
        raise BarlowError(f"{path} exists already. A study is never replaced: choose another path, or move it away.")
    chosen = StudySettings.make(settings)  # the cheap complaint first: panels take minutes
    selection = selection or with_checks(run, select(run), questionnaire=chosen.questionnaire, seed=chosen.seed)
    if (asks := questionnaire_of(chosen.questionnaire)) is not None:
        require_classes(selection.items, asks)
        if conditions:
            raise BarlowError(
                f"{asks} marks features of one run, so its studies have no conditions. Make one study for each run."
            )
    made = {"images_per_panel": images_per_panel, "steps": steps, "device": device, "progress": progress}
    panels = _panels_by_condition(run, selection.items, conditions or {}, extractor, made)
    items = freeze_all(run, selection.items, panels, path, progress=progress)
    if asks is not None:
        own = None if isinstance(extractor, Mapping) else extractor
        own = own or run.extractor(**({} if device is None else {"device": device}))
        items = freeze_more(run, own, items, panels, path, asks, seed=chosen.seed, progress=progress)
    record = ExplainRecord.of(run)
    provenance = {
        "run": run.path.name,
        "data": run.info["data"],
        "explain": record.key,
        "search": record.to_dict(),
        "extractor": _extractor_of(run),
        "panels": {"images": panels[0].k, "attack": dict(panels[0].attack), "display": panels[0].display},
        "notes": list(selection.notes),
    }
    if conditions:
        provenance["conditions"] = {
            name: {"run": one.path.name, "extractor": _extractor_of(one), "explain": ExplainRecord.of(one).key}
            for name, one in conditions.items()
        }
    given = settings | {"provenance": dict(settings.get("provenance", {})) | provenance}
    return StudyStore.create(path, items=items, clock=clock, **given)


def _extractor_of(run: Run) -> dict[str, Any]:
    return {name: run.require("extract")["extractor"].get(name) for name in ("name", "fingerprint")}


def _panels_by_condition(
    run: Run,
    items: Sequence[Mapping[str, Any]],
    conditions: Mapping[str, Run],
    extractor: Extractor | Mapping[str, Extractor] | None,
    made: Mapping[str, Any],
) -> list[Panel]:
    """The panels of `items`, in their order: each from the run of its condition, all made alike."""
    found: dict[int, Panel] = {}
    alike = dict(made)
    for name, one in conditions.items() or {"": run}.items():
        here = [place for place, item in enumerate(items) if not conditions or item.get("condition") == name]
        own = extractor.get(name) if isinstance(extractor, Mapping) else extractor
        panels = panels_of(one, [items[place] for place in here], extractor=own, **alike)
        found |= dict(zip(here, panels, strict=True))
        alike |= {"images_per_panel": panels[0].k, "steps": panels[0].attack["steps"]}
    return [found[place] for place in range(len(items))]


def panels_of(
    run: Run,
    items: Sequence[Mapping[str, Any]],
    *,
    extractor: Extractor | None = None,
    images_per_panel: int | None = None,
    steps: int | None = None,
    device: str | None = None,
    progress: bool = False,
    end: str = "highest",
    skip: int = 0,
) -> list[Panel]:
    """The panels of `items`, in their order, all made alike; missing ones are made, with a bar that shows how long it takes.

    Args:
        end, skip: see `barlow_core.panels.render.make_panels`.
    """
    made = run.recorded("visualize") or {}
    earlier = made.get("settings", {})
    k = images_per_panel or earlier.get("k") or IMAGES_PER_PANEL
    steps = (earlier.get("attack") or {}).get("steps") if steps is None else steps
    requests = [(str(item["group"]), int(item["feature"])) for item in items]
    which: dict[str, Any] = {"end": end, "skip": skip}
    found = [load_panel(run, group, feature, **which) for group, feature in dict.fromkeys(requests)]
    if not all(panel is not None and _is_like(panel, k, steps) for panel in found):
        extractor = extractor or run.extractor(**({} if device is None else {"device": device}))
        return make_panels(run, extractor, requests, k=k, steps=steps, progress=progress, **which)
    by_request = dict(zip(dict.fromkeys(requests), found, strict=True))
    return [panel for request in requests if (panel := by_request[request]) is not None]


def _is_like(panel: Panel, k: int, steps: int | None) -> bool:
    wanted = default_steps(panel.image_size) if steps is None else steps
    return panel.k == k and panel.source == "group" and panel.attack["steps"] == wanted


def freeze_all(
    run: Run, items: Sequence[Mapping[str, Any]], panels: Sequence[Panel], path: Path, *, progress: bool = False
) -> list[dict[str, Any]]:
    """The items with their pictures frozen beside the study that is to lie at `path`; leftovers of an earlier attempt go."""
    root = panels_folder(path)
    named = list(dict.fromkeys(item.get("condition") for item in items))
    # Numbers, because names of conditions are any text.
    prefixes = {name: f"condition-{number}-" if len(named) > 1 else "" for number, name in enumerate(named, 1)}
    names = [f"{prefixes[item.get('condition')]}{parse(run.benchmark, item['group']).slug}-{item['feature']}" for item in items]
    if root.is_dir():
        for folder in root.iterdir():
            if folder.is_dir() and folder.name not in names and (folder.name.startswith(".") or (folder / MANIFEST).is_file()):
                shutil.rmtree(folder)
    frozen: dict[str, dict[str, Any]] = {}
    by_name = dict(zip(names, panels, strict=True))
    for name, panel in progress_bar(by_name.items(), desc="freeze", unit="panel", shown=progress):
        frozen[name] = freeze(panel, root, name)
    return [dict(item) | frozen[name] for item, name in zip(items, names, strict=True)]


def preview_copy(store: StudyStore, path: str | Path) -> StudyStore:
    """A study to try out: a new one at `path` with the items and settings of `store`, and no workers or answers.

    The pictures stay where they are: `load_item_panel(store.path, data)` reads them.

    Raises:
        BarlowError: `path` exists or cannot be written.
    """
    settings = {name: getattr(store.settings, name) for name in store.settings.names()}
    return StudyStore.create(path, items=store.item_list(), **settings)
