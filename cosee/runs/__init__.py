"""One run from its description to its files, and finished runs read back."""
