"""Digests: several notifications become items of one message.

`accept` and `caps` gather items (`gathering`, by the `terms` of a request or a category); `sweep` closes due digests
and hands each to `accept` (`closing`, with the `items` that are left). Administration (`settings`) is called by the API
and the admin. Calls the ledger and planning; the statements on digests and their items are in `rows`."""
