"""What things are called in an intervention: verdicts, kinds of trials, sides, ways of changing an image."""

from __future__ import annotations

DEPENDS, NO_EVIDENCE, CANNOT_TELL = "the model depends on this feature", "no evidence", "cannot tell"
VERDICTS = (DEPENDS, NO_EVIDENCE, CANNOT_TELL)

# What is changed in a trial.
FEATURE, RANDOM_FEATURE, RANDOM_DIRECTION, RANDOM_REGION = "feature", "random feature", "random direction", "random region"

# Which images: failures of the leaf, successes of the group outside of it, successes of other groups.
LEAF, OUTSIDE, ELSEWHERE = "leaf", "outside", "other classes"
SIDES = (LEAF, OUTSIDE, ELSEWHERE)

LATENT = "latent"  # the way through the extractor; the others are fills of regions
WAY_WORDS = {
    LATENT: "changed through the extractor",
    "inpaint": "region painted over (inpainting)",
    "mean": "region in the mean colour",
    "blur": "region blurred",
    "noise": "region in noise",
}

ALL = "all classes"  # what tables of `barlow rely` call the images of all of them together
