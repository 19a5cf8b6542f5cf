"""Rows of campaigns in the ledger: written while arming, copied from shards afterwards, counted for reports. Only the
app `campaigns` calls it."""
