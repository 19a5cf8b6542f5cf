"""Sends the events of the spool to the endpoints of tenants, after the Standard Webhooks specification.

`notifier.tasks` calls `sender.run` every second on the queue `webhooks`, and `forgetting.forget` every hour; the API
and the admin call `endpoints` and `replay`. Read in this order:

endpoints   create, change, rotate, enable, delete: what the API and the admin share
packing     rows of the spool -> messages of each endpoint, at most 100 events each
claims      lease and fence: the oldest due message of each endpoint whose turn it is
bodies      the events of a message, as JSON
signing     the three headers
schedule    when the next attempt is, and when Notifier gives up; pure
settling    writes what became of an attempt
disabling   an endpoint that fails for days: audit log, and a mail to the owners
sender      the loop that joins these
replay      the same messages again, or new ones for what an endpoint never got
forgetting  deletes what is older than 30 days
"""
