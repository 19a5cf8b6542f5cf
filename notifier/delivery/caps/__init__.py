"""Frequency caps: how many messages of a kind a recipient gets in an hour, a day or a week.

A message takes a place in the window of each cap that holds it, when it is about to leave. `accept` calls `limiting`
for messages that leave at once; the last looks before sending (`recheck`, campaigns.sending.recheck) call `last_look`
and `places`; campaigns.arming takes the places of a campaign ahead. Calls planning (which caps, which windows: pure)
and its own tables only. Read `loading`, `sharing` (pure), `places`, `limiting`, `last_look`; `policy` is what becomes
of a message over its cap, `settings` what the API and the admin check, `trace` the lines of an explanation.
"""
