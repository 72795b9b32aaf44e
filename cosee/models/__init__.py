"""Encoders computed layer by layer, the heads of their exits, and the outputs of a model for a split."""
