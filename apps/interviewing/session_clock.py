"""The clock of a session as both screens show it: how much of the hour is over, and what is planned when."""

from __future__ import annotations

from html import escape

from study.protocol import Protocol
from study.store.interviews.people import Participant


def minutes_text(seconds: float) -> str:
    """ "07:05", also beyond an hour: "61:30"."""
    whole = max(0, int(seconds))
    return f"{whole // 60:02d}:{whole % 60:02d}"


def clock_html(person: Participant, protocol: Protocol) -> str:
    """The time, the parts as a bar of their planned lengths with a mark at the time, and until when the present part is planned."""
    total = 60 * sum(minutes for _, minutes in person.plan)
    segments, start, left = [], 0.0, ""
    for part, minutes in person.plan:
        end = start + 60 * minutes
        here = part == person.part
        if here and person.state == "running":
            late = person.seconds > end
            word = f"{minutes_text(person.seconds - end)} over its time" if late else f"planned until {minutes_text(end)}"
            left = f'<span class="{"iv-late" if late else ""}">{escape(protocol.title_of(part))}: {word}</span>'
        title = f"{protocol.title_of(part)}, {minutes:g} minutes"
        segments.append(
            f'<span class="iv-part{" iv-here" if here else ""}" style="flex:{minutes:g}" title="{escape(title)}">'
            f"{escape(protocol.title_of(part))}</span>"
        )
        start = end
    at = min(100.0, 100 * person.seconds / total) if total else 0.0
    state = " · break, the clock stands" if person.on_break else " · ended" if person.state == "finished" else ""
    return (
        f'<div class="iv-clock" role="timer" aria-label="{escape(f"{minutes_text(person.seconds)} of {minutes_text(total)} minutes")}">'
        f"<b>{minutes_text(person.seconds)}</b><span>of {minutes_text(total)}{state}</span>{left}</div>"
        f'<div class="iv-bar">{"".join(segments)}<i style="left:{at:.2f}%"></i></div>'
    )
