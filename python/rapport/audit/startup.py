"""Imports Great Expectations without the parts that no suite here uses."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from functools import cache
from types import ModuleType
from typing import Any

UNUSED = ("altair", "scipy.stats")
"""Drawn in by expectations on distributions alone; they are a third of the import."""


class _WhenUsed(ModuleType):
    """Stands for a module until somebody asks it for something."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


@cache
def import_great_expectations() -> None:
    """Imports the package once in a process, silent and without telemetry.

    An expectation on a distribution still works: it imports what it needs when it is judged.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    stand_ins = {name: _WhenUsed(name) for name in UNUSED if name not in sys.modules}
    sys.modules.update(stand_ins)
    collects = gc.isenabled()
    gc.disable()  # of what an import builds nothing is garbage, and to look for some is a tenth of its time
    try:
        importlib.import_module("great_expectations")
    finally:
        if collects:
            gc.enable()
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
            parent, _, child = name.rpartition(".")
            # `from scipy import stats` keeps what it found on the parent.
            if parent and vars(sys.modules.get(parent)).get(child) is stand_in:
                delattr(sys.modules[parent], child)
