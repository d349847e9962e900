"""What is found inside of the cord."""
