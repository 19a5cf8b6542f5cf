"""An HTML part as it is sent: MJML is compiled, and style sheets become style attributes, which mail clients keep.

Neither library reads a file or an address: style sheets by link stay links, and `mj-include` is refused.
"""

from __future__ import annotations

import re

from notifier.delivery.content.liquid.render_budget import MAX_TEXT
from notifier.delivery.content.publishing.html_scan import Context, check_depth, stretches, unclosed_element
from notifier.delivery.content.publishing.liquid_tokens import Tokens, protect
from notifier.errors import InvalidInput

_MJML = re.compile(r"\s*(?:<!--.*?-->\s*)*<mjml[\s>]", re.DOTALL)
#: rules of a style sheet times elements: css-inline compares each with each, 30 million pairs a second
MAX_PAIRS = 3_000_000
_STYLE = re.compile(r"<(?:mj-)?style[\s>]", re.IGNORECASE)


def is_mjml(source: str) -> bool:
    return _MJML.match(source) is not None


def finished_page(source: str) -> str:
    """The HTML that is sent for the source of an HTML part. Raises InvalidInput, without a field."""
    if not is_mjml(source):
        return _inline(source) if _STYLE.search(source) else source
    page = _compile(source)
    return _inline(page) if _STYLE.search(source) else page


def _compile(source: str) -> str:
    check_depth(source)
    # MJML keeps comments in most places; where it does not, it keeps words
    page, tokens, problem = _compile_once(source, bare_outputs=False)
    if problem:
        page, tokens, problem = _compile_once(source, bare_outputs=True)
    if problem:
        raise problem
    return _checked_size(tokens.restore(page))


def _compile_once(source: str, *, bare_outputs: bool) -> tuple[str, Tokens, InvalidInput | None]:
    """The page, the tokens in it, and what is wrong."""
    import mjml

    protected, tokens = protect(source, bare_outputs=bare_outputs)
    try:
        page = str(mjml.mjml2html(protected))
    except ValueError as error:
        return "", tokens, _mjml_problem(str(error), source, protected, tokens)
    if lost := tokens.missing(page):
        return "", tokens, InvalidInput(
            f"MJML drops {lost[0][:80]}, because an element or attribute around it does not exist. Check the names"
            " around it, or put the tag into <mj-raw>.",
            at=source.find(lost[0]),
        )  # fmt: skip
    return page, tokens, None


def _mjml_problem(error: str, source: str, protected: str, tokens: Tokens) -> InvalidInput:
    if "included template" in error:
        return InvalidInput(
            "<mj-include> is not possible: put the included text itself here, or into a layout.",
            at=max(0, source.find("<mj-include")),
        )
    place = re.search(r"at position (\d+)", error)
    near = tokens.restore(protected[int(place[1]) :][:60]).split("\n")[0] if place else ""
    detail = error.replace(" in root template", "")[:120]
    return InvalidInput(
        f"The MJML cannot be read: {detail}"
        + (f", near {near!r}" if near else "")
        + ". MJML is XML: close each element.",
        at=len(tokens.restore(protected[: int(place[1])])) if place else unclosed_element(source),
    )


def _inline(page: str) -> str:
    check_depth(page)
    rules = sum(page.count("{", start, end) for start, end, kind in stretches(page) if kind is Context.STYLE)
    if rules * page.count("<") > MAX_PAIRS:
        raise InvalidInput(
            f"The style sheets have {rules} rules, too many for a page of this size. Leave out unused ones."
        )
    import css_inline

    protected, tokens = protect(page)
    # what stays in the page: rules that no attribute can hold, such as @media and :hover
    inliner = css_inline.CSSInliner(
        load_remote_stylesheets=False, keep_style_tags=True, keep_link_tags=True, remove_inlined_selectors=True
    )
    try:
        inlined = inliner.inline(protected)
    except (ValueError, css_inline.InlineError) as error:
        raise InvalidInput(f"The style sheet cannot be read: {str(error)[:200]}.") from None
    if lost := tokens.missing(inlined):
        raise InvalidInput(
            f"{lost[0][:80]} is lost where it stands. Put it into a text or into an attribute's value.",
            at=page.find(lost[0]),
        )
    if "<tbody" not in protected:
        # the parser adds the element, and a loop over rows would open it in each round
        inlined = inlined.replace("<tbody>", "").replace("</tbody>", "")
    return _checked_size(_kept_frame(protected, tokens.restore(inlined)))


def _kept_frame(source: str, page: str) -> str:
    """Without the frame of `<html>`, if the source has none."""
    if "<html" in source.lower() or "<body" in source.lower():
        return page
    return page.replace("<html><head>", "", 1).replace("</head><body>", "", 1).removesuffix("</body></html>")


def _checked_size(page: str) -> str:
    if len(page) > MAX_TEXT:
        raise InvalidInput(
            f"The finished page has {len(page):,} characters; {MAX_TEXT:,} are possible. Shorten it: mail programs cut"
            " long pages."
        )
    return page
