"""Know BIDS: find the images of a data set, read them, name and write the results, describe the data set.

Importing a module of this package loads no BIDS library; pybids is imported when the first file name is parsed.
"""
