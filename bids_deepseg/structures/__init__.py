"""What is found inside the cord."""
