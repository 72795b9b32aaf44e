"""Encoders layer by layer, the heads on their exits, and the outputs of a model for a split."""
