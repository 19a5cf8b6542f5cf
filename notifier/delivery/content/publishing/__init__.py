"""What publishing makes of a template's source, once, so that no message pays for it. `content.templates` calls it.

Reading order: `publication.py` goes through the parts; `layouts.py` puts a page into the tenant's layout; `page.py`
compiles MJML and inlines CSS; `plain_text.py` derives the text; `senders.py` checks the part `from`. `liquid_tokens.py`
carries Liquid through libraries that know HTML only, and `html_scan.py` says where a tag stands.
"""
