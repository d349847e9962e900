"""What is read: the data set, and files that users put beside it."""
