"""Scoring the models in public: every set, baselines beside the model, intervals, calibration, errors."""
