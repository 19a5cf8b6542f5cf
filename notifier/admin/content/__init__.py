"""Pages about templates and what belongs to them. `notifier.admin` registers them.

`templates` is the form, with the list (`template_list`) and the versions (`versions`, with `differences`, which is
pure); its editor is `notifier.admin.composer`. `uses` says where a template is used: packages above register in
`AppConfig.ready`. `layouts`, `senders` and `stored_files` are pages of their own. All call `notifier.delivery.content`.
Read `templates`, `template_list`, `versions`, `uses`; the others can be read by themselves.
"""
