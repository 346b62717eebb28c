"""geomgan: the Riemannian geometry of the latent space of generative models."""
