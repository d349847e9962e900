"""Write the images that the training reads."""

import nibabel as nib
import numpy as np

#: Axes to the left, front and top: arrays saved with it are canonical already.
AFFINE = np.diag([-0.5, 0.5, 3.0, 1.0])


def save(path, data):
    """Save an array as an image, in a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, AFFINE), path)
