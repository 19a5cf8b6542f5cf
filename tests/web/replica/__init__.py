"""The read replica in the web process, without one: what is decided, and for whom. `tests/clusters` has a real one."""
