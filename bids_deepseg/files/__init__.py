"""Open, read and write files safely; knows nothing of BIDS.

Whatever lies under a name that a user gave or that a data set holds may be a pipe, a device, endless, or text in
another encoding. The rest of the package opens such files through this room only.
"""
