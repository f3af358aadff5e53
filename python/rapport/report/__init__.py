"""The report: one self-contained HTML page about the last published build.

``read_published`` reads aggregates from the warehouse, ``build_page`` turns them into the page. In between everything is
a pure function of those tables: sentences, tables, figures. Each number on the page carries its place in the warehouse
and the precision it is shown at.
"""

from rapport.report.page import build_page
from rapport.report.published import Published, ReportError, Tables, published, read_published

__all__ = ["Published", "ReportError", "Tables", "build_page", "published", "read_published"]
