"""Work that may be interrupted: whole files, settings that match, locks, provenance, stores, journals, checkpoints."""
