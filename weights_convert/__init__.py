"""Published checkpoints -> the Orbax checkpoints that geomgan.load reads; one module per family in ``families``."""
