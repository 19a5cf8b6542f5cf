"""Schedules: campaigns and notifications that go out once at a time, or again and again.

Called by the API and the admin (`edit`, `control`, `upcoming`) and by the sweep of campaigns (`sweep`). Calls
`campaigns.edit` (a slot launches a copy of its campaign), `arming`, `lifecycle`, and the engine's `accept`.

Reading order: `rules` (what repeats, and when), fields, edit, control; sweep, campaign_slots, notification_slots (what
a slot does), lead_time; upcoming (what the pages show); personal (erasure and export of a person).
"""
