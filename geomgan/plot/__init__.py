"""Figures, montages and the HTML report: every function takes data and returns a matplotlib figure, or HTML."""

from geomgan.plot.axes import axes_montage, distance_curves
from geomgan.plot.images import image_grid
from geomgan.plot.report import html_report
from geomgan.plot.spectrum import spectrum
from geomgan.plot.style import displayable

__all__ = ["axes_montage", "displayable", "distance_curves", "html_report", "image_grid", "spectrum"]
