#!/usr/bin/env python
"""Django's command line for Notifier."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifier.settings")
    # commands need a database session of their own: DATABASE_DIRECT_URL, if the database is behind a pooler
    os.environ.setdefault("NOTIFIER_DATABASE_DIRECT", "1")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
