"""Interviews in a small study, and somebody who goes through one."""

from __future__ import annotations

from typing import Any

from study.protocol import Protocol
from study.store import StudyStore
from study.store.interviews.door import Interviews

STATEMENTS = [name for name, _ in Protocol().statements]


def groupings(n: int = 6, easy: int = 2) -> list[dict[str, Any]]:
    """`n` groupings, the first `easy` of them easy, each with two features of its own."""
    return [
        {
            "id": f"label:class {i}",
            "easy": i < easy,
            "by": "label",
            "class_name": f"class {i}",
            "ber": 0.5 - 0.05 * i,
            "n_images": 100,
            "n_failures": 50 - 5 * i,
            "features": [10 * i, 10 * i + 1],
        }
        for i in range(n)
    ]


def prepared(store: StudyStore, n: int = 6, easy: int = 2, **protocol: Any) -> Interviews:
    store.interviews.create(Protocol(**protocol), groupings(n, easy))
    return store.interviews


def join(interviews: Interviews, role: str = "researcher", experience: str = "5-10", *, start: bool = True, **given: Any) -> int:
    """Somebody who is invited, registers and, unless told otherwise, begins."""
    number = interviews.invite(f"code-{len(interviews.codes())}-{role}", **given)
    interviews.register(number, role, experience)
    if start:
        interviews.start(number)
    return number


def go_through(interviews: Interviews, number: int, level: int = 4) -> None:
    """Answer everything, the same everywhere, and end."""
    for grouping in interviews.participant(number).groupings:
        for feature in interviews.grouping(grouping)["features"]:
            interviews.answer_feature(
                number,
                grouping,
                feature,
                describes="yes",
                description=f"fur {feature}",
                necessity="spurious",
                reason="background",
            )
        interviews.answer_actions(number, grouping, actions=["data_collection"], text="take other photos")
    interviews.quote(number, f"said by {number}", theme="method")
    interviews.save_opinion(number, dict.fromkeys(STATEMENTS, level), "key")
    interviews.send_opinion(number)
    interviews.finish(number)
