"""Hold the networks: what they are, their weights, and how they are run."""

from bids_deepseg.networks.predictor import load_models
from bids_deepseg.networks.specs import ModelSpec, contrast_of_suffix, model_specs

__all__ = ["ModelSpec", "contrast_of_suffix", "load_models", "model_specs"]
