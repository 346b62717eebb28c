"""Whose network a file holds, which part of it makes samples, and what its names and shapes tell of the rest."""
