"""What runs while something breaks: `people` of two tenants, `campaigns` on all channels, a `trickle` of single
notifications over HTTP."""
