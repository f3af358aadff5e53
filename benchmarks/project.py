"""How large the dbt project is: models, the longest chain of them, and lines to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

FOLDERS: Final = ("models", "macros")
SUFFIXES: Final = (".sql", ".yml", ".yaml")


def project_size(manifest: Mapping[str, Any], root: Path) -> dict[str, int]:
    """Return ``models``, ``longest_chain`` (models on the longest way through the graph) and ``lines``.

    Lines are those of the SQL, Jinja and YAML files in models and macros that the manifest names, blank ones included.

    Args:
        manifest: dbt's ``manifest.json``.
        root: the project's folder.
    """
    models = {name: node for name, node in manifest["nodes"].items() if node["resource_type"] == "model"}

    @cache
    def chain(name: str) -> int:
        return 1 + max((chain(other) for other in models[name]["depends_on"]["nodes"] if other in models), default=0)

    return {
        "models": len(models),
        "longest_chain": max(map(chain, models), default=0),
        "lines": sum(
            len((root / path).read_text(encoding="utf-8").splitlines()) for path in sorted(set(_files(manifest)))
        ),
    }


def _files(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield the paths of the project's own files, some more than once."""
    project = manifest["metadata"]["project_name"]
    for kind in ("nodes", "sources", "macros", "exposures", "unit_tests", "metrics", "semantic_models"):
        for resource in manifest.get(kind, {}).values():
            if resource["package_name"] != project:
                continue
            for path in (resource["original_file_path"], (resource.get("patch_path") or "").partition("://")[2]):
                if path.startswith(tuple(f"{folder}/" for folder in FOLDERS)) and path.endswith(SUFFIXES):
                    yield path
