"""Findings on therapeutic alliance and well-being from sufficient statistics."""
