"""An intervention in words: the verdict, what was done, what was assumed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from barlow_core.interventions.kinds import CANNOT_TELL, DEPENDS, ELSEWHERE, LATENT, LEAF, NO_EVIDENCE, OUTSIDE, WAY_WORDS
from barlow_core.interventions.known_model import known_model
from barlow_core.interventions.record import Intervention
from barlow_core.run import Run
from barlow_core.wording import count, percent, points, points_interval

HEADLINES = {
    DEPENDS: "The model depends on {what}.",
    CANNOT_TELL: "These images cannot tell whether the model depends on {what}.",
    NO_EVIDENCE: "There is no evidence that the model depends on {what} more than on {random}.",
}
CHART_TITLES = {
    LEAF: "In the leaf: now right",
    OUTSIDE: "Outside of the leaf: now wrong",
    ELSEWHERE: "Other classes: now wrong",
}
MODEL = "MODEL is the classifier that made the predictions: a torchvision name, a file (with --arch where it holds only weights), or module:function."


def headline(found: Intervention) -> str:
    """The verdict as a sentence."""
    features = found.features
    several = len(features) > 1
    what = f"this weighted sum of {len(features)} features" if several else f"feature {features[0]}"
    return HEADLINES[found.verdict].format(what=what, random="a random sum" if several else "a random feature")


def way_words(way: str) -> str:
    """A way of changing images, capitalised."""
    words = WAY_WORDS[way]
    return words[0].upper() + words[1:]


def pair_words(pair: dict[str, Any]) -> str:
    """What became of the prediction of an image, a row of `Intervention.pictures`: "a failure of the leaf: now right"."""
    if pair["side"] == LEAF:
        return f"a failure of the leaf: {'now right' if pair['flipped'] else 'still wrong'}"
    where = "a success outside of the leaf" if pair["side"] == OUTSIDE else "an image of another class"
    return f"{where}: {'now wrong' if pair['flipped'] else 'still right'}"


def what_was_done(found: Intervention) -> str:
    """What was changed, in which direction, and what with."""
    target, settings = found.info["target"], found.info["settings"]
    features = target["features"]
    what = f"feature {features[0]}" if len(features) == 1 else f"a weighted sum of {len(features)} features"
    down, up = ("lowered", "raised") if target["above"] else ("raised", "lowered")
    words = {LEAF: f"{down} in failures of the leaf", OUTSIDE: f"{up} in successes outside of the leaf"}
    sides = [words[side] for side in target["sides"]]
    text = f"Through the extractor, {what} was {' and '.join(sides)}, by changes of an l2 length of at most {settings['epsilon']:.3g}."
    if len(sides) == 1:
        text += " (In a group by prediction, a prediction can only change where the feature is taken away.)"
    fills = [way["way"] for way in found.info["ways"] if way["way"] != LATENT]
    if fills:
        where = "failures of the leaf" if target["above"] else "successes outside of the leaf"
        how = ", ".join(WAY_WORDS[fill].removeprefix("region ") for fill in fills)
        text += f" In {where}, where it is strong, the region that it looks at was also changed: {how}."
    elif found.info["without_regions"]:
        text += f" No region was changed: {found.info['without_regions']}."
    if any(side["side"] == ELSEWHERE for way in found.info["ways"] for side in way["sides"]):
        text += " Images of other classes were changed as the leaf is."
    return text + f" {found.info['model']['name']} was asked again each time."


def how_to_read(found: Intervention, way: str) -> str:
    """What the lines and bands of the charts of a way are."""
    level = f"{100 * (1 - found.info['settings']['alpha']):g} %"
    elsewhere = "grey: random directions of the pixels" if way == LATENT else "green: regions of the same shape at other places"
    return (
        f"A line is the share of images whose prediction follows, as the change grows. Blue: this feature, with its {level} interval. For "
        f"comparison, in the same images and as large a change: orange: random features; {elsewhere}; a band holds the middle 90 % of them."
    )


def way_result(way: dict[str, Any]) -> str:
    """What a way of changing images found, with its own p."""
    return (
        f"predictions follow in {percent(way['rate'])} of {count(way['n'], 'image')}, with random features in "
        f"{percent(way['control_rate'])}: {points(way['excess'])} ({points_interval(way['excess_low'], way['excess_high'])}); "
        f"{way['n_as_good']} of {count(way['n_controls'], 'random feature')} move the model as much (p {way['p']:.2g}, this way alone)"
    )


def chart_words(way: dict[str, Any], side: str) -> str:
    """The chart of a side of a way, for those who do not see it."""
    found = next(one for one in way["sides"] if one["side"] == side)
    return (
        f"{way_words(way['way'])}. {CHART_TITLES[side]}, by the size of the change: at full size {percent(found['rate'])} of "
        f"{count(found['n'], 'image')}, with random features {percent(found['control_rate'])}"
    )


def which_are_shown(pairs: Sequence[dict[str, Any]], n: int) -> str:
    """How the pictures of a way were chosen among its `n` images."""
    follow = sum(bool(pair["flipped"]) for pair in pairs)
    return f"{len(pairs)} of {count(n, 'image')}; those whose prediction follows come first, here {follow}."


def intervene_command(run: Run, group: str, depth: int, leaf: int, *, feature: int | None = None, path: str | None = None) -> str:
    """The command that intervenes on a leaf; where the run does not know the model, it is for people to name (`MODEL`).

    Args:
        feature: of its rule; None for the one split nearest to the leaf.
        path: what stands for the run folder; None for its path.
    """
    words = ["barlow", "intervene", path or str(run.path), group, "--depth", str(depth), "--leaf", str(leaf)]
    words += [] if feature is None else ["--feature", str(feature)]
    words += ["--model", "MODEL"] if known_model(run) is None else []
    return shlex.join(words)


def assumptions(found: Intervention) -> list[str]:
    """What the verdict rests on, and its limits."""
    info, settings = found.info, found.info["settings"]
    n = info["ways"][0]["n_controls"] if info["ways"] else 0
    said = [
        f"“Depends” means: of {count(n + 1, 'feature')} that were changed in the same images by the same length, at most "
        f"{percent(settings['alpha'])} move the model as much as it, itself included, all ways of changing images together (here p is "
        f"{info['p']:.2g}), and predictions follow it more than the others on average."
        if info["ways"]
        else "",
        f"The stored predictions differ from the model's for {percent(info['mismatch'])} of the images that were compared"
        + (f"; {count(info['n_contradicted'], 'image')} to be changed was left out for that." if info["n_contradicted"] else "."),
        *_side_effect_words(info),
    ]
    controls = info["controls"]
    if controls["n_pool"] < n:
        said.append(
            f"Only {count(controls['n_pool'], 'feature')} are active in these images and not correlated with this one; the others of the random "
            "features are the least correlated ones left."
        )
    said.append(
        f"It is about {count(max((way['n'] for way in info['ways']), default=0), 'image')} of the group, drawn at random (seed {settings['seed']}), changed so that the model may never "
        "have seen their like: an image beyond its training data can be misread for other reasons. The controls bear the same risk."
    )
    return [one for one in said if one]


def _side_effect_words(info: dict[str, Any]) -> list[str]:
    said = []
    for way, effect in info["side_effects"].items():
        most = ", ".join(f"{feature} ({change:.1f})" for feature, change in effect["most"][:3])
        said.append(
            f"Changing one feature changes others. {way_words(way)}: it moved by {effect['own']:.1f} standard deviations, the median of the "
            f"other {effect['n_others']} by {effect['median_other']:.1f}; {effect['n_more_than_half']} of them by more than half as much as "
            f"it, most of all {most}. The model may follow these instead."
        )
    return said
