"""The template composer: the editor of a template's content and its live preview. `notifier.admin.content` builds its
pages from these modules; they call the engine's content package and the rules of recipients.

Reading order: `parts.py` has the fields of each channel; `posted.py` reads a posted editor, and `changes.py` changes
what it shows; `editor.py` is what the template of the page shows; `previews.py` renders content that is not stored;
`live.py` answers the scripts of the page.
"""
