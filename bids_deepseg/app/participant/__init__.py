"""The participant level: find, plan, segment, write and report."""
