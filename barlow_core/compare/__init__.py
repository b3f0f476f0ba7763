"""Two runs side by side: which failure modes are new, gone, better or worse in the second, with intervals for the difference.

What the two runs have in common decides how their failure modes are compared:
    the same images, other predictions (two models, two versions)
        Every failure mode of either run is measured again under the other run: its rule, on the features of the run that found
        it, within the group of that name in each run.
    the same images, the same predictions (two extractors, or two searches)
        The failures are the same, so rules are compared by the images that they hold: the Jaccard index (images in both / images
        in either) with the failure mode of the other run, in the same group, that it is highest with.
    other images, the same extractor
        The rule is measured on the other run's features, within the group of that name there. The samples are independent.
    other images, another extractor
        Only groups can be compared: no rule means anything in the other run.
Images are the same when their names and bytes are, in whatever order; the extractor is the same when its fingerprint is.

Which images: those that each run searched (all of a group, or one split). A label group holds the same images in two runs of the
same images, so its intervals are paired (Newcombe's method 10). A prediction group does not: it holds what each model calls by
that name. Its intervals are those of independent samples; as some images are in both, they are rather too wide than too narrow.
The column `interval` says which it is. Every difference is second - first: below 0, the second run fails less.

A run's own failure modes were searched in its own failures, so its error rate on them is too high, by luck. The other run's
failures took no part, so its rate on them is lower even where nothing changed, the more so the less the two models fail on the
same images. Rules found in the first run therefore lean towards "gone" and "better", those found in the second towards "new" and
"worse", and the intervals know nothing of it: of two models that fail independently of each other, with the same probability on
every image, about two in three of the intervals of 95 % held the truth, 0 (300 searched images, trees of depth 3; the set-up is in
tests/barlow_core/test_compare.py). Where the runs were explained with a split (`barlow explain --held-out split`) and the images
are the same, the columns `held_out_` compare them on images that were not searched: there 97 % did, and nothing leans.
"""

from barlow_core.compare.comparison import VERDICTS, Comparison
from barlow_core.compare.runs import compare

__all__ = ["VERDICTS", "Comparison", "compare"]
