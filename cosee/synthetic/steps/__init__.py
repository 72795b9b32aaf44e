"""Mini-GLUE of known depth, and the mini encoders that can follow it."""
