"""The pictures of a panel: A, B and C under each other, so that a column is one image. Needs no network and no run."""

from __future__ import annotations

from html import escape

from barlow_core.panels import Panel
from shared.html import figure


def panel_html(panel: Panel) -> str:
    """The three sections, six images each, with their activations."""
    low, high = panel.range
    where = "this group" if panel.source == "group" else "the whole benchmark"
    sections = [
        ("A", "Most activating images", f"of {where}. There the feature ranges from {low:.3f} to {high:.3f}."),
        ("B", "Where the feature responds", "Yellow where the feature responds most, violet where least."),
        ("C", "Feature attack", f"The same images, changed in {panel.attack['steps']} steps to increase the feature."),
    ]
    cells = []
    for letter, title, note in sections:
        cells.append(f'<div class="bw-section"><h5><b>{letter}</b> {title}</h5><p>{escape(note)}</p></div>')
        for image in panel.images:
            subject = f"{image.label} image {image.name}"
            file, alt, value = {
                "A": (
                    image.image,
                    f"{subject}, feature {panel.feature} at {image.activation:.3f}",
                    f"{image.activation:.3f}",
                ),
                "B": (image.overlay, f"Heatmap of feature {panel.feature} over {subject}", ""),
                "C": (
                    image.attack,
                    f"{subject}, changed to raise feature {panel.feature} to {image.attacked:.3f}",
                    f"{image.activation:.3f} → {image.attacked:.3f}",
                ),
            }[letter]
            cells.append(figure(panel.path / file, alt=alt, caption=value))
    return f'<div class="bw-panel" style="--n:{len(panel.images)}">{"".join(cells)}</div>'
