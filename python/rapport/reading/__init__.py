"""Reading a raw export: files found once, dialect and columns determined once, values checked by a written grammar."""

from rapport.reading.export import Reading, check_export, damaged_files, read_export
from rapport.reading.files import changed_files
from rapport.reading.tables import ERASURES, DeclaredTable, declared_tables

__all__ = [
    "ERASURES",
    "DeclaredTable",
    "Reading",
    "changed_files",
    "check_export",
    "damaged_files",
    "declared_tables",
    "read_export",
]
