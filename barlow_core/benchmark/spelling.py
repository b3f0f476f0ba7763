"""Classes that are written in more than one way, and predictions that are never a label: failures that are none of the classifier's."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from barlow_core.benchmark.class_names import Classes
from barlow_core.errors import BarlowError
from barlow_core.wording import count, percent

# White space of any width (none, too), hyphens and dashes, underscores.
_BETWEEN = re.compile(r"[\s_\-\u00ad\u200b-\u200d\u2010-\u2015\u2060\u2212\ufeff]+")
# What stands between two digits, or before the first, is a part of the number: 1-2 is not 12, and -7 is not 7.
_IN_NUMBER = re.compile(rf"(?:(?<=[0-9])|^){_BETWEEN.pattern}(?=[0-9])")
_NUMBER = re.compile(r"[+]?0*([0-9]+)(?:\.0*)?")
_LISTED = 5


def alike(name: str) -> str:
    """What two names have in common that differ only in case, white space, the encoding of accents, "_" against "-" or " ", or zeros before
    a number."""
    text = unicodedata.normalize("NFKC", name).casefold()
    number = _NUMBER.fullmatch(text.strip())
    if number:
        return number[1]
    text = _IN_NUMBER.sub("\0", unicodedata.normalize("NFKC", text).strip())
    return _BETWEEN.sub("", text) or name


def groups_alike(names: Iterable[str]) -> list[list[str]]:
    """Names that are alike, two or more together, in the order in which they come."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[alike(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]


def join_names(names: Sequence[str], of_labels: dict[str, int]) -> tuple[Classes, list[str]]:
    """Make one class of those of inferred names that are alike.

    Args:
        names: all different.
        of_labels: name -> how many labels have it. Of names that are alike, the one that most labels have is kept.

    Returns:
        classes: as from `class_names.read_class_names`, in which every name leads to the class that it is now.
        notes: what was joined.
    """
    kept = {name: name for name in names}
    said = []
    for group in groups_alike(names):
        best = max(group, key=lambda name: of_labels.get(name, 0))
        others = [name for name in group if name != best]
        kept |= dict.fromkeys(others, best)
        said.append(f"{', '.join(map(_shown, others))} into {_shown(best)}")
    final = sorted(set(kept.values()))
    index = {name: i for i, name in enumerate(final)}
    notes = [f"Joined: {'; '.join(said[:_LISTED])}{_more(said)}."] if said else []
    return (final, {name: index[kept[name]] for name in names}), notes


def find_alike(values: Iterable[str], classes: Classes) -> dict[str, int]:
    """Texts that are no class, and are alike with one class alone -> its index."""
    names, lookup = classes
    by_key: dict[str, set[int]] = defaultdict(set)
    for name, i in ({name: i for i, name in enumerate(names)} | lookup).items():
        by_key[alike(name)].add(i)
    unknown = [value for value in values if value and value not in lookup]
    return {value: next(iter(by_key[alike(value)])) for value in unknown if len(by_key.get(alike(value), ())) == 1}


def check_spelling(
    labels: np.ndarray, predictions: np.ndarray | None, names: Sequence[str], *, declared: bool, source: str
) -> list[str]:
    """Compare the classes of the labels with those of the predictions.

    Args:
        labels, predictions: (N,) int, indices into `names`.
        declared: whether a person gave the names, and so knows that they are different classes.
        source: for messages.

    Returns:
        Sentences: which classes are alike, which are predicted and never a label, and which are a label and never predicted.

    Raises:
        BarlowError: most images are wrong because of it, and nobody gave the names.
    """
    n_labels = np.bincount(labels, minlength=len(names))
    n_predicted = np.zeros_like(n_labels) if predictions is None else np.bincount(predictions, minlength=len(names))
    used = np.flatnonzero(n_labels + n_predicted)
    index = {names[int(i)]: int(i) for i in used}
    groups = groups_alike(index)
    notes, of_group = [], np.arange(len(names))
    for group in groups:
        of_group[[index[name] for name in group]] = index[group[0]]
    n_wrong = 0 if predictions is None or not groups else _wrong_by_spelling(labels, predictions, of_group)
    if groups:
        told = [" and ".join(_counted(name, n_labels, n_predicted, index) for name in group) for group in groups]
        wrong = (
            f" {count(n_wrong, 'image is', 'images are')} wrong for nothing else ({percent(n_wrong / len(labels), space=' ')})."
            if n_wrong
            else ""
        )
        text = (
            f"Classes that differ only in how they are written: {'; '.join(told[:_LISTED])}{_more(told)}. They count as different classes."
            f"{wrong} If they are the same, join them with --join-classes (join_classes=True)."
        )
        if n_wrong * 2 > len(labels) and not declared:
            raise BarlowError(f"{source}: {text} If they are not, name the classes with --classes.")
        notes.append(text)
    if predictions is None:
        return notes
    in_group = {index[name] for group in groups for name in group}
    only_predicted = [int(i) for i in used if n_labels[i] == 0 and i not in in_group]
    only_labels = [int(i) for i in used if n_predicted[i] == 0 and i not in in_group]
    if only_predicted:
        text = _one_sided("predicted and never a label", only_predicted, n_predicted, names)
        n_never = int(n_predicted[only_predicted].sum())
        if n_never * 2 > len(labels) and not declared and only_labels and not (n_labels * n_predicted).any():
            other = _one_sided("a label and never predicted", only_labels, n_labels, names)
            raise BarlowError(
                f"{source}: labels and predictions have no class in common. {text} {other} Expected both to use the same names or the same "
                "indices. Correct one of them; or, if every prediction really is wrong, name the classes with --classes."
            )
        notes.append(text)
    if only_labels:
        notes.append(_one_sided("a label and never predicted", only_labels, n_labels, names))
    return notes


def _wrong_by_spelling(labels: np.ndarray, predictions: np.ndarray, of_group: np.ndarray) -> int:
    """How many predictions are another class than the label, and alike with it."""
    wrong = labels != predictions
    return int((of_group[labels[wrong]] == of_group[predictions[wrong]]).sum())


def _one_sided(what: str, classes: list[int], n_images: np.ndarray, names: Sequence[str]) -> str:
    shown = [f"{_shown(names[i])} ({count(int(n_images[i]), 'image')})" for i in sorted(classes, key=lambda i: -n_images[i])]
    verb = "is" if len(classes) == 1 else "are"
    return f"{count(len(classes), 'class', 'classes')} {verb} {what}: {', '.join(shown[:_LISTED])}{_more(shown)}."


def _counted(name: str, n_labels: np.ndarray, n_predicted: np.ndarray, index: dict[str, int]) -> str:
    i = index[name]
    return f"{_shown(name)} ({count(int(n_labels[i]), 'label')}, {count(int(n_predicted[i]), 'prediction')})"


def _shown(name: str) -> str:
    """A name in quotes; with escapes where it is not in the usual Unicode form, since it would look like another one."""
    return repr(name) if unicodedata.normalize("NFC", name) == name else ascii(name)


def _more(shown: Sequence[str]) -> str:
    return f" and {len(shown) - _LISTED:,} more" if len(shown) > _LISTED else ""
