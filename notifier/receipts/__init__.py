"""The receipts address, `/v1/receipts/<provider>/<account id>/<secret>`: providers' servers report there what became of
messages.

`notifier.urls` includes `urls`; `view` checks the call and stores it raw (`notifier.delivery.receipts.incoming`). A
worker of the queue `receipts` reads it (`notifier.delivery.receipts.reading`).
"""
