"""When a schedule has its slots: rules and cron lines are read (`rrule`, `cron`, `rule`), and slots are computed on the
clocks of a zone (`slots`, `timing`, `month`). Pure; the rest of `campaigns.schedules` calls it."""
