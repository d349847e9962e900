"""Old network files, read without running anything that they hold."""
