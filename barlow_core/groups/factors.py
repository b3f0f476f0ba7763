"""Groups by what the metadata says of images: by a column, or by a product of label or prediction and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import unquote

import numpy as np

from barlow_core.benchmark import Benchmark
from barlow_core.benchmark.columns import categories, column_names
from barlow_core.errors import BarlowError
from barlow_core.groups.group import GROUPINGS, Group, predictions_of

PRODUCT = "*"
# More would be an identifier rather than a kind of image; and each group costs some milliseconds, however small it is.
MOST_VALUES = 1_000
MOST_GROUPS = 10_000
_BY_CLASS = ("label", "prediction")
_NOT_COLUMNS = (*GROUPINGS, "mask")


@dataclass(frozen=True)
class Factor:
    """One thing to group by: the classes of labels or predictions, or a column of the metadata.

    Attributes:
        name: "label", "prediction", or the column as the benchmark spells it.
        codes: (N,) int64, positions in `values`; -1 for an image without a value.
        values: the classes, or the distinct values of the column (`benchmark.columns.categories`).
        is_column: whether it is a column.
    """

    name: str
    codes: np.ndarray
    values: list[str]
    is_column: bool

    @property
    def token(self) -> str:
        """The factor as a key has it."""
        safe = _encoded(self.name, f"%:{PRODUCT}") if self.is_column else self.name
        return f"%{ord(safe[0]):02X}{safe[1:]}" if self.is_column and safe in _NOT_COLUMNS else safe

    def position(self, value: str) -> int:
        """Where `value` is in `values`.

        Raises:
            BarlowError: it is not there; close ones are suggested.
        """
        if value in self.values:
            return self.values.index(value)
        close = get_close_matches(value, self.values, n=3, cutoff=0.5)
        few = f"{', '.join(self.values[:8])}{' and more' if len(self.values) > 8 else ''}"
        hint = f"Did you mean {' or '.join(close)}?" if close else f"Available: {few}."
        raise BarlowError(f"No image has the {self.name} {value!r}. {hint}")


def is_column(benchmark: Benchmark, token: str) -> bool:
    """Whether a key's grouping is a column of the metadata."""
    return token not in _NOT_COLUMNS and unquote(token).casefold() in map(str.casefold, column_names(benchmark))


def factors_of(benchmark: Benchmark, grouping: str) -> list[Factor]:
    """What a column or product groups by: label and prediction first, then columns in the order of the benchmark.

    Raises:
        BarlowError: something that is no column, has no values or more than `MOST_VALUES`, or is named twice.
    """
    tokens = grouping.split(PRODUCT)
    found = [_factor(benchmark, token) for token in tokens]
    columns = column_names(benchmark)
    found.sort(key=lambda factor: (1, columns.index(factor.name)) if factor.is_column else (0, _BY_CLASS.index(factor.name)))
    if len({(factor.is_column, factor.name) for factor in found}) < len(found):
        raise BarlowError(f"{grouping!r} names the same thing twice. Expected different ones, such as label{PRODUCT}COLUMN.")
    return found


def grouping_of(factors: Sequence[Factor]) -> str:
    """The grouping that factors make, as keys have it."""
    return PRODUCT.join(factor.token for factor in factors)


def factor_groups(benchmark: Benchmark, grouping: str) -> list[Group]:
    """The groups of a column or product, in the order of their values; combinations that do not occur have none.

    Raises:
        BarlowError: as `factors_of`, or more than `MOST_GROUPS` groups.

    Cost: one sort of N numbers.
    """
    factors = factors_of(benchmark, grouping)
    inside = np.flatnonzero(np.all([factor.codes >= 0 for factor in factors], axis=0))
    shape = [len(factor.values) for factor in factors]
    cells, of_image = np.unique(np.ravel_multi_index([factor.codes[inside] for factor in factors], shape), return_inverse=True)
    if len(cells) > MOST_GROUPS:
        raise BarlowError(f"{grouping!r} has {len(cells):,} groups. Expected at most {MOST_GROUPS:,}. Leave a part out.")
    order = np.argsort(of_image, kind="stable")
    bounds = np.searchsorted(of_image[order], np.arange(len(cells) + 1))
    positions = np.stack(np.unravel_index(cells, shape), axis=1).tolist()
    return [
        Group(
            grouping_of(factors),
            _name([factor.values[i] for factor, i in zip(factors, position, strict=True)]),
            inside[order[low:high]],
        )
        for position, low, high in zip(positions, bounds[:-1], bounds[1:], strict=True)
    ]


def factor_group(benchmark: Benchmark, grouping: str, name: str) -> Group:
    """The group of a column or product that `name` names; empty where its values never occur together.

    Raises:
        BarlowError: as `factors_of`; a value that no image has, or not one for each factor.
    """
    tokens = grouping.split(PRODUCT)
    values = [unquote(part) for part in name.split(PRODUCT)] if len(tokens) > 1 else [name]
    if len(values) != len(tokens):
        raise BarlowError(
            f"{grouping}:{name} has {len(values)} values for {len(tokens)} columns. Expected one each with {PRODUCT} between them; "
            f"a {PRODUCT} inside a value is written %2A."
        )
    asked = {_factor(benchmark, token).token: value for token, value in zip(tokens, values, strict=True)}
    factors = factors_of(benchmark, grouping)
    inside = np.ones(len(benchmark), dtype=bool)
    for factor in factors:
        inside &= factor.codes == factor.position(asked[factor.token])
    return Group(grouping_of(factors), _name([asked[factor.token] for factor in factors]), np.flatnonzero(inside))


def parts(grouping: str, name: str) -> list[tuple[str, str]]:
    """A group, by grouping and name, as the pairs of grouping or column and class or value that its images have, decoded.

    >>> parts("label*camera", "cat*phone")
    [('label', 'cat'), ('camera', 'phone')]
    """
    tokens = grouping.split(PRODUCT)
    names = [unquote(part) for part in name.split(PRODUCT)] if len(tokens) > 1 else [name]
    return list(zip(map(unquote, tokens), names, strict=True))


def _factor(benchmark: Benchmark, token: str) -> Factor:
    if token in _BY_CLASS:
        codes = benchmark.labels if token == "label" else predictions_of(benchmark)
        return Factor(token, codes, benchmark.class_names, is_column=False)
    if token in _NOT_COLUMNS:
        raise BarlowError(
            f"{token!r} cannot be part of a product. Expected label, prediction or columns of the metadata, such as label{PRODUCT}COLUMN."
        )
    found = categories(benchmark, unquote(token))
    if len(found.values) > MOST_VALUES:
        raise BarlowError(
            f"The column {found.name!r} has {len(found.values):,} different values. Expected at most {MOST_VALUES:,} to group by. "
            "Put them into fewer kinds in the metadata, such as hours into day and night."
        )
    return Factor(found.name, found.codes, found.values, is_column=True)


def _name(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else PRODUCT.join(_encoded(value, f"%{PRODUCT}") for value in values)


def _encoded(text: str, special: str) -> str:
    """Percent-encode the characters `special` (RFC 3986); `unquote` is the inverse."""
    return "".join(f"%{ord(character):02X}" if character in special else character for character in text)
