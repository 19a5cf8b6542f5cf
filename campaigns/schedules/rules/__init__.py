"""When a schedule has its slots: rules and cron lines are read (`rrule`, `cron`, `rule`), and slots are computed on the
clocks of a zone (`slots`, `month`). Pure but `timing`, which reads a schedule's row and its recipient's zone. The rest
of `campaigns.schedules`, the API and the admin call it."""
