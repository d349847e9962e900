"""Hold the geometry of images: grids, volumes, resampling and windows; no file is opened here."""
