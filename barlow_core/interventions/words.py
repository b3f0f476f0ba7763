"""An intervention in words: the verdict, what was done, what was assumed."""

from __future__ import annotations

import shlex
from typing import Any

from barlow_core.interventions.kinds import CANNOT_TELL, DEPENDS, LATENT, LEAF, OUTSIDE, WAY_WORDS
from barlow_core.interventions.record import Intervention
from barlow_core.wording import count, percent

HEADLINES = {
    DEPENDS: "The model depends on this feature.",
    CANNOT_TELL: "These images cannot tell whether the model depends on this feature.",
}
NO_EVIDENCE_HEADLINE = "There is no evidence that the model depends on this feature more than on a random one."


def headline(found: Intervention) -> str:
    """The verdict as a sentence."""
    return HEADLINES.get(found.verdict, NO_EVIDENCE_HEADLINE)


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
        text += f" In {where}, where it is strong, the region that it looks at was also changed ({', '.join(fills)})."
    elif found.info["without_regions"]:
        text += f" No region was changed: {found.info['without_regions']}."
    return text + f" {found.info['model']['name']} was asked again each time."


def intervene_command(run: str, group: str, depth: int, leaf: int) -> str:
    """The command that intervenes on a leaf; the model is for people to name."""
    words = ["barlow", "intervene", run, group, "--depth", str(depth), "--leaf", str(leaf), "--model", "MODEL"]
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
