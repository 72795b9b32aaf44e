"""Generated data in the spirit of GLUE, and small encoders pre-trained on it."""
