"""Training of the small models: data sets, classifiers and generative networks, on one machine."""
