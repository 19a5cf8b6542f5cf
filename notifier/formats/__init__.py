"""How the admin writes times; see FORMAT_MODULE_PATH in the settings."""
