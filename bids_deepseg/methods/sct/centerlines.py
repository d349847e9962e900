"""Find the cord in one of the reference's ways: OptiC on the image, the network's scan, or a given centerline [4]."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.errors import CordNotFoundError, ImageError
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.resample import resample, working_grid
from bids_deepseg.geometry.volume import Volume, to_canonical
from bids_deepseg.methods.optic.centerline import svm_centerline
from bids_deepseg.methods.optic.model import SvmModel
from bids_deepseg.methods.sct.scan import Scan, scan_slices
from bids_deepseg.methods.sct.settings import HEAT_SMOOTHNESS, SVM_SMOOTHNESS, SctSettings
from bids_deepseg.networks.predictor import ScaledPredictor
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.crops import Course
from bids_deepseg.stages.given_centerline import centerline_from_points
from bids_deepseg.stages.optic import least_cost_path


@dataclass(frozen=True, slots=True, eq=False)
class FoundCourse:
    """The course of the cord.

    Attributes
    ----------
    course : Course
        Points on the working grid.
    score : (N,) float array
        What the method knows of each point: score of the linear detector, distance in pixels from the border of what
        the detection network found, or 1 for a given centerline.
    cost : float
        Cost of the path, 0 for a given centerline.
    """

    course: Course
    score: NDArray[np.float64]
    cost: float


def course_by_svm(working: Volume, model: SvmModel) -> FoundCourse:
    """Run OptiC with its linear detector on the working grid (Q16): a point in every slice."""
    line = svm_centerline(working, model, smoothness=SVM_SMOOTHNESS)
    return FoundCourse(Course(line.ij, line.k, working.grid), line.heat, line.cost)


def course_by_scan(
    working: Volume, detector: ScaledPredictor, model: SvmModel | None, settings: SctSettings
) -> FoundCourse:
    """Scan with the detection network, and trace its distance maps.

    With all quirks the maps are an image for OptiC with its linear detector (Q1), and slices from the last response on
    are cut (Q9); otherwise the maps are the score, and slices above the last response are cut when the search looks for
    the brain.

    Raises
    ------
    CordNotFoundError
        If there is no response, or nothing is left after the cut.
    """
    quirky, brain = settings.all_quirks, settings.watches_for_brain
    scan = scan_slices(working.data, detector, brain=brain, all_quirks=quirky)
    if quirky:
        if model is None:
            raise ValueError("With all quirks the scan needs the linear detector.")
        found = course_by_svm(Volume(scan.distance, working.grid), model)
        end = scan.last if scan.last < working.grid.shape[2] - 1 else working.grid.shape[2]
    else:
        found = _course_on_distances(scan, working.grid, HEAT_SMOOTHNESS[settings.contrast])
        end = scan.last + 1 if brain else working.grid.shape[2]
    if end == 0:
        raise CordNotFoundError(
            "The detection network finds a cord in the lowest slice only, which the reference cuts off. Try another "
            "--centerline, or the sct profile without its quirks."
        )
    course = Course(found.course.ij[:end], found.course.k[:end], working.grid)
    return FoundCourse(course, found.score[:end], found.cost)


def _course_on_distances(scan: Scan, grid: Grid, smoothness: float) -> FoundCourse:
    """Trace the largest sum of distances from the border; a step costs its squared slope."""
    zi, zj, dz = grid.zooms
    weights = (smoothness * (zi / dz) ** 2, smoothness * (zj / dz) ** 2)
    path, cost = least_cost_path(-scan.distance.astype(np.float64), weights)
    k = np.arange(len(path))
    score = scan.distance[path[:, 0], path[:, 1], k].astype(np.float64)
    return FoundCourse(Course(path.astype(np.float64), k, grid), score, cost)


def course_of_mask(given: Volume, canonical: Grid, *, all_quirks: bool) -> FoundCourse:
    """Take the course from an image of a centerline.

    On the voxels of the image: resampled to the working grid, and in each slice the centre of mass of all that is not
    zero [1.5, step 4]. On other voxels: with all quirks the same, as if they were the image's (Q19), otherwise by its
    affine.

    Parameters
    ----------
    given : Volume
        Image that is not zero on the centerline.
    canonical : Grid
        Grid of the image on canonical axes.
    all_quirks : bool
        Repeat Q19.

    Raises
    ------
    ImageError
        If the centerline is empty, does not lie in the image, or, with all quirks, is of another size.
    """
    line = to_canonical(given)
    target = working_grid(canonical)
    if not line.grid.same_as(canonical) and not all_quirks:
        return course_of_points(_points_of(line), canonical)
    own = working_grid(line.grid)
    if own.shape != target.shape:
        raise ImageError(
            f"The centerline has {line.grid.shape} voxels, the image {canonical.shape}. With all quirks of the "
            "reference they must have the same field of view. Use the fixed ones."
        )
    data = resample(Volume(line.data.astype(np.float32), line.grid), own).data
    k = np.flatnonzero(data.any((0, 1)))
    if len(k) == 0:
        raise ImageError("The given centerline is empty. Voxels that are not zero are expected.")
    ij = np.array([ndimage.center_of_mass(data[..., each]) for each in k])
    return FoundCourse(Course(ij, k, target), np.ones(len(k)), 0.0)


def _points_of(line: Volume) -> NDArray[np.float64]:
    """Return the weighted centre (N, 3) in mm of each slice of an image of a centerline, on canonical axes."""
    k = np.flatnonzero(line.data.any((0, 1)))
    centres = [ndimage.center_of_mass(line.data[..., each]) for each in k]
    return line.grid.voxel_to_world(np.column_stack([np.reshape(centres, (-1, 2)), k]))


def course_of_points(xyz: NDArray[np.float64], canonical: Grid) -> FoundCourse:
    """Fit a course to points on any grid; parameters and errors as for :func:`centerline_from_points`.

    The fit is this package's: the reference's smoothing spline has a factor that is not known.
    """
    line = centerline_from_points(xyz, canonical)
    grid = working_grid(canonical)
    # Rounded, so that the noise of the affines does not move a point to the pixel before by truncation.
    ij = np.round(grid.world_to_voxel(line.xyz)[:, :2], 6)
    return FoundCourse(Course(ij, line.k, grid), line.heat, line.cost)


def to_centerline(found: FoundCourse) -> Centerline:
    """Return the course as the rest of the package knows it: slices without a point between others are interpolated."""
    course = found.course
    k = np.arange(course.k[0], course.k[-1] + 1)
    ij = np.column_stack([np.interp(k, course.k, column) for column in course.ij.T])
    return Centerline(ij, k, course.grid, np.interp(k, course.k, found.score), found.cost)
