"""Templates, their list, versions and uses; layouts, senders and stored files. The editor on the page of a template is
`notifier.admin.composer`."""
