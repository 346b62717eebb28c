"""Statistics of metric fields."""

from geomgan.analysis.spectra import Anisotropy, MeanSpectrum, anisotropy, mean_spectrum

__all__ = ["Anisotropy", "MeanSpectrum", "anisotropy", "mean_spectrum"]
