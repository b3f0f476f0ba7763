"""Words that several pages share."""

from __future__ import annotations

GROUPINGS_HELP = (
    "By label: what the classifier misses in a class. By prediction: what it wrongly takes for the class. "
    "All images: what fails across classes. By a column of the metadata: what fails among the images that it says the same of. "
    "Rules are searched in each group by itself."
)
