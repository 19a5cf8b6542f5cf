"""The stack under test: `site` starts its processes, `proxy` stands between workers and the sandbox, `pids` freezes and
counts processes, `clock` is a folder for PYTHONPATH that shifts a process's clock."""
