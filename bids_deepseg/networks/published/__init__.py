"""Networks of others: which there are, where they are found, and how they run."""
