"""The receipts address, `/v1/receipts/<provider>/<account id>/<secret>`: providers' servers report there what became of
messages.

`notifier.asgi` sends most calls through `direct`, whose `group_commit` checks and stores many calls in one transaction;
`notifier.urls` includes `urls` for all other calls, which `view` checks and stores raw. Both call
`notifier.delivery.receipts.incoming`. A worker of the queue `receipts` reads the calls
(`notifier.delivery.receipts.reading`).
"""
