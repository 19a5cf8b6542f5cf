"""Templates in Liquid: fallback of locales, missing values, refused sources, and bombs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifier.delivery.content.liquid.text import MAX_TEXT, RESERVED, LiquidText, check_names
from notifier.delivery.content.partly_rendered import Locale
from notifier.delivery.content.templates import Compiled, fallbacks, prepare
from notifier.errors import InvalidInput, MissingVariables, TemplateFailed
from notifier.vocabulary.content import TenantRules
from tenants.models import Tenant

ACME = Tenant(default_locale="en", link_schemes=["acme"])
PUSH = Locale("push", "en")


def test_locales_fall_back_to_the_language_and_then_to_the_tenants_default() -> None:
    compiled = Compiled({"push": {"de": {"title": "Hallo", "body": "b"}, "en": {"title": "Hi", "body": "b"}}})
    assert [compiled.locale_for("push", locale, "en").name for locale in ("de-AT", "de", "fr-CA", "", "EN")] == [
        "de", "de", "en", "en", "en",
    ]  # fmt: skip


def test_fallbacks_of_a_long_tag() -> None:
    assert fallbacks("zh_Hant-TW") == ["zh-Hant-TW", "zh-Hant", "zh"]


@pytest.mark.parametrize(
    ("source", "variables", "expected"),
    [
        ("plain", {}, "plain"),
        ("Hi {{ recipient.name }}", {"recipient": {"name": "Ada"}}, "Hi Ada"),
        ("{{ code | default: 'none' }}", {}, "none"),
        ("{% if vip %}VIP{% else %}you{% endif %}", {"vip": False}, "you"),
        ("{{ x.__class__ }}{{ x.password | default: '' }}", {"x": {"__class__": "safe"}}, "safe"),
    ],
)
def test_rendering(source: str, variables: dict[str, Any], expected: str) -> None:
    assert LiquidText(source).render(variables) == expected


GIVEN: dict[str, Any] = {
    "void": None, "text": "150", "list": ["a", 1, None, {"b": True}], "object": {"a": 1.5, "ä": [False]}, "yes": True,
    "no": False, "half": 0.5, "zero": 0, "inner": {"void": None}, "empty_list": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        # undefined and null are false in a condition, at any depth
        ("{% if a %}x{% else %}y{% endif %}", "y"),
        ("{% if a.b.c %}x{% else %}y{% endif %}", "y"),
        ("{% if inner.void.deeper %}x{% else %}y{% endif %}", "y"),
        ("{% if void %}x{% else %}y{% endif %}", "y"),
        ("{% unless a.b %}x{% endunless %}", "x"),
        ("{% if no %}x{% elsif a %}y{% else %}z{% endif %}", "z"),
        ("{% if a or yes %}x{% endif %}", "x"),
        ("{% if a and yes %}x{% else %}y{% endif %}", "y"),
        ("{% if a contains 'x' %}x{% else %}y{% endif %}", "y"),
        ("{% if list contains a %}x{% else %}y{% endif %}", "y"),
        ("{% if a == nil %}x{% endif %}{% if a != 'b' %}y{% endif %}", "xy"),
        ("{% if a > 20 %}x{% elsif 20 >= void %}x{% else %}y{% endif %}", "y"),
        ("{% case a %}{% when 'x' %}x{% else %}y{% endcase %}", "y"),
        ("{% case 'x' %}{% when a %}x{% else %}y{% endcase %}", "y"),
        ("{% assign b = a.c %}{% if b %}x{% else %}y{% endif %}", "y"),
        ("{% if a %}{{ a }}{% else %}no a{% endif %}", "no a"),
        # `default` accepts both
        ("{{ a.b | default: 'x' }}{{ void | default: 'y' }}{{ inner.void | default: 'z' }}", "xyz"),
        ("{{ no | default: 'x' }}{{ no | default: 'x', allow_false: true }}{{ zero | default: 'x' }}", "xfalse0"),
        ("{% assign b = a | default: 'x' %}{{ b }}", "x"),
        # everything else is printed as JSON
        ("{{ list }} {{ object }}", '["a",1,null,{"b":true}] {"a":1.5,"ä":[false]}'),
        ("{{ yes }} {{ no }} {{ half }} {{ zero }}", "true false 0.5 0"),
        ("{{ 'a' | append: list }}", 'a["a",1,null,{"b":true}]'),
        ("{{ object | size }}{{ yes | append: no }}", "2truefalse"),
        ("{% echo object %}{% capture c %}{{ yes }}{% endcapture %}{{ c }}", '{"a":1.5,"ä":[false]}true'),
        ("{% cycle object, yes %}{% cycle object, yes %}", '{"a":1.5,"ä":[false]}true'),
        ("{% for i in object %}{{ i }}{% endfor %}", '["a",1.5]["ä",[false]]'),
        ("{% for i in empty_list %}{{ i }}{% else %}none{% endfor %}", "none"),
        ("{{ (1..3) }} {{ (1..3) | join: '-' }}", "1..3 1-2-3"),
    ],
)
def test_what_a_template_prints(source: str, expected: str) -> None:
    assert LiquidText(source).render(GIVEN) == expected


@pytest.mark.parametrize(
    ("source", "name", "why"),
    [
        ("{{ a }}", "a", "undefined"),
        ("{{ inner.b }}", "inner.b", "undefined"),
        ("{{ inner.void.b }}", "inner.void.b", "undefined"),
        ("{{ list[7] }}", "list[7]", "undefined"),
        ("{{ void }}", "void", "null"),
        ("{{ inner.void }}", "inner.void", "null"),
        ("{{ inner.void | upcase }}", "inner.void", "null"),
        ("{{ a | upcase }}", "a", "undefined"),
        ("{{ 'x' | append: a }}", "a", "undefined"),
        ("{{ a | upcase | default: 'x' }}", "a", "undefined"),
        ("{% assign b = inner.c %}{{ b }}", "inner.c", "undefined"),
        ("{% for i in a %}x{% endfor %}", "a", "undefined"),
        ("{% for i in inner.void %}x{% endfor %}", "inner.void", "null"),
        ("{% tablerow i in a %}x{% endtablerow %}", "a", "undefined"),
        ("{% for i in (1..a) %}x{% endfor %}", "a", "undefined"),
        ("{% cycle a, 'x' %}", "a", "undefined"),
        ("{{ object[a] }}", "a", "undefined"),
    ],
)
def test_a_missing_value_is_an_error_where_it_would_be_printed(source: str, name: str, why: str) -> None:
    with pytest.raises(MissingVariables, match=f"is {why}") as caught:
        LiquidText(source, "body").render(GIVEN)
    assert caught.value.field == f"data.{name}"


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ("{% if text > 20 %}x{% endif %}", "data.text"),
        ("{% if no %}x{% elsif text > 20 %}x{% endif %}", "data"),
        ("{{ 10 | divided_by: zero }}", "data.zero"),
        ("{% for i in list limit: text %}{% if i > 1 %}{% endif %}{% endfor %}", "data.i"),
        ("{% if zero contains 'x' %}x{% endif %}", "data.zero"),
    ],
)
def test_a_rendering_error_names_the_part_and_the_variable(source: str, field: str) -> None:
    with pytest.raises(TemplateFailed, match=r"^body cannot be rendered") as caught:
        LiquidText(source, "body").render({**GIVEN, "list": ["a"]})
    assert (caught.value.field, caught.value.code) == (field, "template_error")


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_variable_that_no_template_can_read_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="use another name") as caught:
        check_names({"fine": 1, name: 2})
    assert (caught.value.field, caught.value.code) == (f"data.{name}", "reserved_name")


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(MissingVariables) as caught:
        LiquidText("Hi {{ recipient.nme }}").render({"recipient": {"name": "Ada"}})
    assert caught.value.field == "data.recipient.nme"


@pytest.mark.parametrize(
    "source",
    ["{{ a", "{% if %}", "{% nope %}", "{{ a | nope }}", "{% include 'x' %}", "{{ partial }}", "{{ nil }}",
     "{% if a %}{{ blank }}{% endif %}", "{{ forloop.index }}", "{% assign partial = 1 %}"],
)  # fmt: skip
def test_broken_sources_are_refused_at_publishing(source: str) -> None:
    with pytest.raises(InvalidInput):
        LiquidText(source)


@pytest.mark.parametrize(
    "bomb",
    [
        "{% for i in (1..100000) %}{% for j in (1..100000) %}x{% endfor %}{% endfor %}",
        "{% assign a = x %}{% for i in (1..30) %}{% assign a = a | append: a %}{% endfor %}{{ a }}",
        "{{ x | replace: 'a', x | replace: 'a', x }}",
        "{% for i in (1..9999) %}{{ x }}{% endfor %}",
        "{% assign p = x | split: '' %}{{ p | join: x }}",
        "{{ 'a' | times: 9 | divided_by: 0 }}",
    ],
)
def test_bombs_end_in_an_error_and_use_little_memory(bomb: str) -> None:
    with pytest.raises(InvalidInput):
        LiquidText(bomb).render({"x": "a" * 60_000})


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ([], "content"),
        ({}, "content"),
        ({"pigeon": {"en": {}}}, "channels"),
        ({"push": {}}, "content.push"),
        ({"push": {"de": {"title": "a", "body": "b"}}}, "content.push"),
        ({"push": {"en": []}}, "content.push.en"),
        ({"push": {"en": {"image": ""}}}, "content.push.en.title"),
        ({"push": {"en": {"title": "a", "body": "b", "ticker": "c"}}}, "content.push.en.ticker"),
        ({"push": {"en": {"title": 7, "body": "b"}}}, "content.push.en.title"),
        ({"push": {"en": {"title": "{{ a", "body": "b"}}}, "content.push.en.title"),
        ({"push": {"en": {"title": "a", "body": "b", "data": {"k": 1}}}}, "content.push.en.data.k"),
        ({"push": {"en": {"title": "a", "body": "b", "data": "x"}}}, "content.push.en.data"),
    ],
)
def test_a_refused_content_names_its_field(content: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        prepare(content, ACME)
    assert caught.value.field == field


def test_the_variables_of_a_version_are_listed() -> None:
    content = {"push": {"en": {"title": "{{ recipient.name }}", "body": "{{ order }}", "data": {"k": "{{ order }}"}}}}
    assert prepare(content, ACME).compiled.variables == ["order", "recipient.name"]


# ---- the short way: texts and plain variables, joined ------------------------------------------------------------

_NAMES = st.sampled_from(
    ["a", "b", "recipient", "partial", "empty", "nil", "true", "blank", "size", "first", "forloop"]
)
_PLAIN = st.lists(_NAMES, min_size=1, max_size=3).map(".".join)
_INSIDE = st.one_of(
    _PLAIN,
    _PLAIN.map(lambda path: f"- {path} -"),
    _PLAIN.map(lambda path: f"{path} | upcase"),
    st.sampled_from(['"a"', "1", "a[b]", 'a["b"]', "[a]", "a[0]", "a == b", "", "a b", "a.b | default: 'x'"]),
)
_SOURCES = st.lists(
    st.one_of(
        st.text(max_size=5),
        st.sampled_from([" ", "\n", "\r\n", "{", "}}", "{% assign a = b %}", "{# x #}", "{% raw %}{{ a }}"]),
        _INSIDE.map(lambda inside: f"{{{{ {inside} }}}}"),
    ),
    max_size=6,
).map("".join)
_VALUES = st.recursive(
    st.one_of(
        st.text(max_size=5),
        st.sampled_from(["\r", "\0", "\ud800", "<&>", "x" * MAX_TEXT, "ä" * MAX_TEXT]),
        st.integers(),
        st.sampled_from([2**63, True, None, 1.5]),
    ),
    lambda values: st.one_of(st.lists(values, max_size=2), st.dictionaries(_NAMES, values, max_size=3)),
    max_leaves=6,
)


def outcome(render: Any) -> tuple[Any, ...]:
    try:
        return (render(),)
    except InvalidInput as error:
        return type(error), error.message, error.field


@given(_SOURCES, st.dictionaries(_NAMES, _VALUES, max_size=4))
@example("Hi {{ a.b }}{{ a.b }}", {"a": {"b": "ä" * MAX_TEXT}})
@example("{{ a }}", {"a": "\ud800"})
@example("{{ a }}\r\n", {"a": "x\r"})
@example("{{ partial }}", {"partial": "x"})
@example("{{ a.size }}{{ a.first }}", {"a": {"size": "s", "first": 1}})
@example("x {{- a -}} y", {"a": "z"})
def test_joining_renders_what_liquid_renders(source: str, variables: dict[str, Any]) -> None:
    try:
        text = LiquidText(source)
    except InvalidInput:
        return
    if not text.constant:
        assert outcome(lambda: text.render(variables)) == outcome(lambda: text.render_by_liquid(variables))


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(InvalidInput):
        LiquidText("{{ a }}").render({"a": 10**5000})


@pytest.mark.parametrize(
    ("source", "joined"),
    [
        ("Hi {{ recipient.name }}, {{what}} is {{- here }}", True),
        ("{{ recipient.attributes.plan }}", True),
        ("{{ recipient.name | upcase }}", False),
        ("{% if a %}{{ a }}{% endif %}", False),
        ("{{ 'a' }}", False),
        ("{{ a[0] }}", False),
        ("{{ a[b] }}", False),
    ],
)
def test_texts_and_plain_variables_are_joined(source: str, joined: bool) -> None:
    assert LiquidText(source).plain == joined


@pytest.mark.parametrize(
    ("source", "personal"),
    [
        ("plain", False),
        ("{{ what }}", False),
        ("{{ what | upcase }}{% if vip %}x{% endif %}", False),
        ("{{ recipient.name }}", True),
        ("{{ what | append: recipient.name }}", True),
        ("{% if recipient.attributes.vip %}x{% endif %}", True),
        ("{% for x in recipient.attributes.tags %}{{ x }}{% endfor %}", True),
        ("{{ what[recipient.name] }}", True),
        ("{{ [what].name }}", True),
        ("{{ ['recipient'].name }}", True),
        ("{% assign recipient = what %}{{ recipient }}", False),
    ],
)
def test_a_text_knows_whether_it_depends_on_the_recipient(source: str, personal: bool) -> None:
    assert LiquidText(source).reads("recipient") == personal


def test_common_parts_are_rendered_once() -> None:
    parts = {"title": "Hi {{ recipient.name }}", "body": "{{ what | upcase }}", "data": {"k": "{{ what }}", "c": "x"}}
    form = Compiled({"push": {"en": parts}}).render_partly(PUSH, {"what": "tea", "recipient": "none"}, TenantRules())
    assert form.parts == {"title": None, "body": "TEA", "data.k": "tea", "data.c": "x"}
    assert form.render({"recipient": {"name": "Ada"}}) == ("Hi Ada",)


def test_personal_parts_fail_in_the_order_of_the_template() -> None:
    parts = {"title": "{{ recipient.attributes.plan }}", "body": "{{ 1 | divided_by: 0 }}", "link": "{{ recipient.x }}"}
    form = Compiled({"push": {"en": parts}}).render_partly(PUSH, {}, TenantRules())
    with pytest.raises(MissingVariables):
        form.render({"recipient": {"attributes": {}}})
    with pytest.raises(InvalidInput, match=r"^body cannot be rendered"):
        form.render({"recipient": {"attributes": {"plan": "pro"}}})
