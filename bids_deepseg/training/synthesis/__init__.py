"""Paint slices and volumes of a spine and acquire them: no network, no file but the label maps given."""
