"""What is written: results, their sidecars, and the files that make them a data set."""
