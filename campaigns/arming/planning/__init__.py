"""Plan a range of the audience: who gets which message, at which address and in which wave, and who gets none and why.

`arming.workers` plans and `arming.storing` stores what is planned; `request` asks for the checks that come before.
`planner` is the middle. It takes places in windows of caps (`caps`), splits the people into `waves`, sends a correction
to those who got the first message (`corrections`), and collects what cannot be rendered (`render_problems`). Two
special cases build on it: `topic_message`, and `variants` with the `assignment` of people to the parts of an A/B test.
`edit`, `preflight`, `report` and `campaigns.variants` ask the same functions. Read `waves`, `planner`, `topic_message`,
`assignment`, `variants`, then the rest.
"""
