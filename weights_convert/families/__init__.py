"""The converters of published checkpoints; one module per family."""
