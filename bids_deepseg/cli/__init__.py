"""Commands: words of the command line in, exit code out."""
