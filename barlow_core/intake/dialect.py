"""How a text table is written: its encoding and what stands between its columns, told from its first bytes and lines."""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from barlow_core.errors import BarlowError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_NAMES = {"utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "utf-32": "UTF-32"}
_OTHER_FILES = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook. In Excel: Save As, CSV UTF-8; unpack an archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook. Save it as CSV UTF-8"),
    (b"\x1f\x8b", "compressed with gzip. Unpack it"),
    (b"\x93NUMPY", "an array of numpy. A table has a line of column names"),
    (b"SQLite format 3", "an SQLite database. Export its table as CSV"),
)
_SAMPLE_BYTES = 1 << 16
_SAMPLE_ROWS = 50


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    Attributes:
        encoding: name of Python's codec.
        separator: between columns, one of `SEPARATORS`.
    """

    encoding: str
    separator: str

    @property
    def note(self) -> str:
        """What is unlike CSV in UTF-8 with commas, as words: "UTF-16, tabs between columns"; "" where nothing is."""
        parts = [_NAMES[self.encoding]] if self.encoding in _NAMES else []
        parts += [f"{SEPARATORS[self.separator]} between columns"] if self.separator != "," else []
        return ", ".join(parts)


def detect(path: Path, expected: str) -> Dialect:
    """The dialect of a text table.

    Args:
        expected: what the file should be, for messages: "a CSV of answers".

    Raises:
        BarlowError: there is no such file, it cannot be read, or it is known to be something else.
    """
    try:
        with path.open("rb") as stream:
            sample = stream.read(_SAMPLE_BYTES)
    except FileNotFoundError:
        raise BarlowError(f"{path}: no such file. Expected {expected}. Check the path.") from None
    except OSError as error:
        raise BarlowError(f"{path} cannot be read ({error.strerror or error}). Expected {expected}.") from None
    for magic, what in _OTHER_FILES:
        if sample.startswith(magic):
            raise BarlowError(f"{path} is {what}. Expected {expected}.")
    encoding = _encoding(sample)
    text = sample.decode(encoding, errors="ignore")
    return Dialect(encoding, _separator(text, whole=len(sample) < _SAMPLE_BYTES))


def open_text(path: Path, dialect: Dialect) -> TextIO:
    """The file as text, its line ends as they are."""
    return path.open(encoding=dialect.encoding, newline="")


def undecodable(path: Path, dialect: Dialect) -> BarlowError:
    """What is wrong with a file whose bytes are no text, by line."""
    name = _NAMES.get(dialect.encoding, "UTF-8")
    if name != "UTF-8":
        return BarlowError(
            f"{path} is written in {name} and is cut short, or damaged. Save it as CSV UTF-8. Nothing was imported."
        )
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = line[error.start : error.start + 1]
                meant = byte.decode("cp1252", errors="ignore")
                meaning = f", {meant!r} as Windows writes Western European text" if meant.isalpha() else ""
                return BarlowError(
                    f"{path} is not UTF-8: line {number} has the byte 0x{byte.hex().upper()}{meaning}. Expected UTF-8 or UTF-16. "
                    "Save it as UTF-8 and try again (in Excel: Save As, CSV UTF-8). Nothing was imported."
                )
    return BarlowError(f"{path} changed while it was read. Try again.")


def _encoding(sample: bytes) -> str:
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding
    # UTF-16 without a mark: every other byte of Western text is zero, and text in UTF-8 has no zeros.
    even, odd = sample[0:1000:2].count(0), sample[1:1000:2].count(0)
    enough = len(sample[:1000]) * 0.2
    if odd > enough and even == 0:
        return "utf-16-le"
    if even > enough and odd == 0:
        return "utf-16-be"
    return "utf-8-sig"


def _separator(text: str, *, whole: bool) -> str:
    """The separator that makes most columns of the header, above all one by which the rows have as many as the header."""

    def fits(separator: str) -> tuple[bool, int]:
        rows: list[list[str]] = []
        try:
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True):
                if any(cell.strip() for cell in row):
                    rows.append(row)
                if len(rows) > _SAMPLE_ROWS:
                    break
            else:
                rows = rows if whole else rows[:-1]  # the last one may be cut
        except csv.Error:
            pass  # a sample may end within quotes; the rows before count
        widths = [len(row) for row in rows] or [0]
        return widths[0] > 1 and len(set(widths)) == 1, widths[0]

    return max(SEPARATORS, key=fits)
