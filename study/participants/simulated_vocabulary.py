"""What simulated participants see in pictures: things with several ways to say them, so that agreement means something."""

from __future__ import annotations

import zlib

# Each line is one concept: ways to put it in at most three words. The words are in the embedded word vectors.
CONCEPTS: tuple[tuple[str, ...], ...] = tuple(
    tuple(line.split(", "))
    for line in """striped fur, black stripes, stripes on fur, striped animal coat
round wheels, car wheels, black round tires, wheel and tire
blue sky, sky with clouds, bright blue sky, clear sky
green grass, grass field, green lawn, grass on ground
animal legs, legs and paws, thin legs, legs of animals
human face, faces of people, eyes and nose, person face
white feathers, bird feathers, feathers on wing, white bird wing
sharp horns, animal horns, long curved horns, horns on head
wooden planks, wood texture, brown wooden boards, wooden surface
metal bars, iron fence, metal fence, vertical metal bars
ocean water, waves in water, blue water, sea waves
red fruit, red berries, round red fruit, ripe fruit
glass windows, building windows, rows of windows, square windows
brick wall, red bricks, wall of bricks, stone wall
yellow flowers, flower blossom, bright yellow blossom
dark fur, black fur, dark animal coat, black hair
pointed ears, triangle ears, ears of animal, sharp ears
dog nose, black nose, nose and mouth, dog face
airplane wings, plane wing, wings and tail, wing of plane
car headlights, front lights, car front bumper, front of car
ship hull, boat on water, side of ship, large boat
green leaves, plant leaves, leaves on branches, green plant
tree trunk, brown bark, tree bark, trunk and branches
orange ball, round orange shape, round ball, orange circle
rope knot, thin strings, rope strings, long thin ropes
printed letters, text on sign, written words, letters and numbers
leather straps, belt buckle, brown leather strap, strap with buckle
dog collar, neck with collar, collar around neck, pet collar
bright light, glowing lamp, light bulb, white bright spots
dark background, black background, dark shadow, shadow behind object
white snow, snow and ice, white mountain, cold white ground
sand beach, brown sand, dry desert sand, sandy ground
fish fins, fish scales, shiny fish body, fins and tail
small spots, black dots, dotted pattern, round spots
curved handle, cup handle, handle of cup, round handle
soft cloth, woven fabric, fabric pattern, cloth with folds
flat buttons, keyboard keys, rows of buttons, square keys
horse head, long animal head, brown horse face, head and neck
green skin, frog skin, wet smooth skin, smooth green surface
truck cabin, front of truck, big truck, truck windshield""".splitlines()
)
LONG = (
    "{} in all of the pictures",
    "the bright part of every picture shows {}",
    "{}, most of them seen from close by",
    "I see {} in the middle of most pictures",
    "the pictures have {} in common",
)
# Why something is what they say that it is.
BECAUSE = {
    "object": ("{}, which belong to the object", "the bright part is {}, a part of it", "it has {}"),
    "background": ("{} behind the object", "the bright part is {} around it", "{}, and no part of it"),
    "separate": ("{}, something else beside it", "the bright part is another thing: {}"),
    "yes": ("{} in both", "both times {}"),
    "no": ("{} first, then something else", "only B shows {}"),
}
# How often a feature looks at what, out of 20.
_TRUTHS = {"part": ("object",) * 12 + ("background",) * 5 + ("separate",) * 3, "same": ("yes",) * 18 + ("no",) * 2}
EMPTY = ("nice picture", "good", "images", "object", "some animals", "many colors")
EMPTY_LONG = ("nice and good pictures", "this is a picture", "many different things in the images", "good")


def concept_of(feature: object, seed: int) -> tuple[str, ...]:
    """The concept that stands for a feature; the same for every item that shows the feature."""
    return CONCEPTS[zlib.crc32(f"{seed}:{feature}".encode()) % len(CONCEPTS)]


def clarity_of(item: str, seed: int) -> float:
    """How easy an item is to understand, 0.25 to 1; some are hard whoever looks."""
    share = (zlib.crc32(f"{seed}:clarity:{item}".encode()) % 10_007) / 10_006
    return 0.25 + 0.75 * share**0.6


def verdict_of(feature: object, question: str, seed: int) -> str:
    """What is right to answer about a feature in a study about core and spurious features ("part" or "same")."""
    truths = _TRUTHS[question]
    return truths[zlib.crc32(f"{seed}:{question}:{feature}".encode()) % len(truths)]
