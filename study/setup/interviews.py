"""From a run to the interviews of a study: which groupings, their trees and pictures frozen, and what the study file keeps of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from barlow_core.errors import BarlowError
from barlow_core.progress import progress_bar
from barlow_core.run import Run
from barlow_core.wording import count
from study.protocol import Protocol
from study.questionnaire import shown
from study.setup.freezing_groupings import Pictures, freeze_grouping, splits_of, tree_of
from study.setup.making import panels_of
from study.store import StudyStore

if TYPE_CHECKING:
    from barlow_core.extractors import Extractor

PER_NODE, EXTREMES = 48, 24


@dataclass(frozen=True)
class Trees:
    """The groupings that interviews can be about.

    Attributes:
        features: by key of the group, those of its tree of depth 2, that of the first split first.
        left_out: groups of the study whose tree has no feature.
    """

    features: Mapping[str, tuple[int, ...]]
    left_out: tuple[str, ...]


def trees_of(run: Run, store: StudyStore) -> Trees:
    """The trees of the groups that the crowd study is about, in its order.

    Raises:
        BarlowError: the study was made from another network's features, or its items name no groups of this run.
    """
    run.require("explain")
    made_by = store.settings.provenance.get("extractor", {}).get("fingerprint")
    if made_by is not None and run.require("extract")["extractor"].get("fingerprint") != made_by:
        raise BarlowError(
            f"{run.path} describes its images by another network than the one whose features {store.path} shows. Name the run that the "
            "study was made from."
        )
    known = set(run.groups()["group"])
    groups = dict.fromkeys(str(item["group"]) for item in store.item_list() if item.get("group") and item["kind"] == "item")
    missing = [group for group in groups if group not in known]
    if missing or not groups:
        what = (
            f"{count(len(missing), 'group')} of it, such as {missing[0]}, are"
            if missing
            else "its items name no groups, so none is"
        )
        raise BarlowError(
            f"{store.path} does not fit {run.path}: {what} explained there. Name the run that the study was made from."
        )
    found = {group: tuple(dict.fromkeys(splits_of(tree_of(run, group)).values())) for group in groups}
    return Trees({group: features for group, features in found.items() if features}, tuple(g for g, f in found.items() if not f))


def make_interviews(
    run: Run,
    store: StudyStore,
    trees: Trees,
    *,
    easy: Collection[str],
    protocol: Protocol,
    known: Mapping[str, Mapping[str, Any]] | None = None,
    extractor: Extractor | None = None,
    per_node: int = PER_NODE,
    extremes: int = EXTREMES,
    attacked: int | None = None,
    images_per_panel: int | None = None,
    steps: int | None = None,
    device: str | None = None,
    progress: bool = False,
) -> None:
    """Freeze the groupings beside the study, and prepare its interviews. Resumable: panels that are made are kept.

    Args:
        easy: groups out of which the first grouping of a participant is drawn.
        known: what else to keep of groups, such as the ease of their features.
        per_node, extremes: see `study.setup.freezing_groupings.freeze_grouping`.
        attacked: how many of the images at either end have heatmap and attack; None: all of `extremes`.
        images_per_panel, steps: see `study.setup.making.panels_of`.

    Raises:
        BarlowError: the study has interviews already; a group of `easy` is none of the study's; fewer than two groups.
    """
    if store.interviews.protocol is not None:
        raise BarlowError(f"{store.path} has interviews already; what participants see must not change.")
    check_easy(trees, easy)
    settings: dict[str, Any] = {
        "extractor": extractor, "images_per_panel": images_per_panel, "steps": steps, "device": device, "progress": progress,
    }  # fmt: skip
    by_group = _pictures(run, trees, extremes if attacked is None else min(attacked, extremes), settings)
    made = []
    for group in progress_bar(list(trees.features), desc="freeze", unit="group", shown=progress):
        data = freeze_grouping(run, group, by_group[group], store.path, per_node=per_node, extremes=extremes, seed=protocol.seed)
        made.append({"id": group, "easy": group in easy, **data, **(known or {}).get(group, {})})
    store.interviews.create(protocol, made)


def _pictures(run: Run, trees: Trees, attacked: int, settings: Mapping[str, Any]) -> dict[str, Pictures]:
    """By key of the group, the panels of its features: `attacked` images at either end, but as many at the upper one as a panel has."""
    requests = [{"group": group, "feature": feature} for group, features in trees.features.items() for feature in features]
    found: dict[str, Pictures] = {group: Pictures() for group in trees.features}
    panels = panels_of(run, requests, **settings)
    k = panels[0].k
    alike = {**settings, "steps": panels[0].attack["steps"]}
    sizes = dict(zip(run.groups()["group"], run.groups()["n_images"], strict=True))
    ends = {"panels": (requests, panels)}
    for name, end, skip in (("further", "highest", k), ("lowest", "lowest", 0)):
        wanted = [request for request in requests if attacked > skip and sizes[request["group"]] > skip]
        made = panels_of(run, wanted, **alike | {"images_per_panel": attacked - skip}, end=end, skip=skip) if wanted else []
        ends[name] = (wanted, made)
    for name, (wanted, made) in ends.items():
        for request, panel in zip(wanted, made, strict=True):
            getattr(found[str(request["group"])], name)[request["feature"]] = panel
    return found


def check_easy(trees: Trees, easy: Collection[str]) -> None:
    """Raise a BarlowError unless these groups can be the easy set."""
    for group in easy:
        if group not in trees.features:
            why = "its tree has no feature" if group in trees.left_out else "it is not among the groups of the study"
            raise BarlowError(
                f"{shown(group)} cannot be in the easy set: {why}. Choose out of: {', '.join(list(trees.features)[:20])}."
            )
    if len(trees.features) < 2 or not easy:
        raise BarlowError(
            f"Interviews need two groupings at least, one of them easy; there are {len(trees.features)} with a tree, {len(easy)} of them easy."
        )
