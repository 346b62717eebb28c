"""Work that may be interrupted: whole files, settings that must match, locks, provenance, stores, checkpoints."""
