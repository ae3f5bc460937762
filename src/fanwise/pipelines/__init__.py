"""Ready pipelines, each on the public API alone."""
