"""Tables as people bring them, for both readers of tables: what is read of them, or what is said. Each is a table of two columns, a and b."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

Rows = list[tuple[int, str, str]]  # line or row, a, b
BOTH: Rows = [(2, "x", "1"), (3, "y", "2")]


@dataclass(frozen=True)
class Case:
    """A file, and what it holds.

    Attributes:
        data: its bytes; "A" and "B" stand for the names of the two columns.
        rows: what is read; empty where nothing is.
        notes: what is said, as parts of sentences.
        message: parts of the error, where it is one in both halves.
    """

    data: bytes
    rows: Rows = field(default_factory=list)
    notes: tuple[str, ...] = ()
    message: tuple[str, ...] = ()

    def named(self, a: str, b: str) -> bytes:
        """The file with the names of its columns in place of A and B, in whatever encoding it has."""
        data = self.data
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            for sign, name in (("<A>", a), ("<B>", b)):
                data = data.replace(sign.encode(encoding), name.encode(encoding))
        return data


def jsonl(*records: object) -> bytes:
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in records).encode()


PLAIN = "<A>,<B>\nx,1\ny,2\n"
CASES = {
    "plain": Case(PLAIN.encode(), BOTH),
    "byte order mark": Case(PLAIN.encode("utf-8-sig"), BOTH),
    "Windows line ends": Case(PLAIN.replace("\n", "\r\n").encode(), BOTH),
    "old Mac line ends": Case(PLAIN.replace("\n", "\r").encode(), BOTH),
    "no line end at the end": Case(PLAIN.strip().encode(), BOTH),
    "semicolons": Case(PLAIN.replace(",", ";").encode(), BOTH, ("semicolons between columns",)),
    "tabs": Case(PLAIN.replace(",", "\t").encode(), BOTH, ("tabs between columns",)),
    "bars": Case(PLAIN.replace(",", "|").encode(), BOTH, ("vertical bars between columns",)),
    "semicolons, and commas in a value": Case(
        b'<A>;<B>\n"x, or z";1\ny;2\n', [(2, "x, or z", "1"), (3, "y", "2")], ("semicolons",)
    ),
    "UTF-16, little end first": Case(PLAIN.encode("utf-16"), BOTH, ("UTF-16",)),
    "UTF-16, big end first": Case(b"\xfe\xff" + PLAIN.encode("utf-16-be"), BOTH, ("UTF-16",)),
    "UTF-16 with tabs": Case(PLAIN.replace(",", "\t").encode("utf-16"), BOTH, ("UTF-16, tabs between columns",)),
    "UTF-16 without a mark": Case(PLAIN.encode("utf-16-le"), BOTH, ("UTF-16",)),
    "UTF-16 without a mark, big end first": Case(PLAIN.encode("utf-16-be"), BOTH, ("UTF-16",)),
    "everything in quotes": Case(b'"<A>","<B>"\n"x","1"\n"y","2"\n', BOTH),
    "quotes in quotes": Case(b'<A>,<B>\n"x ""z""",1\n', [(2, 'x "z"', "1")]),
    "spaces around values": Case(b" <A> , <B> \n x , 1 \n\ty\t, 2\n", BOTH),
    "no-break spaces around values": Case("<A>,<B>\n\u00a0x,1\u00a0\n".encode(), [(2, "x", "1")]),
    "blank lines": Case(b"\n<A>,<B>\n\nx,1\n  \ny,2\n\n", [(4, "x", "1"), (6, "y", "2")]),
    "line breaks in values": Case(b'<A>,<B>\n"x\n\nz",1\ny,2\n', [(2, "x\n\nz", "1"), (5, "y", "2")]),
    "Windows line breaks in values": Case(b'<A>,<B>\r\n"x\r\nz",1\r\ny,2\r\n', [(2, "x\r\nz", "1"), (4, "y", "2")]),
    "a separator at the end of every row": Case(b"<A>,<B>\nx,1,\ny,2,\n", BOTH, ("one separator more than the header",)),
    "rows without any value": Case(
        b"<A>,<B>\n,\nx,1\n , \ny,2\n", [(3, "x", "1"), (5, "y", "2")], ("2 rows without any value are left out (lines 2, 4)",)
    ),
    "other columns, in another order": Case(b"more,<B>,,<A>\nm,1,,x\nm,2,,y\n", BOTH),
    "JSON lines": Case(jsonl({"<A>": "x", "<B>": "1"}, {"<B>": "2", "<A>": "y"}), [(1, "x", "1"), (2, "y", "2")]),
    "JSON lines of numbers": Case(jsonl({"<A>": "x", "<B>": 1}, {"<A>": "y", "<B>": 2}), [(1, "x", "1"), (2, "y", "2")]),
    "JSON lines with blank ones": Case(b'{"<A>": "x", "<B>": 1}\n\n{"<A>": "y", "<B>": 2}\n', [(1, "x", "1"), (3, "y", "2")]),
    "nothing": Case(b"", message=("is empty", "a line of column names")),
    "blank lines only": Case(b"\n \n\n", message=("is empty",)),
    "one column": Case(b"<A>\nx\n", message=("has only one column", "commas, semicolons or tabs")),
    "quotes that never end": Case(b'<A>,<B>\nx,1\n"y,2\nz,3\n', message=("line 3", "a quotation mark is open")),
    "quotes that end too early": Case(b'<A>,<B>\nx,1\n"y"z,2\n', message=("line 3", "a quotation mark is open")),
    "quotes that never end, in the header": Case(b'"<A>,<B>\nx,1\n', message=("line 1", "cannot be read as a table")),
    "Windows's Western European": Case(
        "<A>,<B>\nx,1\ncafé,2\n".encode("cp1252"), message=("not UTF-8: line 3", "0xE9", "'é' as Windows", "Save it as UTF-8")
    ),
    "UTF-16 that breaks off": Case(PLAIN.encode("utf-16")[:-1], message=("UTF-16 and is cut short", "Save it as CSV UTF-8")),
    "an Excel workbook": Case(b"PK\x03\x04rest", message=("an Excel workbook", "Save As, CSV UTF-8")),
    "compressed": Case(b"\x1f\x8b\x08rest", message=("compressed with gzip", "Unpack it")),
    "JSON lines that are none": Case(b'{"<A>": "x", "<B>": 1}\n{"<A>": "y"\n', message=("line 2", "expected a JSON object")),
    "damaged Parquet": Case(b"PAR1rest", message=("not a whole Parquet file",)),
}
