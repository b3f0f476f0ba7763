"""Which model made the predictions of a run, where the run says so: nobody has to name it then."""

from __future__ import annotations

from typing import Any, NamedTuple

from barlow_core.interventions.record import interventions
from barlow_core.run import Run

# The predictions of this example come with it, and the network that made them with the project.
OF_EXAMPLES = {"cifar10": "standard_resnet_cifar10"}


class KnownModel(NamedTuple):
    """A model as `extractors.load_classifier` takes it: a name or a file, and options."""

    source: str
    options: dict[str, Any]


def known_model(run: Run) -> KnownModel | None:
    """The model that `barlow predict` asked, that an intervention proved to be the one, or that comes with an example; None for another."""
    record = run.recorded("predict")
    described = [record["model"]] if record is not None else [one.info["model"] for one in interventions(run)]
    for model in described:
        if model["source"] is not None:
            return KnownModel(model["source"], model["options"])
    name = OF_EXAMPLES.get(str(run.info["arguments"].get("example")))
    return None if name is None or record is not None else KnownModel(name, {})
