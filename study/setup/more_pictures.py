"""Pictures beside the panels, for studies about core and spurious features: of the main object, and further images with a feature's maps.

They are frozen as the panels are (`study.setup.frozen_panels`), each set in a folder of its own with a list of what is in it: images of a class
once for all of its items, further images of a feature for each item.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from barlow_core.errors import BarlowError
from barlow_core.groups import parse
from barlow_core.panels import Panel, most_activating, pictures
from barlow_core.progress import progress_bar
from barlow_core.run import Run
from barlow_core.storage.files import write_json
from study.core_or_spurious import CORE_OR_SPURIOUS
from study.setup.frozen_panels import OF_OBJECT, OF_THE_SAME, panels_folder, require_sound, seal

if TYPE_CHECKING:
    from barlow_core.extractors import Extractor

IMAGES = 6
# Further images are among those with the highest activation, 5 % of the group: 65 of 1,300, as in Salient ImageNet.
UPPER_SHARE = 0.05
CLASS_GROUPINGS = ("label", "prediction")  # of one class, whose name says what the main object is
_LIST = "pictures.json"


@dataclass(frozen=True)
class MorePictures:
    """Pictures of one folder, in their order.

    Attributes:
        images: files of them.
        overlays: the same with the feature's map laid over; none for pictures of the object.
        about: a mapping a picture: `index`, `name` (in the benchmark), `activation` where the feature was looked at.
    """

    images: tuple[Path, ...]
    overlays: tuple[Path, ...]
    about: tuple[Mapping[str, Any], ...]


def require_classes(items: Iterable[Mapping[str, Any]], questionnaire: str) -> None:
    """Raise a BarlowError for an item that is not about one class."""
    for item in items:
        if item.get("grouping") not in CLASS_GROUPINGS:
            raise BarlowError(
                f"Item {item['id']} shows a feature in {item['group']}, which is not a class, and {questionnaire} asks about the main object of "
                "one. Take groups such as label:truck."
            )


def freeze_more(
    run: Run,
    extractor: Extractor,
    items: Sequence[Mapping[str, Any]],
    panels: Sequence[Panel],
    store_path: Path,
    questionnaire: str,
    *,
    seed: int,
    progress: bool = False,
) -> list[dict[str, Any]]:
    """The items with the pictures that their questionnaire needs beside A, B and C, frozen beside the study that is to lie at `store_path`.

    Args:
        panels: those of the items.
        questionnaire: "core-or-spurious" or "same-feature".
        seed: of the images of the object.

    Raises:
        BarlowError: a group has no image that is not in its panel already.
    """
    root = panels_folder(store_path)
    made: dict[str, str] = {}
    found = []
    together = list(zip(items, panels, strict=True))
    for item, panel in progress_bar(together, desc="further pictures", unit="item", shown=progress):
        if questionnaire == CORE_OR_SPURIOUS:
            kind, name = OF_OBJECT, f"object-{parse(run.benchmark, 'label:' + str(item['class_name'])).slug}"
        else:
            kind, name = OF_THE_SAME, f"{item['panel']}-further"
        if name not in made:
            if questionnaire == CORE_OR_SPURIOUS:
                made[name] = _freeze_object(run, extractor, str(item["class_name"]), root, name, seed)
            else:
                made[name] = _freeze_further(run, extractor, panel, root, name)
        found.append(dict(item) | dict(zip(kind, (name, made[name]), strict=True)))
    return found


def further_positions(run: Run, panel: Panel, n: int = IMAGES) -> np.ndarray:
    """Positions in the benchmark of further images of a panel's group, (at most n,) int64, most activating first.

    They lie at equal steps of rank behind those of the panel, down to the upper 5 % of the group or, where that is fewer, the next `n`.
    """
    indices = parse(run.benchmark, panel.group).indices
    order = indices[most_activating(panel.direction.values(run.features(), indices), len(indices))]
    order = order[~np.isin(order, [image.index for image in panel.images])]
    if not len(order):
        raise BarlowError(
            f"All images of {panel.group} are in its pictures already, so there are no further ones to ask about. Leave the group out, or take "
            "fewer images: --images-per-panel."
        )
    upper = max(n, math.ceil(UPPER_SHARE * len(indices)) - len(panel.images))
    ranks = np.linspace(0, min(upper, len(order)) - 1, min(n, len(order)))
    return order[np.unique(ranks.round().astype(np.int64))]


def _freeze_object(run: Run, extractor: Extractor, class_name: str, root: Path, name: str, seed: int) -> str:
    from barlow_core.panels.overlays import seen

    own = parse(run.benchmark, f"label:{class_name}").indices
    chosen = np.sort(np.random.default_rng(seed).permutation(own)[:IMAGES])
    side = pictures.looking_size(extractor.image_size)

    def fill(folder: Path) -> None:
        about = []
        for column, position in enumerate(map(int, chosen)):
            file = f"a_{column}{pictures.suffix(extractor.image_size)}"
            shown = pictures.enlarge(pictures.to_pixels(seen(run, extractor, position)[None]), side)
            pictures.write_picture(folder / file, shown[0])
            about.append({"index": position, "name": str(run.benchmark.names[position]), "image": file})
        write_json(folder / _LIST, {"class_name": class_name, "images": about})

    return seal(root, name, fill)


def _freeze_further(run: Run, extractor: Extractor, panel: Panel, root: Path, name: str) -> str:
    from barlow_core.panels.overlays import overlay

    feature = int(panel.direction.features[0])
    shown = [(int(position), overlay(run, extractor, int(position), feature)) for position in further_positions(run, panel)]

    def fill(folder: Path) -> None:
        about = []
        for column, (position, one) in enumerate(shown):
            files = {"image": f"a_{column}{one.image.suffix}", "overlay": f"b_{column}{one.overlay.suffix}"}
            for kind, file in files.items():
                shutil.copyfile(getattr(one, kind), folder / file)
            about.append({"index": position, "name": str(run.benchmark.names[position]), "activation": one.activation, **files})
        write_json(folder / _LIST, {"group": panel.group, "feature": feature, "images": about})

    return seal(root, name, fill)


def load_more(store_path: str | Path, item_data: Mapping[str, Any], kind: tuple[str, str]) -> MorePictures | None:
    """Pictures of an item as they were frozen; None where it has none of the kind.

    Args:
        store_path: of the study.
        kind: `OF_OBJECT` or `OF_THE_SAME`.

    Raises:
        BarlowError: they are missing, or not those that were frozen.
    """
    name, digest = (item_data.get(key) for key in kind)
    if not name or not isinstance(name, str):
        return None
    folder = panels_folder(store_path) / Path(name).name
    require_sound(folder, digest)
    listed = json.loads((folder / _LIST).read_text(encoding="utf-8"))["images"]
    return MorePictures(
        tuple(folder / one["image"] for one in listed),
        tuple(folder / one["overlay"] for one in listed if "overlay" in one),
        tuple({key: value for key, value in one.items() if key not in ("image", "overlay")} for one in listed),
    )
