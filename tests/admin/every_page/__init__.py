"""Tests that open every registered page of the admin, or every address, as each role."""
