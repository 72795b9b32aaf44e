"""A method, an exit rule and a task for cosee; pyproject.toml declares them."""
