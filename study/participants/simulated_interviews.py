"""Practitioners who do not exist, to try interviews and their analysis; always marked as simulated.

They go through the real store on a clock of their own: registration, both groupings, quotes, the closing survey. What they say follows
the crowd where it is known: features that were easy for workers are described more often.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any

from barlow_core.wording import count
from study.errors import RefusedError
from study.participants.platforms import new_invite_codes
from study.participants.simulated_vocabulary import LONG, concept_of
from study.participants.simulation import SimulatedClock
from study.protocol import FIRST, PLACES, Protocol
from study.store import StudyStore
from study.store.interviews.door import Interviews

# Weights near what section 9 and appendix H tell of the paper's 14 participants; values that a study has replaced weigh 1.
ROLES = {"ml_engineer": 5, "applied_scientist": 2, "researcher": 4, "data_scientist": 3, "other": 0.3}
EXPERIENCE = {"1-2": 1, "2-5": 4, "5-10": 5, "10+": 4}
ACTIONS = {"data_collection": 6, "augmentation": 3, "architecture": 3, "labels": 2, "training": 2, "none": 0.5}
DIFFICULTY = {"several_concepts": "It shows two things at once.", "sensitivity": "I cannot tell strong from weak pictures."}
WHY = {
    "necessary": "The object itself shows this.",
    "spurious": "This is the background, not the object.",
    "unsure": "It could be either.",
}
WHAT_TO_DO = {
    "data_collection": "Collect pictures without this background.",
    "augmentation": "Mask this part in the training images.",
    "architecture": "Use a larger network.",
    "labels": "Look at the labels of these images again.",
    "training": "Give these images more weight.",
    "none": "Nothing for now.",
}
CODERS, CODER_AGREES = ("simulated coder A", "simulated coder B"), 0.85


def simulate_interviews(store: StudyStore, n: int, *, seed: int = 0, start: float | None = None) -> None:
    """Let `n` participants go through the interview of a study, one after the other.

    Args:
        start: when they begin, seconds since 1970; None for so long ago that they end about now.

    Raises:
        BarlowError: the study has no interviews.
        RefusedError: people were invited to them; simulate in a trial study.
    """
    found = store.interviews.require_tables()
    if not found.participants["simulated"].all():
        people = int((~found.participants["simulated"]).sum())
        raise RefusedError(
            f"In {store.path}, {count(people, 'person was', 'people were')} invited to an interview. Simulated ones are not mixed with "
            "theirs: make a trial study of its own (barlow study create RUN --study trial.sqlite)."
        )
    rng = random.Random(seed)
    clock = SimulatedClock(time.time() - 4200.0 * n if start is None else start)
    with StudyStore(store.path, clock=clock) as own:
        for _ in range(n):
            _Participant(own.interviews, found.protocol, clock, rng).go_through()


class _Participant:
    def __init__(self, interviews: Interviews, protocol: Protocol, clock: SimulatedClock, rng: random.Random):
        self.interviews, self.protocol, self.clock, self.rng = interviews, protocol, clock, rng
        self.skill = rng.betavariate(6, 2)
        self.liking = rng.gauss(3.9, 0.6)

    def go_through(self) -> None:
        interviews, rng = self.interviews, self.rng
        (code,) = new_invite_codes(1)
        number = interviews.invite(code, guided=rng.random() < 0.7, simulated=True)
        interviews.register(number, self._one("roles", ROLES), self._one("experience", EXPERIENCE))
        interviews.start(number)
        for part, minutes in interviews.participant(number).plan:
            interviews.move(number, part)
            if part in PLACES:
                self._grouping(number, interviews.participant(number).groupings[PLACES[part] - 1], minutes, part)
            else:
                self.clock.elapsed += 60 * minutes * rng.uniform(0.6, 1.1)
        interviews.save_opinion(number, {name: self._level() for name, _ in self.protocol.statements}, code)
        interviews.send_opinion(number)
        interviews.finish(number)
        self.clock.elapsed += 600

    def _grouping(self, number: int, grouping: str, minutes: float, part: str) -> None:
        interviews, rng = self.interviews, self.rng
        about = interviews.grouping(grouping)
        ease = (about.get("ease") or 3.5) / 5 + (0.1 if part == FIRST else 0.0)
        step = 60 * minutes / (len(about["features"]) + 1)
        for feature in about["features"]:
            self.clock.elapsed += step * rng.uniform(0.5, 1.1)
            describes = rng.choices(("yes", "partly", "no"), (ease * self.skill, 0.3, 0.5 * (1 - ease * self.skill)))[0]
            given: dict[str, Any] = {"describes": describes}
            phrase = rng.choice(concept_of(feature, 0))
            if describes != "no":
                given["description"] = rng.choice(LONG).format(phrase)
            if describes != "yes":
                kind = rng.choice([value for value, _ in self.protocol.difficulties])
                given |= {"difficulties": [kind], "difficulty": DIFFICULTY.get(kind, "The pictures differ too much.")}
            necessity = rng.choices(("necessary", "spurious", "unsure"), (4, 4, 1))[0]
            interviews.answer_feature(number, grouping, feature, **given, necessity=necessity, reason=WHY[necessity])
            if "difficulty" in given:
                self._code("difficulties", number, grouping, feature, given["difficulties"])
            if rng.random() < 0.5:
                theme = rng.choice([value for value, _ in self.protocol.themes])
                interviews.quote(number, f"This looks like {phrase}. {WHY[necessity]}", theme=theme, grouping=grouping)
        self.clock.elapsed += step * rng.uniform(0.5, 1.1)
        actions = list(dict.fromkeys(self._one("actions", ACTIONS) for _ in range(rng.choice((1, 1, 2, 3)))))
        if len(actions) > 1 and "none" in actions:
            actions.remove("none")
        interviews.answer_actions(
            number, grouping, actions=actions, text=" ".join(WHAT_TO_DO.get(one, "") for one in actions) or "We will see."
        )
        self._code("actions", number, grouping, None, actions)

    def _code(self, what: str, number: int, grouping: str, feature: int | None, codes: list[str]) -> None:
        """Two coders, who mostly see what was meant."""
        possible = [value for value, _ in getattr(self.protocol, what)]
        for coder in CODERS:
            found = codes if self.rng.random() < CODER_AGREES else [self.rng.choice(possible)]
            self.interviews.code(what, number, grouping, feature, coder=coder, codes=found)

    def _one(self, name: str, weights: Mapping[str, float]) -> str:
        values = [value for value, _ in getattr(self.protocol, name)]
        return self.rng.choices(values, [weights.get(value, 1.0) for value in values])[0]

    def _level(self) -> int:
        return min(5, max(1, round(self.liking + self.rng.gauss(0, 0.7))))
