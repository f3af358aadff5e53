"""The published study as a reproduction: its synthetic twin, and what its printed figures say about each other.

No part of ``rapport``: whoever analyses an export of their own installs none of it.
"""
