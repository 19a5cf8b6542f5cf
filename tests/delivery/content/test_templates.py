"""Templates in Liquid: fallback of locales, what is missing, what is refused, and bombs."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifier.channels import channel
from notifier.channels.base import Envelope
from notifier.channels.push import PushMessage
from notifier.delivery.content import liquid
from notifier.delivery.content.liquid import LiquidText
from notifier.delivery.content.templates import Compiled, Locale, check, fallbacks
from notifier.errors import InvalidInput, MissingVariables, TemplateFailed
from notifier.providers.fcm import Fcm, FcmConfig
from notifier.sandbox.services.fcm import weight
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address
from tenants.models import Tenant

ACME = Tenant(default_locale="en", link_schemes=["acme"])
PUSH = Locale("push", "en")


def test_locales_fall_back_to_the_language_and_then_to_the_tenants_default() -> None:
    compiled = Compiled({"push": {"de": {"title": "Hallo", "body": "b"}, "en": {"title": "Hi", "body": "b"}}})
    assert [compiled.locale_for("push", wanted, "en").name for wanted in ("de-AT", "de", "fr-CA", "", "EN")] == [
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
        # `default` takes both
        ("{{ a.b | default: 'x' }}{{ void | default: 'y' }}{{ inner.void | default: 'z' }}", "xyz"),
        ("{{ no | default: 'x' }}{{ no | default: 'x', allow_false: true }}{{ zero | default: 'x' }}", "xfalse0"),
        ("{% assign b = a | default: 'x' %}{{ b }}", "x"),
        # everything else is shown as JSON
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
def test_what_is_shown(source: str, expected: str) -> None:
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
def test_what_has_no_value_is_an_error_wherever_it_would_be_shown(source: str, name: str, why: str) -> None:
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
def test_what_cannot_be_rendered_names_the_part_and_the_variable(source: str, field: str) -> None:
    with pytest.raises(TemplateFailed, match=r"^body cannot be rendered") as caught:
        LiquidText(source, "body").render({**GIVEN, "list": ["a"]})
    assert (caught.value.field, caught.value.code) == (field, "template_error")


@pytest.mark.parametrize("name", sorted(liquid.RESERVED))
def test_a_variable_that_no_template_could_read_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="use another name") as caught:
        liquid.check_names({"fine": 1, name: 2})
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
def test_broken_sources_are_refused_when_published(source: str) -> None:
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
def test_bombs_end_in_an_error_and_not_in_memory(bomb: str) -> None:
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
        ({"push": {"en": {"title": "a"}}}, "content.push.en.body"),
        ({"push": {"en": {"title": "a", "body": "b", "sound": "c"}}}, "content.push.en.sound"),
        ({"push": {"en": {"title": 7, "body": "b"}}}, "content.push.en.title"),
        ({"push": {"en": {"title": "{{ a", "body": "b"}}}, "content.push.en.title"),
        ({"push": {"en": {"title": "a", "body": "b", "data": {"k": 1}}}}, "content.push.en.data.k"),
        ({"push": {"en": {"title": "a", "body": "b", "data": "x"}}}, "content.push.en.data"),
    ],
)
def test_what_cannot_be_published_names_its_place(content: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(content, ACME)
    assert caught.value.field == field


def test_the_variables_of_a_version_are_listed() -> None:
    content = {"push": {"en": {"title": "{{ recipient.name }}", "body": "{{ order }}", "data": {"k": "{{ order }}"}}}}
    assert check(content, ACME).variables == ["order", "recipient.name"]


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
        st.sampled_from(["\r", "\0", "\ud800", "<&>", "x" * liquid.MAX_TEXT, "ä" * liquid.MAX_TEXT]),
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
@example("Hi {{ a.b }}{{ a.b }}", {"a": {"b": "ä" * liquid.MAX_TEXT}})
@example("{{ a }}", {"a": "\ud800"})
@example("{{ a }}\r\n", {"a": "x\r"})
@example("{{ partial }}", {"partial": "x"})
@example("{{ a.size }}{{ a.first }}", {"a": {"size": "s", "first": 1}})
@example("x {{- a -}} y", {"a": "z"})
def test_joining_is_what_liquid_does(source: str, variables: dict[str, Any]) -> None:
    try:
        text = LiquidText(source)
    except InvalidInput:
        return
    if not text.constant:
        assert outcome(lambda: text.render(variables)) == outcome(lambda: text._by_liquid(variables))


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
    assert (LiquidText(source)._pieces is not None) == joined


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
def test_what_depends_on_the_recipient_is_known(source: str, personal: bool) -> None:
    assert LiquidText(source).reads("recipient") == personal


def test_a_form_has_rendered_what_everybody_shares() -> None:
    parts = {"title": "Hi {{ recipient.name }}", "body": "{{ what | upcase }}", "data": {"k": "{{ what }}", "c": "x"}}
    form = Compiled({"push": {"en": parts}}).form(PUSH, {"what": "tea", "recipient": "nobody"}, ())
    assert form.parts == {"title": None, "body": "TEA", "data.k": "tea", "data.c": "x"}
    assert form.render({"recipient": {"name": "Ada"}}) == ("Hi Ada",)


def test_a_form_fails_for_each_reader_as_its_parts_would_one_by_one() -> None:
    parts = {"title": "{{ recipient.attributes.plan }}", "body": "{{ 1 | divided_by: 0 }}", "link": "{{ recipient.x }}"}
    form = Compiled({"push": {"en": parts}}).form(PUSH, {}, ())
    with pytest.raises(MissingVariables):
        form.render({"recipient": {"attributes": {}}})
    with pytest.raises(InvalidInput, match=r"^body cannot be rendered"):
        form.render({"recipient": {"attributes": {"plan": "pro"}}})


# ---- what a far end would refuse ---------------------------------------------------------------------------------

CONSTANT = [
    ("push", {"link": "javascript:alert(1)"}, "link"),
    ("push", {"link": "otherapp://x"}, "link"),
    ("push", {"image": "/a.png"}, "image"),
    ("push", {"data": {"from": "x"}}, "data.from"),
    ("push", {"data": {"google.c": "{{ x }}"}}, "data.google.c"),
    ("push", {"data": {"message_type": "x"}}, "data.message_type"),
    ("push", {"data": {"delivery_id": "x"}}, "data.delivery_id"),
    ("push", {"body": "x" * 4100}, "body"),
    ("push", {"data": {"k": "\U0001f389" * 1100}}, "data"),
    ("in_app", {"title": "x" * 501}, "title"),
    ("in_app", {"link": "data:text/html,x"}, "link"),
    ("in_app", {"link": "/" + "x" * 2000}, "link"),
]


@pytest.mark.parametrize(("name", "parts", "part"), CONSTANT)
def test_what_nobody_could_get_is_refused_when_it_is_published(name: str, parts: dict[str, Any], part: str) -> None:
    content = {name: {"en": {"title": "a", "body": "{{ b }}", **parts}}}
    with pytest.raises(InvalidInput) as caught:
        check(content, ACME)
    assert caught.value.field == f"content.{name}.en.{part}"


@pytest.mark.parametrize(
    "link", ["/orders/{{ id }}", "acme://orders/17", "https://x.test/{{ recipient.name }}", "{{ url }}"]
)
def test_paths_and_the_tenants_app_schemes_are_published(link: str) -> None:
    for name in ("push", "in_app"):
        check({name: {"en": {"title": "a", "body": "b", "link": link}}}, ACME)


@pytest.mark.parametrize(
    ("name", "part", "good", "bad"),
    [
        ("push", "link", "https://x.test/1", "javascript:alert(1)"),
        ("push", "body", "x" * 3000, "x" * 4200),
        ("push", "body", "x" * 1500, "\U0001f389" * 1100),
        ("push", "data", "x" * 3000, "x" * 4200),
        ("in_app", "title", "x" * 500, "x" * 501),
        ("in_app", "link", "/x", "//x.test"),
    ],
)
def test_what_one_person_could_not_get_is_refused_when_it_is_rendered(
    name: str, part: str, good: str, bad: str
) -> None:
    text = "{{ recipient.attributes.it }}"
    parts = {"title": "a", "body": "b", part: {"k": text} if part == "data" else text}
    compiled, content = Compiled({name: {"en": parts}}), Locale(name, "en")
    form = compiled.form(content, {}, ())

    def rendered(it: str) -> tuple[str, ...]:
        variables = {"recipient": {"attributes": {"it": it}}}
        compiled.render(content, variables, ())
        return form.render(variables)

    assert rendered(good) == (good,)
    for render in (lambda v: compiled.render(content, v, ()), form.render):
        with pytest.raises(InvalidInput) as caught:
            render({"recipient": {"attributes": {"it": bad}}})
        assert caught.value.field == f"content.{name}.en.{part}"


@given(st.text(max_size=1500), st.text(max_size=1500), st.dictionaries(st.text(min_size=1, max_size=9), st.text()))
def test_fcm_counts_bytes_as_its_far_end_does(title: str, link: str, data: dict[str, str]) -> None:
    parts = {"title": title, "body": "b", "link": link, "data": {f"k{key}": text for key, text in data.items()}}
    envelope = Envelope(new_id(), new_id(), new_id(), Address("a:b", "fcm"), "c")
    provider = Fcm(FcmConfig.sandbox("https://127.0.0.1:1"), "https://127.0.0.1:1")
    message = channel("push").message(envelope, parts)
    assert isinstance(message, PushMessage)
    body = orjson.loads(provider.request(message, "").body)
    assert Fcm.size(parts) == weight(body["message"])
