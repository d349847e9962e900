"""Load the published networks and detectors that the settings need, and run the segmentation network over windows.

The windows are scaled first, and predicted slice by slice or in blocks [1.5, steps 5, 6; 1.7].
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import ImageError, NetworkError
from bids_deepseg.geometry.resample import rounded_size, stretch
from bids_deepseg.methods.optic.model import SvmModel, published_place, read_own_model, read_published_model
from bids_deepseg.methods.sct.settings import SCALE_PERCENTILES, SctSettings
from bids_deepseg.networks.batches import predict_blocks
from bids_deepseg.networks.predictor import ScaledPredictor
from bids_deepseg.networks.published.predictor import load_published
from bids_deepseg.networks.published.specs import published_spec
from bids_deepseg.stages.crops import Crops
from bids_deepseg.stages.findings import Finding


@dataclass(frozen=True, slots=True, eq=False)
class SctNetworks:
    """What a run of the reference method needs; parts that the settings do not use are None.

    Attributes
    ----------
    segmenter : ScaledPredictor
        2D or 3D segmentation network.
    detector : ScaledPredictor or None
        Detection network.
    optic : SvmModel or None
        Linear detector of OptiC.
    findings : tuple of Finding
        What is not the reference's.
    """

    segmenter: ScaledPredictor
    detector: ScaledPredictor | None = None
    optic: SvmModel | None = None
    findings: tuple[Finding, ...] = ()


def network_names(settings: SctSettings) -> tuple[str, ...]:
    """Return the names of the published networks that are needed, the segmentation network first."""
    segmenter = f"{settings.contrast}_sc" + ("_3D" if settings.used_kernel == "3d" else "")
    return (segmenter, f"{settings.contrast}_ctr") if settings.centerline == "cnn" else (segmenter,)


def needs_optic(settings: SctSettings) -> bool:
    """Return whether the linear detector is used: on the image, or with all quirks on the scan's distance maps (Q1)."""
    return settings.centerline == "svm" or (settings.centerline == "cnn" and settings.all_quirks)


def load_sct_networks(folder: Path, settings: SctSettings) -> SctNetworks:
    """Load what the settings need from a folder that the user filled; imports Keras.

    Parameters
    ----------
    folder : Path
        Holds ``t2_sc.h5`` and so on, and OptiC's ``t2_model.yml`` in it or in its folder ``optic``.
    settings : SctSettings
        Settings.

    Raises
    ------
    NetworkError
        If a file is missing or is another one; all missing networks are named.
    """
    specs = [published_spec(name) for name in network_names(settings)]
    missing = [spec.filenames[0] for spec in specs if spec.find_in(folder) is None]
    if missing:
        raise NetworkError(
            f"The sct profile needs the published networks {' and '.join(missing)}, which are not in {folder}. They "
            "are not part of this package, since no licence is stated for them. See 'bids_deepseg weights install', "
            "and give their folder with --weights-dir."
        )
    optic, findings = load_optic(folder, settings) if needs_optic(settings) else (None, ())
    networks = [load_published(folder, spec.name) for spec in specs]
    return SctNetworks(networks[0], networks[1] if len(networks) > 1 else None, optic, findings)


def load_optic(folder: Path, settings: SctSettings) -> tuple[SvmModel, tuple[Finding, ...]]:
    """Read OptiC's published detector, or, unless all quirks are wanted, the package's own in its place."""
    path = published_place(folder, settings.contrast)
    if path.is_file():
        return read_published_model(path), ()
    if settings.all_quirks:
        raise NetworkError(
            f"The detector {path.name} of OptiC is neither in {folder} nor in its folder optic. With all quirks of the "
            "reference the published one is needed. Put it there, or choose another --centerline."
        )
    own = Finding(
        "optic-own",
        "info",
        f"The centerline was found with this package's own linear detector, since {path.name} is not in the folder of "
        "published networks: it is not the reference's.",
    )
    return read_own_model(settings.contrast), (own,)


def scale_to_byte(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring the 2nd to the 98th percentile of all values, zeros of the filling included (Q12), to 0..255.

    Raises
    ------
    ImageError
        If both percentiles are equal.
    """
    low, high = np.percentile(values, SCALE_PERCENTILES)
    if low == high:
        raise ImageError(
            f"At least 96 % of the values around the centerline are {low:g}, so they cannot be scaled. Check that the "
            "centerline lies in the image and covers more than a few of its slices."
        )
    return np.asarray((np.clip(values, low, high) - low) * (255 / (high - low)), np.float32)


def predict_slices(scaled: NDArray[np.float32], crops: Crops, network: ScaledPredictor) -> NDArray[np.float32]:
    """Predict each slice that has a window; the others stay 0.

    Parameters
    ----------
    scaled : (H, W, K) float32 array
        Windows, values 0..255.
    crops : Crops
        Which slices have one.
    network : ScaledPredictor
        2D network of the windows' shape.
    """
    out = np.zeros(scaled.shape, np.float32)
    patches = network.standardise(np.moveaxis(scaled[..., crops.k], -1, 0))
    out[..., crops.k] = np.moveaxis(network.predict(patches), 0, -1)
    return out


def predict_isotropic(volume: NDArray[np.float32], network: ScaledPredictor, *, slice_mm: float) -> NDArray[np.float32]:
    """Predict blocks of slices of 0.5 mm, as the 3D networks were trained, and resample back: quirk Q2 fixed.

    Parameters
    ----------
    volume : (H, W, K) float32 array
        Windows, slices at a distance of ``slice_mm``.
    network : ScaledPredictor
        3D network.
    slice_mm : float
        Distance of the slices.
    """
    n = volume.shape[2]
    fine = stretch(volume, (*volume.shape[:2], rounded_size(n, slice_mm)))
    return stretch(predict_blocks(fine, network), volume.shape)
