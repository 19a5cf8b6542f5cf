"""Template filters of the admin's pages; `preflight` uses `figures.duration` in its sentences."""
