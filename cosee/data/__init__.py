"""Examples of GLUE or of generated data, their token ids, and batches of them."""
