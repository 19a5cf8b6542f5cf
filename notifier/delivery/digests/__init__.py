"""Digests: several notifications become items of one message.

`accept` and `caps` gather items; `sweep` closes digests and hands each to `accept`. Calls the ledger and planning."""
