"""NIfTI files: headers that are checked, voxels that are read in pieces, masks that are written."""
