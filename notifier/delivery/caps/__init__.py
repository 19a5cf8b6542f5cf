"""Frequency caps: how many messages of a kind a recipient gets in an hour, a day or a week.

`accept` and the last looks before sending (`recheck`, campaigns.sending.recheck) count; arming counts for campaigns."""
