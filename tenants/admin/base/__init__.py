"""What every page about a model is built from: the base classes (`model_admin`), forms, filters, which rows a request
may see, deletion, and protection from malformed requests."""
