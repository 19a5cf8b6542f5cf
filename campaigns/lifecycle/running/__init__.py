"""What changes a campaign after GO, by a person or by its outcomes: pause, resume, stop, retry, the canary, halts of
channels, the winner of an A/B test."""
