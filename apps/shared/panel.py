"""The panel of a feature: A, B and C under each other, so that a column is one image; made on demand where it is missing."""

from __future__ import annotations

from html import escape

import streamlit as st

from barlow_core.errors import BarlowError
from barlow_core.panels import Panel, load_panel, make_panel
from barlow_core.run import Run
from shared import runs
from shared.html import figure, plain


def panel_html(panel: Panel) -> str:
    """The three sections, six images each, with their activations."""
    low, high = panel.range
    where = "this group" if panel.source == "group" else "the whole benchmark"
    sections = [
        ("A", "Most activating images", f"of {where}. The feature goes from {low:.3f} to {high:.3f} there."),
        ("B", "Where it is seen", "Yellow where the feature responds most, violet where least."),
        ("C", "Feature attack", f"The same images, changed in {panel.attack['steps']} steps to raise the feature."),
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


def found_panel(run: Run, group: str, feature: int) -> Panel | None:
    """The panel of a feature in a group where it is made; a damaged one is as good as none, it can be made again."""
    try:
        return load_panel(run, group, feature)
    except BarlowError:
        return None


def show_panel(run: Run, group: str, feature: int, *, place: str) -> None:
    """Show the panel of a feature in a group, or a button that makes it.

    Args:
        place: distinguishes several panels of the same feature on one page.
    """
    panel = found_panel(run, group, feature)
    if panel is None:
        slot = st.empty()
        with slot.container():
            st.caption(f"The pictures of feature {feature} are not made yet.")
            wanted = st.button("Make this panel", key=f"make {place} {group} {feature}")
        if not wanted:
            return
        with slot.container():
            panel = _make(run, group, feature)
        if panel is None:
            return
        slot.empty()
    st.html(panel_html(panel))


def _make(run: Run, group: str, feature: int) -> Panel | None:
    """Make a panel like those that `barlow visualize` made, if it did."""
    settings = (run.recorded("visualize") or {}).get("settings", {})
    like = {name: settings[name] for name in ("k", "source") if name in settings}
    attack = settings.get("attack") or {}
    with st.status(f"Making the pictures of feature {feature} …", expanded=True) as status:
        try:
            st.write("Loading the extractor")
            extractor = runs.extractor(run)
            st.write("Finding the most activating images, attacking the feature")
            panel = make_panel(run, extractor, group, feature, **like, **attack)
        except BarlowError as error:
            status.update(label="The pictures could not be made", state="error")
            st.error(plain(str(error)))
            return None
        status.update(label="Done", state="complete")
        return panel
