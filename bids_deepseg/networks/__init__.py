"""Hold the networks: what they are, their weights, and how they are run."""
