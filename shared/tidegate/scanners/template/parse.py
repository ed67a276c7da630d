"""Templates as syntax trees, by Jinja's own lexer and parser. Nothing is compiled or rendered.

The tags are those that transformers adds: `generation`, and `break` and `continue` of loops.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from tidegate.scanners.streams import shown

if TYPE_CHECKING:
    from jinja2 import Environment, nodes

MAX_TEMPLATE = 2 << 20


class TemplateError(Exception):
    """The text is no template; the message says why."""


def parse_template(text: str) -> nodes.Template:
    """The tree of the template. Raises TemplateError where Jinja would not take it."""
    from jinja2 import TemplateSyntaxError
    from jinja2.parser import Parser

    if len(text) > MAX_TEMPLATE:
        raise TemplateError(f"it is larger than {MAX_TEMPLATE >> 20} MiB")
    try:
        # Not by the environment's method, which compiles a traceback for an error.
        return Parser(_environment(), text).parse()
    except TemplateSyntaxError as error:
        raise TemplateError(shown(error.message or "no syntax of Jinja")) from None
    except RecursionError:
        raise TemplateError("it nests too deep") from None
    except (ValueError, OverflowError, ArithmeticError) as error:
        raise TemplateError(f"no syntax of Jinja ({type(error).__name__})") from None


@cache
def _environment() -> Environment:
    from jinja2 import Environment, nodes
    from jinja2.ext import Extension, do, loopcontrols

    class Generation(Extension):
        """The tag by which transformers marks what the assistant said."""

        tags = {"generation"}  # noqa: RUF012 - as the base class has it

        def parse(self, parser: Any) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body).set_lineno(line)

    # Nothing is rendered, so nothing needs escaping.
    return Environment(  # noqa: S701
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols, do]
    )
