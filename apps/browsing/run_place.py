"""Where the researcher is: the fields of the place, and what they are called in the URL (`shared.address`)."""

from __future__ import annotations

from typing import Any, NamedTuple, get_type_hints
from urllib.parse import quote, unquote

from shared.address import Address, last

PAGES = ("benchmark", "group", "search", "compare", "notes", "export")
SHOWN = ("failures", "successes", "all")
SORTS = ("any", "highest", "lowest", "sure", "unsure")
ONLY = ("all", "modes")
MORE = ("values", "extremes", "attack", "similar")


class Kept(NamedTuple):
    """A node in the basket, of the tree of that depth of a group; `min_leaf` where it is not the run's. See `export.Chosen`."""

    key: str
    depth: int
    node: int
    min_leaf: int | None = None

    def __str__(self) -> str:
        numbers = (self.depth, self.node) if self.min_leaf is None else (self.depth, self.node, self.min_leaf)
        return "/".join([quote(self.key, safe=":"), *map(str, numbers)])

    @classmethod
    def read(cls, text: str) -> Kept | None:
        """The inverse of `str`; None where the text means nothing."""
        key, *numbers = text.split("/")
        if len(numbers) not in (2, 3) or not all(number.isdecimal() for number in numbers):
            return None
        return cls(unquote(key), *map(int, numbers))


class Place(NamedTuple):
    """What is looked at. None stands for what the page chooses by itself: the run's own settings, the best failure mode, its feature."""

    page: str = "benchmark"
    run: str | None = None
    grouping: str | None = None
    name: str | None = None  # class, pair or mask
    depth: int | None = None
    delta: float | None = None
    tau: float | None = None
    leaf: int | None = None  # fewest images in a leaf
    node: int | None = None
    feature: int | None = None
    show: str = "failures"
    label: str | None = None
    predicted: str | None = None
    sort: str = "any"
    part: int = 1  # of the images, a page of them
    image: int | None = None  # the one in full size
    kept: tuple[Kept, ...] = ()  # failure modes to take away
    other: str | None = None  # the run to compare with
    find: str = ""  # words that groups are searched by
    only: str = "all"  # of the groups
    more: str = "values"  # about the feature
    rule: str | None = None  # of a search, see `rule_place`

    @property
    def key(self) -> str:
        """Of the group, such as "label:truck"."""
        return f"{self.grouping}:{self.name}"


def rule_place(group: str, number: int) -> str:
    """A rule of a search in a URL: "label:truck/0"."""
    return f"{quote(group, safe=':')}/{number}"


def read_rule(text: str | None) -> tuple[str, int] | None:
    """The inverse of `rule_place`; None where the text means nothing."""
    group, _, number = (text or "").rpartition("/")
    return (unquote(group), int(number)) if group and number.isdecimal() else None


NAMES = {"name": "class", "leaf": "min_leaf"}  # in the URL, where they differ from the fields
KINDS = get_type_hints(Place)
# Going to another of these leaves behind what belonged to the one before.
BELOW = {
    "run": ("node", "feature", "label", "predicted", "part", "image", "depth", "delta", "tau", "leaf", "rule"),
    "grouping": ("node", "feature", "label", "predicted", "part", "image"),
    "name": ("node", "feature", "label", "predicted", "part", "image", "show", "sort"),
    "depth": ("node", "feature", "part", "image"),
    "leaf": ("node", "feature", "part", "image"),
    "node": ("feature", "label", "predicted", "part", "image"),
    "rule": ("show", "part", "image"),
    "show": ("part", "image"),
    "label": ("part", "image"),
    "predicted": ("part", "image"),
    "sort": ("part", "image"),
}
CHOICES = {"page": PAGES, "show": SHOWN, "sort": SORTS, "only": ONLY, "more": MORE}


def parse(query: dict[str, str]) -> Place:
    """The place that a URL means; what means nothing is as if it were not there."""
    found: dict[str, Any] = {}
    for field in Place._fields:
        text = query.get(NAMES.get(field, field))
        if text is not None and (value := _value(field, text)) is not None:
            found[field] = value
    place = Place(**found)
    return place._replace(page="group") if "page" not in found and place.name is not None else place


def unparse(place: Place, usual: Place) -> dict[str, str]:
    """The inverse of `parse`, without what is as in `usual`."""
    wanted = {}
    usual = usual._replace(page="group" if place.name is not None else "benchmark")
    for field, value in place._asdict().items():
        if value is not None and value != getattr(usual, field):
            wanted[NAMES.get(field, field)] = ",".join(map(str, value)) if isinstance(value, tuple) else f"{value}"
    return wanted


def _value(field: str, text: str) -> Any:
    if field == "kept":
        return tuple(dict.fromkeys(kept for part in text.split(",") if (kept := Kept.read(part)) is not None))
    if field in CHOICES:
        return text if text in CHOICES[field] else None
    if "int" in str(KINDS[field]):
        return int(text) if text.isdecimal() else None
    if "float" in str(KINDS[field]):
        try:
            value = float(text)
        except ValueError:
            return None
        return value if 0 <= value <= 1 else None
    return text


def _leave(place: Place, changes: dict[str, Any]) -> dict[str, Any]:
    """What belonged only to the place before is left behind, unless `changes` names it."""
    reset = {
        below: Place._field_defaults[below]
        for field, value in changes.items()
        if value != getattr(place, field)
        for below in BELOW.get(field, ())
    }
    return reset | changes


ADDRESS = Address(
    Place(),
    parse=lambda query: parse(last(query)),
    unparse=lambda place, usual: {name: [value] for name, value in unparse(place, usual).items()},
    follow=_leave,
)
here, adopt_url, write_url = ADDRESS.here, ADDRESS.adopt_url, ADDRESS.write_url
go, put, bound = ADDRESS.go, ADDRESS.put, ADDRESS.bound
