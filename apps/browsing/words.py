"""Words that several pages share."""

from __future__ import annotations

GROUPINGS = {
    "label": "Label",
    "prediction": "Prediction",
    "union": "Label or prediction",
    "pair": "Confused pair",
    "mask": "Choice",
}
GROUPINGS_HELP = (
    "By label: what the classifier misses in a class. By prediction: what it wrongly takes for the class. "
    "Rules are searched in each group by itself."
)
