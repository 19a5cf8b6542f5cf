"""Tests of notifier.rates."""
