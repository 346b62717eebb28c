"""The main job: from a model's name to the geometry of its latent space, as files and a report."""

from geomgan.report.job import DISTANCES, analyze, named_distance

__all__ = ["DISTANCES", "analyze", "named_distance"]
