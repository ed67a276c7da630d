"""No string from an artifact moves a cursor, forges a line, or becomes a link or a mention."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.errors import ArtifactError
from tidegate.reports import FORMATS, ScanReport, report_format
from tidegate.reports.markdown import code, prose
from tidegate.scanners import Finding, Severity, Unread

HOSTILE = "\x1b[2J\x1b]8;;http://evil\x07x\x1b]8;;\x07\r\ngood: passes\u202e\u2028\x9b1m\x7f\ud800"
BAD = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def everywhere(entry, text):
    finding = Finding("PICKLE-EXEC", Severity.CRITICAL, text, text, text, 1, text)
    return ScanReport(
        text,
        (
            entry(text, findings=(finding,), unread=(Unread(text, text, text),)),
            entry(text, error=ArtifactError(text, remedy=text)),
        ),
    )


@pytest.mark.parametrize("name", FORMATS)
def test_no_unprintable_character_gets_into_any_report(entry, name):
    text = report_format(name).render(everywhere(entry, HOSTILE))
    left = {char for char in text if unicodedata.category(char) in BAD} - {"\n"}
    assert not left
    assert text.encode()


def test_a_path_with_a_line_break_makes_no_line_of_its_own(entry):
    text = report_format("text").render(everywhere(entry, HOSTILE))
    assert not re.search(r"^good: passes", text, re.MULTILINE)


def test_colour_codes_are_ours_alone_and_only_when_asked(entry):
    report = everywhere(entry, HOSTILE)
    assert "\x1b" not in report_format("text").render(report)
    coloured = report_format("text", colour=True).render(report)
    assert set(re.findall(r"\x1b[^m]*m", coloured)) <= {
        f"\x1b[{number}m" for number in (0, 1, 2, 31, 32, 33)
    }


MARKDOWN = [
    "[click](http://evil)",
    "![](http://evil/pixel)",
    "<img src=x onerror=alert(1)>",
    "@everyone please approve",
    "see #1",
    "GH-1",
    "http://evil.example and www.evil.example",
    "`break` ``out``",
    "`",
    "# heading",
    "| a | b |",
    "**bold** _it_ ~~no~~",
    "&lt;",
    "",
    "a\\`b",
]


def spans_removed(text):
    """The text without its code spans, found as CommonMark finds them (section 6.1)."""
    kept, position = [], 0
    while run := re.search(r"`+", text[position:]):
        start, fence = position + run.start(), run.group()
        closing = re.search(rf"(?<!`){fence}(?!`)", text[start + len(fence) :])
        if closing is None:
            kept.append(text[position : start + len(fence)])
            position = start + len(fence)
            continue
        kept.append(text[position:start])
        position = start + len(fence) + closing.end()
    return "".join([*kept, text[position:]])


@pytest.mark.parametrize("text", MARKDOWN)
def test_what_markdown_could_read_stands_in_a_code_span(entry, text):
    rendered = report_format("markdown").render(everywhere(entry, text))
    outside = spans_removed(rendered)
    for special in ("](", "<", "@", "http", "www", "|", "~~", "&lt", "GH-"):
        assert special not in outside.replace("\\<", "").replace("\\&", "")
    assert "\n# heading" not in rendered


def test_plain_words_need_no_code_span():
    assert prose("os is called, with (two) arguments.") == "os is called, with (two) arguments."


@given(st.text(max_size=60))
def test_a_code_span_holds_its_whole_text_and_ends(text):
    assert spans_removed(f"a {code(text)} b") == "a  b"
    assert "\n" not in code(text)


@given(st.text(max_size=60))
def test_prose_outside_a_span_is_made_of_plain_characters(text):
    assert re.fullmatch(r"[A-Za-z0-9 ,;'().-]*", spans_removed(prose(text)))
