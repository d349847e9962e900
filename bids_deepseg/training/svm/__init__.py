"""The training of the linear detectors."""
