"""Pages of templates, and the composer."""
