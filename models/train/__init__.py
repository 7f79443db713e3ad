"""Rebuilding the shipped weights: `python -m models.train --data DIR --base DIR --out DIR`. Needs PyTorch (extra `train`)."""
