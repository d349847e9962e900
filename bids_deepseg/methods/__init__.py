"""Whole alternatives to stages of the default method."""
