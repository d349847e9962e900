"""The group level: one table and one page of all results."""
