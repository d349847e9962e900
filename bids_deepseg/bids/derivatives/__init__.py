"""What is written: results, their sidecars, and the data set that they make."""
