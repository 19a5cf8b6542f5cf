"""Digests: several notifications become items of one message.

`accept` and `caps` gather items (`gathering`, by the `terms` of a request or a category); `sweep` closes due digests
and hands each to `accept` (`closing`, with the `items` that are left). The API and the admin call `settings`;
explanations call `trace`. This package calls the ledger and planning; the statements on digests and their items are in
`rows`, those on the ledger in `ended_rows`. `templates` is what a digest template must be, `versions` what a digest is
accepted with.
"""
