"""The verb that fills a study with simulated participants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from barlow_core.cli.shared import example, quiet_option
from barlow_core.errors import BarlowError
from study.cli.shared import open_store, study_argument


@click.command(
    epilog=example(
        "barlow study simulate trial.sqlite",
        "barlow study simulate trial.sqlite --workers 30 --carelessness 0.3 --seed 1",
        "barlow study simulate trial.sqlite --clearer standard=-0.2",
    )
)
@study_argument
@click.option("--workers", type=click.IntRange(1), help="Maximum number of participants. [default: as many as it takes]")
@click.option(
    "--skill",
    type=click.FloatRange(0, 1),
    default=0.8,
    show_default=True,
    help="Chance that they recognise what a clear item shows.",
)
@click.option("--speed", type=click.FloatRange(1), default=110.0, show_default=True, help="Seconds per item.")
@click.option(
    "--carelessness", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share of participants who do not look."
)
@click.option(
    "--stamina", type=click.FloatRange(1), default=19.14, show_default=True, help="Items that each answers, on average."
)
@click.option(
    "--clearer",
    multiple=True,
    metavar="CONDITION=NUMBER",
    help="How much clearer the items of a condition are, from -1 to 1; may be given several times. [default: 0]",
)
@click.option("--at-once", type=click.IntRange(1), default=20, show_default=True, help="How many work at the same time.")
@click.option("--seed", type=int, default=0, show_default=True)
@quiet_option
def simulate(
    study: Path, workers: int | None, clearer: tuple[str, ...], at_once: int, seed: int, quiet: bool, **averages: Any
) -> None:
    """Let simulated participants answer, to try the study.

    They stay marked as simulated, in the analysis, too.     Not possible in a study in which people have taken part: make a separate trial study (barlow study create RUN --study trial.sqlite).
    """
    import random
    from itertools import islice

    from study.participants import simulation

    with open_store(study) as store:
        people = None if workers is None else list(islice(simulation.population(random.Random(seed), **averages), workers))
        clarity = dict(_number(text) for text in clearer)
        done = simulation.simulate(store, people, at_once=at_once, seed=seed, progress=not quiet, clarity=clarity, **averages)
        state = store.progress()
    click.echo(
        f"{done.answers:,} simulated answers by {done.workers:,} simulated workers; the study has {state.answers:,} of "
        f"{state.answers_wanted:,}. All of them are marked as simulated."
    )


def _number(text: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    try:
        return name, float(number)
    except ValueError:
        raise BarlowError(f"--clearer {text}: expected a condition and a number, such as standard=-0.2.") from None
