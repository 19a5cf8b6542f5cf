"""Large tables: what the lists and pages of the admin read, by their plans."""
