"""Participants who do not exist, to try a study and its analysis before people are paid; always marked as simulated.

Each has a skill (how often they see what a feature stands for), a speed, a carelessness (how often they do not look) and a taste
(which section helps them). They go through the real store, claim by claim, with drafts, breaks, late and abandoned items, on a clock
of their own that runs through days of work in seconds.
"""

from __future__ import annotations

import heapq
import math
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tqdm.auto import tqdm

from barlow_core.errors import BarlowError
from barlow_core.progress import progress_bar
from barlow_core.wording import count
from study.core_or_spurious import ANSWERS, deciding
from study.errors import RefusedError
from study.participants.simulated_vocabulary import (
    BECAUSE,
    CONCEPTS,
    EMPTY,
    EMPTY_LONG,
    LONG,
    clarity_of,
    concept_of,
    verdict_of,
)
from study.questionnaire import Question, words
from study.store import ClaimedItem, StudyStore
from study.store.clock import Clock, Moment, timestamp

# Shares of the answers to question 5 in section 8.
PAPER_TASTE = {"B": 0.4318, "C": 0.1767, "both": 0.3214, "none": 0.0701}
PAPER_STAMINA = 19.14  # tasks that a worker of section 8 completed on average
ABANDONS, COMES_BACK_LATE = 0.01, 0.01
STRAGGLERS = 3 * 3600.0  # seconds; the last items wait for those who never come back
REASON = "reason"  # the question about why, in a study about core and spurious features
HEARTBEAT = 45.0  # seconds between signs of life
MOST_WORKERS = 100_000


@dataclass(frozen=True)
class Participant:
    """Somebody who does not exist.

    Attributes:
        skill: 0 to 1, the chance to see what a perfectly clear item shows.
        speed: median seconds for an item.
        carelessness: 0 to 1, the chance to answer an item without looking.
        taste: weights of the answers to "most useful section".
        stamina: after so many items they have had enough.
    """

    skill: float = 0.8
    speed: float = 110.0
    carelessness: float = 0.05
    taste: Mapping[str, float] = field(default_factory=lambda: dict(PAPER_TASTE))
    stamina: int = 19

    def __post_init__(self) -> None:
        for name in ("skill", "carelessness"):
            if not 0 <= getattr(self, name) <= 1:
                raise BarlowError(f"{name} is {getattr(self, name)!r}. Expected a number from 0 to 1.")
        if not 0 < self.speed < math.inf or self.stamina < 1:
            raise BarlowError(f"speed is above 0 seconds and stamina at least 1; found {self.speed!r} and {self.stamina!r}.")
        if not self.taste or min(self.taste.values()) < 0 or not sum(self.taste.values()) > 0:
            raise BarlowError(f"taste is a weight for each choice, none below 0 and not all 0; found {dict(self.taste)!r}.")


@dataclass(frozen=True)
class Simulation:
    """What a simulation did: how many workers and answers (items and checks, no practice), and from when to when (UTC)."""

    workers: int
    answers: int
    started_at: str
    ended_at: str


class SimulatedClock(Clock):
    """A clock that is set by whoever simulates; its computer is one that never runs anything else."""

    def __init__(self, wall: float):
        self.start = wall
        self.elapsed = 0.0
        self._boot = f"simulated {uuid.uuid4().hex}"

    def now(self) -> Moment:
        return Moment(timestamp(self.start + self.elapsed), self.elapsed, self._boot)


def population(
    rng: random.Random,
    *,
    skill: float = 0.8,
    speed: float = 110.0,
    carelessness: float = 0.05,
    taste: Mapping[str, float] = PAPER_TASTE,
    stamina: float = PAPER_STAMINA,
) -> Iterator[Participant]:
    """Participants without end, each a little different from the averages that are given."""
    Participant(skill=skill, speed=speed, carelessness=carelessness, taste=taste)  # raises for what cannot be
    while True:
        # A few are careless most of the time, the others hardly ever.
        careless = rng.random() < carelessness
        yield Participant(
            skill=_near(rng, skill),
            speed=speed * math.exp(rng.gauss(0.0, 0.35)) * (0.4 if careless else 1.0),
            carelessness=_near(rng, 0.8) if careless else carelessness / 4,
            taste={name: weight * rng.gammavariate(3.0, 1 / 3) for name, weight in taste.items()},
            stamina=1 + int(rng.expovariate(1 / max(stamina - 1, 0.1))),
        )


def _near(rng: random.Random, mean: float) -> float:
    """A share near `mean`, from a beta distribution; 0 and 1 stay what they are."""
    return rng.betavariate(12 * mean, 12 * (1 - mean)) if 0 < mean < 1 else mean


def simulate(
    store: StudyStore,
    participants: Sequence[Participant] | None = None,
    *,
    at_once: int = 20,
    seed: int = 0,
    start: float | None = None,
    progress: bool = False,
    clarity: Mapping[str, float] | None = None,
    **averages: Any,
) -> Simulation:
    """Let participants answer a study until it is complete, or until they have all had enough.

    Args:
        participants: these; None for as many as it takes out of `population`.
        at_once: how many are at work at the same time.
        seed: of everything that they do.
        start: when they begin, seconds since 1970; None for so long ago that they end about now.
        clarity: by condition, how much clearer its items are than they would be, -1 to 1. A pair of items is equally clear but for that;
            clarity decides how often people see what an item shows, and how easy and sure it feels.
        averages: for `population`.

    Raises:
        BarlowError: `clarity` names a condition that the study does not have, or a number that cannot be.
        RefusedError: people have taken part in this study; simulate in a copy of it.
    """
    people = store.workers()
    if not people["simulated"].all():
        n = int((~people["simulated"]).sum())
        raise RefusedError(
            f"In {store.path}, {count(n, 'person has', 'people have')} taken part. Simulated answers are not mixed with theirs: make a "
            "trial study of its own (barlow study create RUN --study trial.sqlite)."
        )
    clarity = dict(clarity or {})
    for name, shift in clarity.items():
        if name not in store.settings.conditions:
            known = ", ".join(store.settings.conditions) or "none"
            raise BarlowError(f"The study has no condition {name!r} that could be clearer; its conditions: {known}.")
        if not -1 <= shift <= 1:
            raise BarlowError(f"Condition {name!r} is {shift!r} clearer. Expected a number from -1 to 1.")
    rng = random.Random(seed)
    source = iter(participants) if participants is not None else population(rng, **averages)
    if start is None:
        progress_now = store.progress()
        left = progress_now.answers_wanted - progress_now.answers
        start = time.time() - 1.35 * left * float(averages.get("speed", 110.0)) / at_once - STRAGGLERS
    clock = SimulatedClock(start)
    with StudyStore(store.path, clock=clock) as own:
        crowd = _Crowd(own, clock, rng, seed, source, len(people), clarity)
        with progress_bar(total=own.progress().answers_wanted, desc="simulate", unit="answer", shown=progress) as bar:
            crowd.work(at_once, bar)
        return Simulation(crowd.n_workers, crowd.n_answers, timestamp(start), clock.now().utc)


class _Crowd:
    """Participants at work: what happens next, and when."""

    def __init__(
        self,
        store: StudyStore,
        clock: SimulatedClock,
        rng: random.Random,
        seed: int,
        source: Iterator[Participant],
        known: int,
        clarity: Mapping[str, float],
    ):
        self.clarity = clarity
        self.store, self.clock, self.rng, self.seed, self.source, self.known = store, clock, rng, seed, source, known
        self.expected = {str(item["id"]): item.get("expected") for item in store.item_list()}
        self.n_workers = self.n_answers = 0
        self._order = 0
        self._next: list[tuple[float, int, Callable[[], object]]] = []

    def work(self, at_once: int, bar: tqdm[Any]) -> None:
        self._bar = bar
        for _ in range(at_once):
            self._arrive(self.rng.uniform(0, 60))
        while self._next:
            at, _, action = heapq.heappop(self._next)
            self.clock.elapsed = max(self.clock.elapsed, at)
            action()

    def _after(self, seconds: float, action: Callable[[], object]) -> None:
        self._order += 1  # equal times in the order in which they were planned
        heapq.heappush(self._next, (self.clock.elapsed + seconds, self._order, action))

    def _arrive(self, seconds: float) -> None:
        """Somebody new comes in after so many seconds, if there still is somebody."""
        person = next(self.source, None)
        if person is None or self.n_workers >= MOST_WORKERS:
            return
        self.n_workers += 1
        worker = f"simulated-{self.known + self.n_workers:05d}"

        def join() -> None:
            self.store.register(worker, simulated=True, platform="simulated")
            self._claim(worker, person, 0)

        self._after(seconds, join)

    def _claim(self, worker: str, person: Participant, answered: int) -> None:
        item = None if answered >= person.stamina else self.store.claim(worker)
        if item is None:
            standing = self.store.standing(worker)
            outcome = standing.outcome or standing.if_stopped
            self.store.finish(worker, outcome)
            if outcome != "full":  # whoever finds nothing at all shows that nobody is needed any more
                self._arrive(self.rng.expovariate(1 / 60))
            return
        seconds = person.speed * math.exp(self.rng.gauss(0.0, 0.4))
        timeout = self.store.settings.reservation_seconds
        chance = self.rng.random()
        if chance < ABANDONS:
            self._arrive(timeout)
        elif chance < ABANDONS + COMES_BACK_LATE:
            self._after(1.1 * timeout, lambda: self._think(worker, person, item, answered, seconds))
        else:
            self._think(worker, person, item, answered, seconds)

    def _think(self, worker: str, person: Participant, item: ClaimedItem, answered: int, seconds: float) -> None:
        """Look, type, send; with signs of life on the way, as the page gives them: time on task is the sum of the gaps between."""
        answers = self._answers(person, item, self.rng.random() < person.carelessness)
        self.store.active(worker, item.id)
        pause = min(self.store.settings.idle_seconds, HEARTBEAT)
        typed = {name: value for name, value in answers.items() if isinstance(value, str)}
        for step in range(1, math.ceil(seconds / pause)):
            if step == 1:
                self._after(pause, lambda: self.store.save_draft(worker, item.id, typed))
            else:
                self._after(step * pause, lambda: self.store.active(worker, item.id))

        def send() -> None:
            kept = self.store.submit(worker, item.id, answers, item.token)
            paid = item.kind != "practice"
            self.n_answers += paid
            self._bar.update(item.kind == "item" and kept.state == "accepted")
            self._after(self.rng.uniform(1, 6), lambda: self._claim(worker, person, answered + paid))

        self._after(seconds, send)

    def _answers(self, person: Participant, item: ClaimedItem, careless: bool) -> dict[str, Any]:
        rng = self.rng
        clarity = clarity_of(str(item.data.get("pair", item.id)), self.seed)
        clarity = min(1.0, max(0.0, clarity + self.clarity.get(str(item.data.get("condition")), 0.0)))
        sees = not careless and rng.random() < person.skill * clarity
        phrases = concept_of(item.data.get("feature", item.id), self.seed)
        if not sees:
            phrases = EMPTY if careless else rng.choice(CONCEPTS)
        # How easy it felt: clear items feel easy, and those that one understood; people differ by a level or so.
        feeling = 4.2 if careless else 1.2 + 2.2 * clarity + (1.2 if sees else -0.6)
        decides = deciding(self.store.settings.questionnaire)
        decided = None if decides is None else self._decided(item, decides, sees)
        found = {
            question.id: decided
            if question.id == decides
            else self._because(decided, phrases)
            if question.id == REASON and decided is not None and not careless
            else self._answer(question, person, phrases, feeling, sees, careless)
            for question in self.store.settings.questionnaire.questions
        }
        expected = self.expected.get(item.id) or {}
        if not careless and rng.random() < 0.98:
            found |= {name: good[0] if isinstance(good, (list, tuple)) else good for name, good in expected.items()}
        return found

    def _decided(self, item: ClaimedItem, question: str, sees: bool) -> str:
        """What a feature looks at, the same in both rounds, for those who see it; anything for the others."""
        truth = verdict_of(item.data.get("feature", item.id), question, self.seed)
        return truth if sees else self.rng.choice(ANSWERS[question])

    def _because(self, decided: str, phrases: Sequence[str]) -> str:
        return self.rng.choice(BECAUSE[decided]).format(self.rng.choice(phrases))

    def _answer(
        self, question: Question, person: Participant, phrases: Sequence[str], feeling: float, sees: bool, careless: bool
    ) -> Any:
        rng = self.rng
        if question.kind == "text":
            limit = question.max_words or 10_000
            phrase = rng.choice(phrases)
            if limit > 3:
                phrase = rng.choice(EMPTY_LONG) if careless else rng.choice(LONG).format(phrase)
            phrase = phrase.capitalize() if rng.random() < 0.15 else phrase
            return " ".join(words(phrase)[:limit]) if len(words(phrase)) > limit else phrase
        if question.kind == "scale":
            share = (feeling + rng.gauss(0.0, 0.7) - 1) / 4
            return min(question.high, max(question.low, round(question.low + share * (question.high - question.low))))
        values = [value for value, _ in question.options]
        weights = [1.0 if careless else person.taste.get(value, 1.0) for value in values]
        if not careless and not sees and "none" in values:
            weights[values.index("none")] *= 1.5
        return rng.choices(values, weights)[0] if sum(weights) > 0 else rng.choice(values)
