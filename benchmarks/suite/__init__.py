"""Images with a known cord, made worse in known ways, and masks broken in known ways."""
