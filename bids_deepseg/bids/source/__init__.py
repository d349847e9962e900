"""What is read: the data set and what users put beside it."""
