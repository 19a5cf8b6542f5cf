"""Plan a range of the audience: who gets which message, at which address and in which wave, and who gets none and why.
`planner` is the middle; `topic_message` and `variants` are its special cases."""
