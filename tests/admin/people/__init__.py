"""Pages about people: changes, timeline, imports, erasure, and the audit of reading."""
