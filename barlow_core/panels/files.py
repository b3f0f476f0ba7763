"""A panel as it lies on disk: panel.json and the pictures that it names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from barlow_core.directions import Direction
from barlow_core.errors import BarlowError
from barlow_core.panels.settings import AttackSettings

FORMAT = 1
# The attributes of `PanelImage` that name files, and those of them that a network without feature maps leaves empty.
PICTURES, OF_MAPS = ("image", "heatmap", "overlay", "attack"), ("heatmap", "overlay")


def picture_kinds(display: Mapping[str, Any]) -> tuple[str, ...]:
    """The pictures that a panel with this `display` has."""
    return tuple(kind for kind in PICTURES if not (display.get("without_maps") and kind in OF_MAPS))


@dataclass(frozen=True)
class PanelImage:
    """One column of a panel.

    Attributes:
        index, name: position and file of the image in the benchmark.
        label, prediction: class names; prediction is None where there are none.
        activation: of the feature in the image, as in features.npy.
        attacked: of the feature in the attacked image.
        image, heatmap, overlay, attack: names of the files in the panel's folder; heatmap and overlay are "" in a panel without B.
    """

    index: int
    name: str
    label: str
    prediction: str | None
    activation: float
    attacked: float
    image: str
    heatmap: str
    overlay: str
    attack: str


@dataclass(frozen=True)
class Panel:
    """A panel on disk.

    Attributes:
        key: stands for all that the panel was made from; another key, another panel.
        group: key of the group, such as "label:truck".
        feature: what is shown: the index of a feature of the extractor, or a direction.
        k: how many images were asked for; there are fewer where the group is smaller.
        source: "group" or "benchmark", where the most activating images were searched.
        range: lowest and highest activation of the feature in the source.
        attack: {"steps", "step_size", "epsilon"}.
        image_size: side of what the extractor sees, in pixels.
        display: {"size", "resampling", "colormap", "heat"}: how the files were made from that; and "without_maps" where there is no
            section B.
        images: one entry a column, most activating first, or the least activating one where `end` is "lowest".
        path: the folder.
        precision: of the gradients of the attack, "float32" or "bfloat16"; panels of both kinds count as the same.
        end: "highest" or "lowest" activations.
        skip: how many images are before the first one, from that end.
    """

    key: str
    group: str
    feature: int | Direction
    k: int
    source: str
    range: tuple[float, float]
    attack: AttackSettings
    image_size: int
    display: dict[str, Any]
    images: tuple[PanelImage, ...]
    path: Path = field(compare=False)
    precision: str = "float32"
    end: str = "highest"
    skip: int = 0

    @classmethod
    def load(cls, path: str | Path) -> Panel:
        """Read a panel folder, current or stale.

        Raises:
            BarlowError: there is no panel, or one that is damaged or of another format.
        """
        folder = Path(path)
        try:
            stored = json.loads((folder / "panel.json").read_text(encoding="utf-8"))
            if stored.pop("format") != FORMAT:
                raise BarlowError(f"{folder} holds a panel that another version of Barlow made. Run again: barlow visualize RUN")
            if isinstance(stored["feature"], dict):
                stored["feature"] = Direction(*(tuple(stored["feature"][name]) for name in ("features", "weights")))
            stored |= {
                "range": tuple(stored["range"]),
                "images": tuple(PanelImage(**image) for image in stored["images"]),
            }
            return cls(path=folder, **stored)
        except FileNotFoundError:
            raise BarlowError(f"{folder} holds no panel. Make panels with: barlow visualize RUN") from None
        except (ValueError, KeyError, TypeError) as error:
            raise BarlowError(
                f"{folder / 'panel.json'} is damaged ({error}). Delete the folder, then: barlow visualize RUN"
            ) from error

    @property
    def direction(self) -> Direction:
        """What is shown as a direction."""
        return Direction.of(self.feature)

    @property
    def without_maps(self) -> str | None:
        """Why there is no section B; None where there is one."""
        reason: str | None = self.display.get("without_maps")
        return reason

    def __repr__(self) -> str:
        return f"Panel({self.direction.words} in {self.group}, {len(self.images)} images, {self.attack})"
