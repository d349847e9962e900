"""Load a published network and run it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import NetworkError
from bids_deepseg.networks.backend import native_output_silenced, start_keras
from bids_deepseg.networks.batches import predict_in_batches
from bids_deepseg.networks.keras_predictor import LoadedNetwork, made_ready
from bids_deepseg.networks.legacy.build import build_legacy, plan_grey_matter
from bids_deepseg.networks.legacy.h5 import LegacyNetwork, read_legacy
from bids_deepseg.networks.published.specs import PublishedSpec, git_blob_id, published_spec, read_bounded

#: Voxels in one batch, or one patch if it is larger.
_BATCH_VOXELS = 2**17


class PublishedPredictor(LoadedNetwork[PublishedSpec]):
    """A published network, ready to run; a 2D one is a :class:`bids_deepseg.networks.predictor.Predictor`."""

    __slots__ = ()

    def standardise(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Bring values to the scale on which this network was trained.

        Parameters
        ----------
        values : float array
            Intensities as :attr:`PublishedSpec.mean` says: 0..255 for the cord networks; for grey matter the whole
            volume, whose own mean and std are used.

        Returns
        -------
        float32 array
            ``(values - mean) / std``, of the same shape.
        """
        spec = self.spec
        mean = float(values.mean()) if spec.mean is None else spec.mean
        std = float(values.std()) if spec.std is None else spec.std
        return ((values - mean) / (std or 1.0)).astype(np.float32)

    def predict(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map standardised patches ``(N, *patch_shape)`` to probabilities of the same shape."""
        if patches.shape[1:] != self.patch_shape:
            raise ValueError(
                f"Patches of {self.patch_shape} are expected by {self.spec.name}, not {patches.shape[1:]}."
            )
        # No larger than what there is: a search along the cord asks for one patch at a time.
        return predict_in_batches(self.network, patches, most_voxels=min(_BATCH_VOXELS, patches.size))


def read_published(path: Path, spec: PublishedSpec) -> LegacyNetwork:
    """Read the file of a published network, after its bytes were compared with the published ones.

    Raises
    ------
    NetworkError
        If the file cannot be read, is another one, or does not hold the network that ``spec`` describes.
    """
    content = read_bounded(path)
    blob = git_blob_id(content)
    if blob != spec.blob:
        raise NetworkError(
            f"{path} is not the published network {spec.name}: git blob id {blob}, expected {spec.blob}. "
            "See 'bids_deepseg weights check'."
        )
    plan = None if spec.n_features is None else plan_grey_matter(spec.n_features)
    legacy = read_legacy(content, plan=plan)
    found = (legacy.plan.patch_shape, legacy.plan.n_parameters)
    if found != (spec.patch_shape, spec.n_parameters):
        raise NetworkError(
            f"{path} holds a network with the patch and parameters {found}, expected "
            f"{(spec.patch_shape, spec.n_parameters)}. Please report it: the table of networks is wrong."
        )
    return legacy


def load_published(folder: Path, name: str) -> PublishedPredictor:
    """Load a published network from a folder; imports Keras.

    Parameters
    ----------
    folder : Path
        Folder that the user filled; the package holds none of these files.
    name : str
        Name in :data:`bids_deepseg.networks.published.specs.PUBLISHED`.

    Raises
    ------
    NetworkError
        If the file is missing, is another one, or cannot be loaded.
    UsageError
        If no network has this name.
    """
    spec = published_spec(name)
    path = spec.find_in(folder)
    if path is None:
        raise NetworkError(
            f"The published network {name} is not in {folder}: {' or '.join(spec.filenames)} is expected. "
            "See 'bids_deepseg weights install'."
        )
    legacy = read_published(path, spec)
    keras = start_keras()
    with native_output_silenced():
        return PublishedPredictor(spec, made_ready(keras, build_legacy(legacy)))
