"""English, with the zone beside every time."""
