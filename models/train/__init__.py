"""Rebuilding the shipped weights: `python -m models.train`. Needs PyTorch (the extra `train`)."""
