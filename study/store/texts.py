"""What a study says to its workers unless it brings words of its own."""

from __future__ import annotations

from typing import Any

CONSENT = (
    "You are invited to take part in a research study. You will look at sets of pictures and describe in a few words what they have "
    "in common. Taking part is voluntary: you can stop at any moment, and you are paid for everything that you have sent. "
    "What you write is kept together with the time that it took you, and is published only without your name or any identifier. "
    "You can have your answers deleted later on by asking the researchers. To notice when somebody takes part twice, or answers by a "
    "program, a scrambled form of your network address and browser is kept, from which nobody can read either."
)
INSTRUCTIONS = (
    "Each task shows one set of pictures in three sections. Section A shows photographs. Section B shows the same photographs, with "
    "the important regions bright. Section C shows them again, changed so that what is important stands out.",
    "Find out what the important regions have in common: a thing, a part of a thing, a pattern, a colour, a background. "
    "Describe that, and not everything that you see.",
    "Sometimes the sections do not agree, or nothing comes to mind. Describe your best guess, and say so with the scales below.",
)
EXAMPLES = (
    {
        "shows": "Five photographs of different animals; in each of them the legs are bright in section B.",
        "good": "legs of animals",
        "poor": "nice animals",
        "why": "Name what the bright regions show, not the whole photograph.",
    },
    {
        "shows": "A dog, a cat and a handbag; in each picture a band around the neck or the handle is bright in section B.",
        "good": "collar or strap",
        "poor": "dog, cat and bag",
        "why": "The things differ; what the bright regions share is the band. Say that, even if it is the smaller part of the picture.",
    },
    {
        "shows": "Boats, birds and a beach; the bright regions are the water around them, and section C turns everything into waves.",
        "good": "blue water, waves",
        "poor": "summer",
        "why": "Backgrounds, patterns and colours count as much as things. A mood or a season is nothing that can be pointed at.",
    },
)
# About `INSTRUCTIONS`; "answer" is the place of the right option, counted from 0.
QUIZ: tuple[dict[str, Any], ...] = (
    {
        "question": "What do you describe in a task?",
        "options": [
            "What the important regions of the pictures have in common",
            "Everything that is to be seen in the first picture",
            "Which picture you like best",
        ],
        "answer": 0,
    },
    {
        "question": "Where do you see which regions are important?",
        "options": ["In section A, at the edges", "In section B, where they are bright", "Nowhere: you choose them yourself"],
        "answer": 1,
    },
    {
        "question": "What do you do when the sections do not agree?",
        "options": ["Write anything and go on", "Leave the fields empty", "Describe your best guess, and say so with the scales"],
        "answer": 2,
    },
)
