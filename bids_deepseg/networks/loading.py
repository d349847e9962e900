"""Hold the set of networks that the pipeline needs, and load those of the package."""

from dataclasses import dataclass
from functools import cache

from bids_deepseg.networks.predictor import Predictor
from bids_deepseg.networks.specs import read_spec


@dataclass(frozen=True, slots=True, eq=False)
class StructureModel:
    """A network that finds a structure inside the cord.

    Attributes
    ----------
    predictor : Predictor
        The network.
    name : str
        Its name.
    is_published : bool
        Whether it is one of the published networks, with their rules of intensity and threshold.
    """

    predictor: Predictor
    name: str = ""
    is_published: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """The models of one method.

    Attributes
    ----------
    detector : Predictor or None
        Heatmap of the cord's centre; None where the centerline comes from elsewhere.
    segmenter : Predictor
        Probability of cord.
    line_model : object or None
        What a way to the centerline loaded for itself beside the detection network, such as the linear detector of
        OptiC; only that way knows its type.
    detector_scale, segmenter_scale : (float, float) or None
        Mean and standard deviation of the values from 0 to 255 that a published network expects; None for a network of
        this package, which expects each patch standardised by itself.
    knows_inverted : bool
        Whether the segmentation network was trained for any contrast, so that it should say the same of patches with
        bright and dark exchanged.
    odds_exponent : float
        Power of the odds that turns what the segmentation network answers, a fraction of cord, into a probability.
    """

    detector: Predictor | None
    segmenter: Predictor
    line_model: object | None = None
    detector_scale: tuple[float, float] | None = None
    segmenter_scale: tuple[float, float] | None = None
    knows_inverted: bool = False
    odds_exponent: float = 1.0


def load_models() -> Models:
    """Load the package's networks; imports Keras.

    Raises
    ------
    NetworkError
        If weights are missing or changed.
    """
    exponent = read_spec("segmentation").odds_exponent
    return Models(load_own("detection"), load_own("segmentation"), knows_inverted=True, odds_exponent=exponent)


@cache
def load_own(name: str) -> Predictor:
    """Load one of the package's networks, once in each process; imports Keras.

    The other methods that are tried for a doubtful result run the same networks.

    Raises
    ------
    NetworkError
        If its weights are missing or changed.
    """
    from bids_deepseg.networks.keras_predictor import load_predictor  # noqa: PLC0415 - loads Keras, slow

    return load_predictor(read_spec(name))
