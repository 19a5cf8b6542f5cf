"""Decides which messages a recipient gets, and when: recipients with their preferences, the plan of one request, quiet
hours, consent changes.

Called by accept, by recheck (right before a message is sent) and by campaigns (arming, recheck); calls infra, the
channels and the models of notifier and tenants.
Read `plan` first, which is pure; `recipients` loads what a plan needs.
"""
