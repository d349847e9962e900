"""The training of the network for grey matter."""
