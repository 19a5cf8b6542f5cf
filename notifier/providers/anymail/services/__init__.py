"""One file for each email service over HTTP: its settings, its limits with their source, and its own words.

The registry of `notifier.providers.base` reads the files on first use. A file that is added here is a provider.
"""
