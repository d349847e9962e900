"""Scan the slices with the detection network and keep distance maps of what it finds [1.6]."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.methods.sct.networks import scale_to_byte
from bids_deepseg.methods.sct.postprocess import keep_one_object
from bids_deepseg.methods.sct.settings import DETECTION_THRESHOLD, MOST_MISSES
from bids_deepseg.networks.predictor import ScaledPredictor
from bids_deepseg.stages.crops import window_start
from bids_deepseg.stages.findings import Measured


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What the detection network found.

    Attributes
    ----------
    distance : (I, J, K) float32 array
        In each slice the distance in pixels from each pixel that counts as cord to the nearest that does not.
    last : int
        Last slice with a response.
    """

    distance: NDArray[np.float32]
    last: int


def scan_slices(data: NDArray[np.float32], detector: ScaledPredictor, *, brain: bool, all_quirks: bool) -> Scan:
    """Search all slices from inferior to superior.

    Where the centre in the slice below is known, one window around it is predicted; if that shows nothing, or no centre
    is known, tiles that do not overlap.

    Parameters
    ----------
    data : (I, J, K) float32 array
        Image on the working grid.
    detector : ScaledPredictor
        Detection network.
    brain : bool
        Whether to end the search above the cord.
    all_quirks : bool
        Repeat the quirks Q5 to Q9.

    Raises
    ------
    CordNotFoundError
        If no pixel of any slice counts as cord.
    """
    shape = detector.patch_shape
    scaled = scale_to_byte(pad_to_tiles(data, shape, drop_anterior_rest=all_quirks))
    heat = np.zeros(data.shape, np.float32)
    centre: tuple[int, int] | None = None
    misses, seen = 0, False
    for k in range(data.shape[2]):
        search = _SliceSearch(scaled[..., k].copy(), detector, data.shape[:2], all_quirks)
        tracked, found = centre is not None, None
        if centre is not None:
            answer = search.track(centre)
            found = _centre_of(answer > DETECTION_THRESHOLD)
        scanned = found is None
        if scanned:
            answer, found = search.scan()
        centre = found
        heat[..., k] = answer
        if all_quirks:
            # Q8, Q9: every slice that is scanned counts, one in which the cord is found and those below it as well.
            misses = (0 if tracked else misses) + scanned
            ends = misses > MOST_MISSES
        else:
            seen |= found is not None
            misses = misses + 1 if seen and found is None else 0
            ends = misses == MOST_MISSES
        if ends and brain:
            heat[..., k:] = 0
            break
    return _to_distances(heat)


def pad_to_tiles(data: NDArray[np.float32], tile: tuple[int, ...], *, drop_anterior_rest: bool) -> NDArray[np.float32]:
    """Add zeros at the ends of both in-plane axes up to a multiple of the tile.

    With ``drop_anterior_rest`` an image of more than one tile from posterior to anterior loses there what is beyond
    the last whole one (Q7).
    """
    n_i, n_j = data.shape[:2]
    if drop_anterior_rest and n_j > tile[1]:
        data = data[:, : n_j // tile[1] * tile[1]]
        n_j = data.shape[1]
    return np.pad(data, ((0, -n_i % tile[0]), (0, -n_j % tile[1]), (0, 0)))


@dataclass(slots=True)
class _SliceSearch:
    """The search in one slice.

    Attributes
    ----------
    image : (I', J') float32 array
        Padded slice, values 0..255; changed by a search that repeats Q5.
    detector : ScaledPredictor
        Detection network.
    shape : (int, int)
        Size of the slice without padding.
    all_quirks : bool
        Repeat Q5 and Q6.
    """

    image: NDArray[np.float32]
    detector: ScaledPredictor
    shape: tuple[int, ...]
    all_quirks: bool

    def track(self, centre: tuple[int, int]) -> NDArray[np.float32]:
        """Predict one window around a centre."""
        size = self.detector.patch_shape
        i, j = (window_start(c, s, n) for c, s, n in zip(centre, size, self.image.shape, strict=True))
        window = self.image[i : i + size[0], j : j + size[1]]
        standard = self.detector.standardise(window)
        if self.all_quirks:
            # Q5: the values of the image itself are standardised, and once more if the slice is scanned after that.
            window[...] = standard
        answer = self.detector.predict(standard[None])[0]
        if self.all_quirks:
            # Q6: the place is worked out for the image without padding.
            i, j = (window_start(c, s, n) for c, s, n in zip(centre, size, self.shape, strict=True))
        return self._paste([answer], [(i, j)])

    def scan(self) -> tuple[NDArray[np.float32], tuple[int, int] | None]:
        """Predict all tiles; return the answer and the centre of its largest object."""
        size = self.detector.patch_shape
        starts = [
            (i, j) for j in range(0, self.image.shape[1], size[1]) for i in range(0, self.image.shape[0], size[0])
        ]
        tiles = np.stack([self.image[i : i + size[0], j : j + size[1]] for i, j in starts])
        answer = self._paste(self.detector.predict(self.detector.standardise(tiles)), starts)
        return answer, _centre_of(keep_one_object(answer > DETECTION_THRESHOLD, None))

    def _paste(
        self, answers: "list[NDArray[np.float32]] | NDArray[np.float32]", starts: list[tuple[int, int]]
    ) -> NDArray[np.float32]:
        """Put answers at their places in a slice of zeros, without what lies in the padding."""
        out = np.zeros(self.shape, np.float32)
        for answer, (i, j) in zip(answers, starts, strict=True):
            target = out[i : i + answer.shape[0], j : j + answer.shape[1]]
            target[...] = answer[: target.shape[0], : target.shape[1]]
        return out


def _centre_of(mask: NDArray[np.bool_]) -> tuple[int, int] | None:
    """Return the centre of mass truncated to a pixel (Q11), None for an empty slice."""
    if not mask.any():
        return None
    i, j = ndimage.center_of_mass(mask)
    return int(i), int(j)


def _to_distances(heat: NDArray[np.float32]) -> Scan:
    """Replace the heat of each slice by the distance to the border of what counts."""
    counts = heat >= DETECTION_THRESHOLD
    responding = np.flatnonzero(counts.any((0, 1)))
    if len(responding) == 0:
        largest = Measured(heat.max(), DETECTION_THRESHOLD)
        raise CordNotFoundError(
            f"No cord was found: the detection network's largest answer is {largest:.2f}, at least "
            f"{DETECTION_THRESHOLD} is expected in a slice with cord. Try another --centerline, and check the contrast "
            "and the orientation in the header."
        )
    distance = np.zeros(heat.shape, np.float32)
    for k in responding:
        distance[..., k] = ndimage.distance_transform_edt(counts[..., k])
    return Scan(distance, int(responding[-1]))
