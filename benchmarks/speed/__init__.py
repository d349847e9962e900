"""Time and memory of the app, as tables and a plot: ``python -m benchmarks``."""
