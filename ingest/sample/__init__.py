"""The fictional sample corpus and what builds it: see README.md in this folder."""
