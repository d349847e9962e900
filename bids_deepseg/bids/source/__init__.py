"""What is read: the data set and what people put beside it."""
