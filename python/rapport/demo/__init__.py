"""A seeded, synthetic raw export with the mess of a real platform and no real person in it."""

from rapport.demo.export import DEFAULT_PARTICIPANTS, DEFAULT_SEED, write_demo_export

__all__ = ["DEFAULT_PARTICIPANTS", "DEFAULT_SEED", "write_demo_export"]
