"""Hold the stages of the method, one result per module."""
