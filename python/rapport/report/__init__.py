"""The report: one self-contained HTML page about the last published build.

``read_published`` reads aggregates from the warehouse, ``published`` takes them through disclosure control, and
``build_page`` of ``rapport.report.page`` turns them into the page. In between everything is a pure function of those
tables: sentences, tables, figures. Each number on the page carries its place in the warehouse and how it is shown.
"""

from rapport.report.protection import published
from rapport.report.published import Published, ReportError, Tables, read_published

__all__ = ["Published", "ReportError", "Tables", "published", "read_published"]
