"""Jinja templates: those of published models pass, and whatever else they could do is found."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples.scanned import assert_clean, grave_rules_of, scanned
from samples.templates import CHATML, EXHAUSTING, HONEST, REACHING, UNLISTED

from tidegate.scanners.interface import Severity


def as_file(text: str):
    return scanned(text.encode(), "chat_template.jinja")


def as_config(text: str, key: str = "chat_template"):
    return scanned(json.dumps({"model_max_length": 5, key: text}).encode(), "tokenizer_config.json")


def criticals(report) -> set[str]:
    return {f.rule for f in report.findings if f.severity is Severity.CRITICAL}


@pytest.mark.parametrize("name", HONEST)
def test_templates_of_published_models_have_no_finding(name):
    assert_clean(as_file(HONEST[name]))
    assert_clean(as_config(HONEST[name]))
    assert_clean(scanned(HONEST[name].encode(), "additional_chat_templates/tool_use.jinja2"))


def test_honest_templates_are_what_jinja_renders():
    jinja2 = pytest.importorskip("jinja2.sandbox")
    environment = jinja2.ImmutableSandboxedEnvironment()
    rendered = environment.from_string(CHATML).render(
        messages=[{"role": "user", "content": "hello"}], add_generation_prompt=True
    )
    assert rendered == "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize("name", REACHING)
def test_a_template_that_reaches_for_internals_is_critical(name):
    assert "TEMPLATE-CODE" in criticals(as_file(REACHING[name]))
    assert "TEMPLATE-CODE" in criticals(as_config(REACHING[name]))
    named = [{"name": "default", "template": CHATML}, {"name": "x", "template": REACHING[name]}]
    assert "TEMPLATE-CODE" in criticals(as_config(named))


@pytest.mark.parametrize("name", UNLISTED)
def test_a_template_with_something_unlisted_is_held(name):
    assert "TEMPLATE-UNLISTED" in grave_rules_of(as_file(UNLISTED[name]))
    assert "TEMPLATE-UNLISTED" in grave_rules_of(as_config(UNLISTED[name]))


@pytest.mark.parametrize("name", EXHAUSTING)
def test_a_template_that_uses_up_time_or_memory_is_held(name):
    assert "TEMPLATE-EXHAUST" in grave_rules_of(as_file(EXHAUSTING[name]))


@pytest.mark.parametrize("text", ["{% if %}", "{{ a", "{% for x in %}{% endfor %}", "{{ 'a }}"])
def test_a_chat_template_that_can_not_be_parsed_is_held(text):
    assert grave_rules_of(as_file(text)) == {"TEMPLATE-MALFORMED"}


@pytest.mark.parametrize("key", ["prompt", "description", "system", "x"])
@pytest.mark.parametrize(
    "name", ["class chain", "items", "attr filter", "lipsum", "for", "joined by tilde", "escapes"]
)
def test_a_hostile_template_under_any_key_is_found(key, name):
    assert "TEMPLATE-CODE" in criticals(as_config(REACHING[name], key))


@pytest.mark.parametrize("name", ["notes.txt", "README.md", "config.toml", "data.csv", "x"])
@pytest.mark.parametrize("hostile", ["class chain", "items", "lipsum", "for", "escapes", "set"])
def test_a_hostile_template_in_any_text_is_found(name, hostile):
    text = 'some words\nprompt = "' + REACHING[hostile] + '"\n'
    assert "TEMPLATE-CODE" in criticals(scanned(text.encode(), name))


@pytest.mark.parametrize(
    "text",
    [
        "{{ user.name }} and {{ config.items() }} and {% include 'x' %}",
        "In Go, {{ .Values.name | quote }}; in LaTeX, {\\bf {{x}} }; {{#each}}{{/each}}",
        "def __init__(self): return {{'a': 1}}",
        "f'{{{x.__class__}}}' is an f-string",
        "{{ '__name__' }}",
    ],
)
def test_marks_in_other_texts_are_no_finding_by_themselves(text):
    assert_clean(scanned(text.encode(), "notes.md"))
    assert_clean(as_config(text, "description"))


def test_a_template_with_very_many_terms_is_never_clean():
    text = "{{ " + "+".join(["a"] * 20_000) + " }}"
    report = as_file(text)
    assert report.unread_parts or not grave_rules_of(report)
    deep = as_file("{{ " + "(" * 5000 + "a" + ")" * 5000 + " }}")
    assert grave_rules_of(deep) or deep.unread_parts


@given(st.text(alphabet="{}%#-_ '\"ab.|~+[]()=\n", max_size=80))
def test_any_template_is_read_without_an_error(text):
    as_file("{{" + text)
    scanned(text.encode(), "a.md")


def test_a_statement_that_is_one_word_is_judged_by_what_it_names():
    text = "{% x'__class__' %}{{ [ }}"
    assert "TEMPLATE-CODE" in {found.rule for found in scanned(text.encode(), "a.txt").findings}


@pytest.mark.parametrize(
    "text",
    [
        "{{ namespace[messages[0].content] }}",
        "{% set f = dict %}{{ f[messages[0].role] }}",
        "{{ (strftime_now)[tools[0]] }}",
        "{% for f in [range] %}{{ f[messages[0].content] }}{% endfor %}",
    ],
)
def test_a_function_that_is_not_called_is_held(text):
    assert "TEMPLATE-UNLISTED" in grave_rules_of(as_file(text))


def test_a_file_that_is_a_template_is_reported_once():
    report = as_file("{{ ''.__class__ }}")
    assert len([f for f in report.findings if f.rule == "TEMPLATE-CODE"]) == 1


def test_a_function_may_be_called_and_asked_for():
    text = "{% if strftime_now is defined %}{{ strftime_now('%d') }}{% endif %}{{ loop.index }}"
    assert_clean(as_file("{% for m in messages %}" + text + "{% endfor %}"))
