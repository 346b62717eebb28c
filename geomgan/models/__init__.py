"""A model on disk: its folder, its card, the families of models, and the small models that ship with the package."""
