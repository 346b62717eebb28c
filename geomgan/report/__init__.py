"""The main job: from a model's name to the geometry of its latent space, as files and a report."""

from geomgan.report.job import analyze

__all__ = ["analyze"]
