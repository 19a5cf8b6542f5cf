"""Languages, time zones, and values as people type them."""
