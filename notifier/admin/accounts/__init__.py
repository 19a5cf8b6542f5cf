"""Provider accounts: the form, the connection test, and receipts of accounts that no worker could read."""
