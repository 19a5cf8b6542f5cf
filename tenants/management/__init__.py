"""`manage.py create_tenant`, `import_recipients` and `verify_audit`."""
