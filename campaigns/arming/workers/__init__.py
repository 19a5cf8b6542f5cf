"""Arming in the workers of the queue `batch`: which campaign is next, and one audience range after the other."""
