"""Webhook endpoints: `endpoints` is their list and form, `page` shows what was sent to one of them. The pages call
`notifier.webhooks`; `notifier.admin` registers them. Read `endpoints` first.
"""
