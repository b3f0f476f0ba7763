"""Tables that people bring, read by one reader: every row where the file has it, and nothing shifted, filled or dropped in silence."""

from barlow_core.intake.reading import read_header, read_table
from barlow_core.intake.table import Table, TableError

__all__ = ["Table", "TableError", "read_header", "read_table"]
