"""The A/B test of a campaign: its settings, its results with their plot, and the choice of a winner."""
