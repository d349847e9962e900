"""Load the set of networks that the pipeline needs."""

from dataclasses import dataclass

from bids_deepseg.networks.predictor import Predictor
from bids_deepseg.networks.specs import read_spec


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """The networks of the default method.

    Attributes
    ----------
    detector : Predictor
        Heatmap of the cord's centre.
    segmenter : Predictor
        Probability of cord.
    """

    detector: Predictor
    segmenter: Predictor


def load_models() -> Models:
    """Load the package's networks; imports TensorFlow.

    Raises
    ------
    NetworkError
        If weights are missing or changed.
    """
    from bids_deepseg.networks.keras_predictor import load_predictor  # noqa: PLC0415 - loads Keras, slow

    return Models(load_predictor(read_spec("detection")), load_predictor(read_spec("segmentation")))
