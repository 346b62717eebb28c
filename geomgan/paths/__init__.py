"""Paths through latent space and walking them: samples and distances along them, even spacing."""
