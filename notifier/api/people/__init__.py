"""The REST API of people: recipients, their devices and preferences, and the categories they choose from."""
