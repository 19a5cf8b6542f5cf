"""Notifications, deliveries and dead letters: lists, why a person did not get a message, and the person's timeline."""
