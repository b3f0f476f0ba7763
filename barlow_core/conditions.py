"""What a rule can ask of the metadata of an image: `camera = phone`, `hour < 7`. What it asks of features is in `failure_tree`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

OR_MISSING = "< or missing"
_OPPOSITE = {"=": "!=", "!=": "=", "<": ">", OR_MISSING: ">", ">": "<"}


class ColumnCondition(NamedTuple):
    """A condition on a column of the metadata.

    Attributes:
        column: its name.
        operator: "=" or "!=" of a category, with the value "" for an image without one; "<" (which includes equality, as of features)
            or ">" of a number; "< or missing" of a number in a column where some images have none.
        value: the category, or the number.
    """

    column: str
    operator: str
    value: str | float

    @property
    def feature(self) -> None:
        """A column is no feature of the extractor."""
        return None

    def holds_for(self, values: np.ndarray) -> np.ndarray:
        """(n,) bool for values of the column as `benchmark.columns.comparable` gives them, (n,) float64 or str."""
        numbers = values.dtype.kind == "f"
        missing = np.isnan(values) if numbers else values == ""
        if self.operator in ("=", "!="):
            equal = missing if self.value == "" else values == self.value
            return equal if self.operator == "=" else ~equal
        # As the tree saw them, see `failure_tree.Condition.holds`.
        below = np.asarray(values, dtype=np.float32) <= np.float64(self.value)
        if self.operator == ">":
            return ~below & ~missing
        return below | missing if self.operator == OR_MISSING else below

    def opposite(self) -> ColumnCondition:
        """The condition that holds where a number's "<", or a category's "=" or "!=", does not."""
        return self._replace(operator=_OPPOSITE[self.operator])

    def __str__(self) -> str:
        if self.value == "":
            return f"{self.column} is {'' if self.operator == '=' else 'not '}missing"
        return f"{self.column} {self.operator[0] if self.operator == OR_MISSING else self.operator} {self.value_text}" + (
            " or missing" if self.operator == OR_MISSING else ""
        )

    @property
    def value_text(self) -> str:
        """The value for people; a number with all its digits and no more."""
        if isinstance(self.value, str):
            return self.value
        short = f"{self.value:g}"
        return short if float(short) == self.value else repr(float(self.value))


class ColumnCandidate(NamedTuple):
    """A column, or one category of it, among what a search may split on: a row of numbers behind the features.

    Attributes:
        column: its name.
        category: 1 where the image has this category ("" for none), else 0; None for a column of numbers, which is taken as it is.
        lowest: the lowest number; images without one count as below it (`metadata_features.encoded`). None for a category.
        missing: whether there are such images.
    """

    column: str
    category: str | None
    lowest: float | None = None
    missing: bool = False

    def condition(self, operator: str, threshold: float) -> ColumnCondition:
        """What `row < threshold` or `row > threshold` asks of the column."""
        if self.category is not None:
            return ColumnCondition(self.column, "=" if operator == ">" else "!=", self.category)
        if self.lowest is not None and threshold < self.lowest:  # only images without a number are below
            return ColumnCondition(self.column, "!=" if operator == ">" else "=", "")
        return ColumnCondition(self.column, OR_MISSING if operator == "<" and self.missing else operator, float(threshold))
