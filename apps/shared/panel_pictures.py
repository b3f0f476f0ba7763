"""The pictures of a panel: A, B and C under each other, so that a column is one image. Needs no network and no run."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from barlow_core.panels import Panel
from shared.html import figure


def further_html(images: Sequence[tuple[Path, Path, str]]) -> str:
    """Further images of a feature: files of the image and of its heatmap over it, and the activation as text."""
    plain = [(image, text) for image, _, text in images]
    bright = [(overlay, "") for _, overlay, _ in images]
    cells = []
    for letter, title, shown in (("C", "Further images", plain), ("D", "Where the feature responds there", bright)):
        cells.append(f'<div class="bw-section"><h5><b>{letter}</b> {title}</h5></div>')
        cells += [figure(file, alt=f"{title}, {n}", caption=text) for n, (file, text) in enumerate(shown, 1)]
    return f'<div class="bw-panel" style="--n:{len(images)}">{"".join(cells)}</div>'


def panel_html(panel: Panel) -> str:
    """The three sections, six images each, with their activations."""
    low, high = panel.range
    shown = panel.direction
    noun = shown.noun
    heat = (
        ("Where the feature responds", "Yellow where the feature responds most, violet where least.")
        if noun == "feature"
        else ("Where the weighted sum comes from", "Yellow where it is highest, violet where lowest.")
    )
    where = "this group" if panel.source == "group" else "the whole benchmark"
    sections = [
        (
            "A",
            f"{'Most' if panel.end == 'highest' else 'Least'} activating images",
            f"of {where}. There the {noun} ranges from {low:.3f} to {high:.3f}.",
        ),
        ("B", *heat),
        ("C", "Feature attack", f"The same images, changed in {panel.attack['steps']} steps to increase the {noun}."),
    ]
    cells = []
    for letter, title, note in sections:
        if letter == "B" and panel.without_maps is not None:
            note = f"There are no heatmaps: {panel.without_maps}."
        cells.append(f'<div class="bw-section"><h5><b>{letter}</b> {title}</h5><p>{escape(note)}</p></div>')
        for image in panel.images if letter != "B" or panel.without_maps is None else ():
            subject = f"{image.label} image {image.name}"
            file, alt, value = {
                "A": (
                    image.image,
                    f"{subject}, {shown.words} at {image.activation:.3f}",
                    f"{image.activation:.3f}",
                ),
                "B": (image.overlay, f"Heatmap of {shown.words} over {subject}", ""),
                "C": (
                    image.attack,
                    f"{subject}, changed to raise {shown.words} to {image.attacked:.3f}",
                    f"{image.activation:.3f} → {image.attacked:.3f}",
                ),
            }[letter]
            cells.append(figure(panel.path / file, alt=alt, caption=value))
    return f'<div class="bw-panel" style="--n:{len(panel.images)}">{"".join(cells)}</div>'
