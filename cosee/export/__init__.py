"""Finished runs as Hugging Face model folders, and files for the GLUE server."""
