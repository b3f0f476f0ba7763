"""What is written beside a trained network: a card that says what it is and how good, and the log of its training."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from barlow_core import vega
from barlow_core.storage.files import atomic_write, write_json
from barlow_core.training.adversarial import Epoch
from barlow_core.vega import Spec
from barlow_core.wording import count, percent

FORMAT = 1
_LABELS = {"accuracy": "as they are", "robust_accuracy": "under attack"}


def files_beside(out: Path) -> dict[str, Path]:
    """Where card and log of the network at `out` are."""
    return {name: out.with_suffix(f".{name}") for name in ("card.json", "card.md", "log.csv", "log.svg")}


def write_log(out: Path, epochs: Sequence[Epoch]) -> None:
    """The log as CSV, a row an epoch, and drawn: written anew after every epoch, so that a training can be watched."""
    rows = io.StringIO(newline="")
    writer = csv.DictWriter(rows, list(asdict(epochs[0])))
    writer.writeheader()
    writer.writerows(asdict(epoch) for epoch in epochs)
    beside = files_beside(out)
    for name, content in (("log.csv", rows.getvalue().encode()), ("log.svg", vega.svg(_drawn(epochs)))):
        with atomic_write(beside[name]) as temporary:
            temporary.write_bytes(content)


def write_card(out: Path, card: Mapping[str, Any], epochs: Sequence[Epoch]) -> None:
    """The card of the network at `out` as JSON and as Markdown.

    Args:
        card: "network", "data", "settings", "measured", "cost", "versions"; the hash of the file is added.
    """
    content = {"format": FORMAT, "file": out.name, "sha256": hashlib.sha256(out.read_bytes()).hexdigest(), **card}
    content["log"] = [asdict(epoch) for epoch in epochs]
    beside = files_beside(out)
    write_json(beside["card.json"], content)
    with atomic_write(beside["card.md"]) as temporary:
        temporary.write_text(_markdown(content, beside["log.svg"].name), encoding="utf-8")


def _markdown(card: Mapping[str, Any], picture: str) -> str:
    network, data, measured, cost = card["network"], card["data"], card["measured"], card["cost"]
    lines = [
        f"# {card['file']}",
        "",
        f"A {network['arch']} for images of {network['image_size']} x {network['image_size']} pixels and "
        f"{count(len(network['classes']), 'class', 'classes')}, {network['parameters']:,} parameters, trained {_trained(card['settings']['rho'])}.",
        "",
        "## How good",
        "",
    ]
    if measured is None:
        lines += ["Not measured: no image was held out. A table with a column Split holds some out.", ""]
    else:
        lines += [
            f"On images that were not learnt from: {count(data['held_out'], 'image')} as they are, {measured['attacked']:,} of them under attack "
            f"({measured['steps']} gradient steps from each of {count(measured['restarts'], 'random start')}; an image counts as right if it "
            "is after every one of them). Radii are l2, for pixels from 0 to 1.",
            "",
            "| radius | right |",
            "|---|---|",
            f"| 0 | {percent(measured['accuracy'])} |",
            *(f"| {one['radius']:.3g} | {percent(one['accuracy'])} |" for one in measured["robust"]),
            "",
            f"With five times the steps at radius {measured['more_steps']['radius']:.3g}: {percent(measured['more_steps']['accuracy'])}. If this were "
            "much lower, or the largest radius left many right, the attack would be too weak for the numbers above to mean anything.",
            "",
        ]
    lines += [f"![Accuracy and loss by epoch]({picture})", "", "## How it was made", "", "| | |", "|---|---|"]
    stated = {
        "training images": f"{data['training']:,}",
        "digest of the images": data["digest"],
        **{name.replace("_", " "): value for name, value in card["settings"].items()},
        "device": cost["device"],
        "training": f"{cost['seconds']:,.0f} s",
        **{f"{name} version": value for name, value in card["versions"].items()},
        "SHA-256 of the file": card["sha256"],
    }
    lines += [f"| {name} | {value} |" for name, value in stated.items()]
    return "\n".join(lines) + "\n"


def _trained(rho: float) -> str:
    if rho == 0:
        return "on images as they are, without an adversary"
    return f"by l2 adversarial training (objective (1) of the paper) with rho = {rho:g}"


def _drawn(epochs: Sequence[Epoch]) -> Spec:
    """Accuracies on held-out images above, the training loss below."""
    shares = [
        {"epoch": epoch.epoch, "share": share, "images": label}
        for epoch in epochs
        for name, label in _LABELS.items()
        if (share := getattr(epoch, name)) is not None
    ]
    every = -(-len(epochs) // 20)
    axis = {"values": [epoch.epoch for epoch in epochs][every - 1 :: every], "format": "d"}
    across = {"field": "epoch", "type": "quantitative", "title": "epoch", "axis": axis, "scale": {"zero": False}}
    size = {"width": 420, "height": 170}
    loss = {
        **size,
        "data": {"values": [{"epoch": epoch.epoch, "loss": epoch.loss} for epoch in epochs]},
        "mark": {"type": "line", "point": {"color": vega.GREY}, "color": vega.GREY},
        "encoding": {
            "x": across,
            "y": {"field": "loss", "type": "quantitative", "title": "training loss", "scale": {"zero": False}},
        },
    }
    held_out = {
        **size,
        "data": {"values": shares},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": across,
            "y": {
                "field": "share",
                "type": "quantitative",
                "title": "held-out images right",
                "axis": {"format": "%"},
                "scale": {"domain": [0, 1]},
            },
            "color": {
                "field": "images",
                "type": "nominal",
                "title": None,
                "scale": {"domain": list(_LABELS.values()), "range": [vega.BLUE, vega.ORANGE]},
            },
            "strokeDash": {"field": "images", "type": "nominal", "legend": None},
        },
    }
    return {"$schema": vega.SCHEMA, "config": vega.config(), "vconcat": [held_out, loss] if shares else [loss]}
