"""Mini-GLUE whose examples need a known number of steps, with the encoders that come with it; no preset uses it yet."""
