"""Another name of :mod:`rapport.release`: ``python -m rapport.export`` does what ``python -m rapport.release`` does."""

from __future__ import annotations

import sys

from rapport.release.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
