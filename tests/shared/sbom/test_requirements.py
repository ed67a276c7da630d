"""A requirements.txt is read for what it says; each line is a package or is named as unread."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.sbom import RequiredPackage, requirements_components
from tidegate.sbom.requirements import MAX_LINE, MAX_LINES, MAX_TEXT


def only(text: str) -> RequiredPackage:
    read = requirements_components(text)
    assert read.unread == ()
    assert len(read.packages) == 1
    return read.packages[0]


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("numpy==2.1", "2.1"),
        ("numpy===2.1+local", "2.1+local"),
        ("numpy", None),
        ("numpy>=2", None),
        ("numpy==2.*", None),
        ("numpy==2.1,!=2.2", None),
        ("numpy~=2.1", None),
    ],
)
def test_only_a_lone_exact_pin_is_a_version(line, version):
    assert only(line).version == version


def test_names_are_normalised_and_extras_and_markers_kept():
    package = only('Scikit_Learn[B,a]==1.0 ; python_version < "4"')
    assert package.name == "scikit-learn"
    assert package.extras == ("B", "a")
    assert package.marker == 'python_version < "4"'


def test_accepted_hashes_are_kept_across_continued_lines():
    first, second = "a" * 64, "b" * 64
    package = only(f"numpy==2.1 \\\n    --hash=sha256:{first} \\\n    --hash=sha256:{second}\n")
    assert package.version == "2.1"
    assert package.hashes == (f"sha256:{first}", f"sha256:{second}")


def test_comments_and_blank_lines_say_nothing():
    read = requirements_components("\ufeff# top\n\nnumpy==2.1  # why\n   # more\n")
    assert [package.name for package in read.packages] == ["numpy"]
    assert read.unread == ()


def test_a_number_sign_inside_a_word_begins_no_comment():
    assert only("pkg @ https://example.com/p.whl#sha256=0").name == "pkg"


@pytest.mark.parametrize(
    "line",
    [
        "-r other.txt",
        "--index-url https://example.com/simple",
        "-e ./local",
        "./wheels/evil-1.0-py3-none-any.whl",
        "git+https://example.com/repo.git",
        "numpy==",
        "!!!",
        "numpy==1 --global-option=x",
    ],
)
def test_a_line_that_names_no_package_is_unread_with_its_number_and_reason(line):
    read = requirements_components(f"# first\n{line}\n")
    assert read.packages == ()
    assert [each.line for each in read.unread] == [2]
    assert read.unread[0].reason


@pytest.mark.parametrize("break_", ["\f", "\v", "\u2028", "\x85", "\x1c", "\r"])
def test_no_unusual_line_break_hides_a_package_in_a_comment(break_):
    read = requirements_components(f"numpy==2.1 # fine{break_}evil==6.6\n")
    assert [package.name for package in read.packages] == ["numpy", "evil"]


def test_a_comment_inside_a_continued_line_hides_nothing_after_it():
    read = requirements_components("numpy==2.1 \\\n# note \\\nevil==6.6\n")
    assert [package.name for package in read.packages] == ["numpy", "evil"]


def test_a_last_line_that_wants_to_go_on_is_still_read():
    assert only("numpy==2.1 \\").version == "2.1"


def test_the_same_requirement_is_listed_once_and_a_different_one_beside_it():
    read = requirements_components("numpy==2.1\nNumPy == 2.1\nnumpy==2.2\n")
    assert [package.version for package in read.packages] == ["2.1", "2.2"]


def test_a_direct_reference_has_no_version_and_no_secret():
    package = only("pkg @ https://user:secret@example.com/pkg-1.0.whl?token=secret")
    assert package.version is None
    assert package.url == "https://example.com/pkg-1.0.whl"


def test_no_secret_of_an_unread_line_is_repeated():
    read = requirements_components("--index-url https://user:secret@example.com/simple?k=secret\n")
    assert "secret" not in read.unread[0].text


def test_too_much_text_is_named_as_unread_and_not_read():
    read = requirements_components("numpy==1\n" + "#" * MAX_TEXT)
    assert read.packages == ()
    assert read.unread[0].line == 0


def test_too_long_a_line_is_unread_and_the_next_is_read():
    read = requirements_components("a" * (MAX_LINE + 1) + "\nnumpy==1\n")
    assert [each.line for each in read.unread] == [1]
    assert [package.name for package in read.packages] == ["numpy"]


def test_too_many_lines_end_in_an_unread_part():
    read = requirements_components("".join(f"p{n}\n" for n in range(MAX_LINES + 5)))
    assert len(read.packages) == MAX_LINES
    assert [each.line for each in read.unread] == [MAX_LINES + 1]


def test_markers_nested_to_the_depth_of_a_line_break_nothing():
    deep = "(" * 1900 + "python_version>'3'" + ")" * 1900
    read = requirements_components(f"numpy ; {deep}\n")
    assert len(read.packages) + len(read.unread) == 1


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error(text):
    read = requirements_components(text)
    assert all(each.reason for each in read.unread)
    assert all(package.name for package in read.packages)
