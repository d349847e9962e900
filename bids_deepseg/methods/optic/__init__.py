"""The centerline without networks: gradients, a linear detector and OptiC."""
