"""Small pieces of HTML that Streamlit's own elements cannot give: aligned pictures with alt texts, numbers with explanations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit import runtime

from barlow_core.errors import ImageError
from barlow_core.panels.thumbnails import BrowserImage, for_browser

TERMS = {
    "ER": "Error rate: the share of these images that the classifier gets wrong.",
    "BER": "Base error rate: the share of all images of this group that the classifier gets wrong.",
    "EC": "Error coverage: of all failures of this group, the share that lies here.",
    "IV": "Importance value, ER × EC: high where images often fail and many of the group's failures are.",
    "ALER": "Average leaf error rate: the error rate of the leaf in which a failure of this group lies, on average over "
    "the failures. The more it exceeds BER, the better the tree separates failures from successes.",
    "Increase": "How much more often these images fail than the group as a whole: ER − BER, in percentage points.",
    "Held-out ER": "Error rate on images that played no part in finding the rule, with its confidence interval.",
    "Held-out increase": "ER − BER on images that played no part in finding the rule, with its confidence interval. Where the "
    "interval holds 0, the rule may not hold on new images.",
    "Held-out EC": "Error coverage on images that played no part in finding the rule.",
    "Held-out failures": "Misclassified images, out of all held-out images to which the rule applies.",
    "Luck": "p: how often the same search does as well when the group's failures are shuffled over its images. "
    "q: the same, corrected for the number of groups: of groups with q below 0.1, a tenth at most is expected to have nothing to find. "
    "Both speak of the tree as a whole; what a failure mode is by itself, its verdict says.",
    "Verdict": "Confirmed: on images that had no part in finding the rule, these images fail more often than the group: the interval "
    "of the increase lies above 0, a test of this rule, corrected for all rules, has q below 0.05, and the search found mostly the same images again. Of what is confirmed, a tenth at "
    "most is expected to be luck, if the search was also repeated on shuffled failures. Too few images to tell: had all of them failed, it could still be luck.",
    "Stability": "How often the feature, or one correlated with it, was chosen again in random halves of the group.",
    "Mostly the same images": "Other failure modes that share at least half of their images with this one (Jaccard index: images in "
    "both, divided by images in either). They say the same by other features, by another number of conditions, or of another group.",
    "Failures inside": "Of all failures in these groups, the share that lies in a failure mode.",
    "Failures": "Misclassified images, out of all images here.",
}


def style(*more: str) -> None:
    """Put the style sheet of all pages into this one, and `more` of those beside it ("tree.css")."""
    sheets = "\n".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in ("style.css", *more))
    st.html(f"<style>{sheets}</style>")


def plain(text: str) -> str:
    """Any text, such as a class or a path, for an element of Streamlit that would read it as Markdown."""
    return re.sub(r"([\\`*_$~:<>#\[\]])", r"\\\1", text)


def paragraphs(text: str) -> str:
    """A text as paragraphs; an empty line parts them. What looks like HTML stays text."""
    parts = (part.strip() for part in text.split("\n\n"))
    return "".join(f'<p dir="auto">{escape(part)}</p>' for part in parts if part)


def term(name: str) -> str:
    """A measure's name that explains itself: on hover, on focus, on touch, and to a screen reader; other names as they are."""
    if name not in TERMS:
        return escape(name)
    return f'<span class="bw-term" tabindex="0">{name}<span class="bw-tip" role="note">{escape(TERMS[name])}</span></span>'


def stats(values: Iterable[tuple[str, str]]) -> str:
    """A row of numbers: (name of a term, value as text)."""
    cells = (f"<div><dt>{term(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in values)
    return f'<dl class="bw-stats">{"".join(cells)}</dl>'


def rate_bar(rate: float, base: float) -> str:
    """An error rate as a bar from 0 to 1 with a mark at the base error rate; decoration, the numbers stand beside it."""
    return (
        f'<span class="bw-bar" aria-hidden="true"><i style="width:{rate * 100:.2f}%"></i>'
        f'<b style="left:{base * 100:.2f}%"></b></span>'
    )


def figure(path: Path, *, alt: str, caption: str = "") -> str:
    """A picture with its caption; a grey tile with the file's name where the file cannot be shown."""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    try:
        image = _for_browser(str(path), _changed(path))
    except ImageError:
        tile = f'<div class="bw-missing" role="img" aria-label="missing: {escape(alt)}">{escape(path.name)}<br>is missing</div>'
        return f'<figure class="bw-figure">{tile}{below}</figure>'
    picture = (
        f'<img src="{_served(image, str(path))}" alt="{escape(alt)}" title="{escape(path.name)}" '
        f'width="{image.width}" height="{image.height}" loading="lazy">'
    )
    return f'<figure class="bw-figure">{picture}{below}</figure>'


def image_words(row: Mapping[Any, Any]) -> str:
    """What an image is and what it was taken for: "truck → cat (0.90)"."""
    sure = "" if row["confidence"] is None or row["confidence"] != row["confidence"] else f" ({row['confidence']:.2f})"
    return f"{row['label']} → {row['prediction']}{sure}"


def served_picture(path: Path) -> dict[str, Any] | None:
    """Address and size of a picture (`src`, `width`, `height`), for a page that lays it out itself; None where it cannot be shown."""
    try:
        image = _for_browser(str(path), _changed(path))
    except ImageError:
        return None
    return {"src": _served(image, str(path)), "width": image.width, "height": image.height}


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@st.cache_data(max_entries=1000, show_spinner=False)
def _for_browser(path: str, changed: int) -> BrowserImage:
    return for_browser(path)


def _served(image: BrowserImage, place: str) -> str:
    """The address of an image. Streamlit's own `st.image` serves files the same way, but takes no alt text."""
    content = image.content if isinstance(image.content, bytes) else str(image.content)
    url = runtime.get_instance().media_file_mgr.add(content, image.mime_type, place)
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    # Relative to the page, which survives a proxy that adds a prefix; below a base path the page may lack the last slash.
    return f"/{base}{url}" if base else url.lstrip("/")
