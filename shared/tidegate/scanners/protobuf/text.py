r"""Protobuf's text format (`.pbtxt`, Triton's `config.pbtxt`), read against a schema.

Comments, both kinds of brackets, lists, adjoining strings and all escapes are read as
`google.protobuf.text_format` reads them. The whole text is one value of bounded size; nesting is
kept on a stack of our own.
"""

from __future__ import annotations

import re
from typing import Any

from tidegate.scanners.protobuf.schema import Field, Message
from tidegate.scanners.protobuf.tree import MAX_DEPTH, Blob, Frame, Judge

_TOKEN = re.compile(
    r"""(?:[\s]|\#[^\n]*(?:\n|$))*+
    (?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<extension>\[[A-Za-z_][A-Za-z0-9_./-]*\])
    |(?P<number>-?\s*(?:0[xX][0-9A-Fa-f]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[fFuU]?
        |inf(?:inity)?\b|nan\b))
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<mark>[{}<>\[\]:,;]))""",
    re.VERBOSE | re.DOTALL,
)
_REST = re.compile(r"(?:[\s]|\#[^\n]*(?:\n|$))*")
_ESCAPE = re.compile(
    rb"\\(?:([0-7]{1,3})|[xX]([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))",
    re.DOTALL,
)
_PLAIN = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_CLOSES = {"{": "}", "<": ">"}


class _SyntaxError(Exception):
    """The text breaks off being one; the message says how."""


def unescaped(literal: str) -> bytes:
    """The bytes that a quoted string stands for."""

    def one(match: re.Match[bytes]) -> bytes:
        octal, short, four, eight, plain = match.groups()
        if octal is not None:
            return bytes([int(octal, 8) & 0xFF])
        if short is not None:
            return bytes([int(short, 16)])
        if four is not None or eight is not None:
            code = int(four or eight, 16)
            return chr(code).encode("utf-8", "replace") if code < 0x110000 else b"?"
        return _PLAIN.get(plain, plain)

    return _ESCAPE.sub(one, literal[1:-1].encode("utf-8", "surrogatepass"))


def walk_text(text: str, root: Message, judge: Judge) -> bool:
    """Hand the message that the text is to the judge; whether it was read to its end."""
    reader = _Reader(text, judge)
    try:
        return reader.run(root)
    except _SyntaxError as error:
        judge.broken(f"{error} at character {reader.at}", reader.at)
        return False


class _Reader:
    def __init__(self, text: str, judge: Judge) -> None:
        self._text, self._judge = text, judge
        self.at = 0
        self._kind, self._lexeme, self._next = "", "", 0

    def _peek(self) -> None:
        match = _TOKEN.match(self._text, self.at)
        if match is None or match.lastgroup is None:
            rest = _REST.match(self._text, self.at)
            if rest is None or rest.end() != len(self._text):
                raise _SyntaxError("is no text format")
            self._kind, self._lexeme, self._next = "end", "", len(self._text)
            return
        self._kind, self._lexeme, self._next = (
            match.lastgroup,
            match[match.lastgroup],
            match.end(),
        )

    def _take(self) -> str:
        token, self.at = self._lexeme, self._next
        self._peek()
        return token

    def _taken(self, mark: str) -> bool:
        if self._kind == "mark" and self._lexeme == mark:
            self._take()
            return True
        return False

    def run(self, root: Message) -> bool:
        self._peek()
        judge = self._judge
        frame = Frame(root, None, 0)
        # Each open message with what closes it, and whether a list of messages goes on after it.
        stack: list[tuple[Frame, str, bool]] = []
        judge.entered(frame)
        closes, listed = "", False
        while True:
            if self._kind == "end" and not stack:
                judge.done(frame)
                return True
            if closes and self._taken(closes):
                value = judge.done(frame)
                around, closes_around, listed_around = stack.pop()
                if value is not None and frame.field is not None:
                    around.values.setdefault(frame.field.name, []).append(value)
                if listed and self._taken(","):
                    if frame.field is None or frame.field.message is None:
                        raise _SyntaxError("has a list that breaks off")
                    opening = self._open()
                    stack.append((around, closes_around, listed_around))
                    frame = Frame(frame.field.message, frame.field, self.at)
                    judge.entered(frame)
                    closes = opening
                    continue
                if listed and not self._taken("]"):
                    raise _SyntaxError("has a list that does not end")
                self._separator()
                frame, closes, listed = around, closes_around, listed_around
                continue
            field = self._field(frame)
            if field is None:
                continue
            if field.message is None:
                self._scalars(frame, field)
                self._separator()
                continue
            self._taken(":")
            listing = self._taken("[")
            if listing and self._taken("]"):
                self._separator()
                continue
            if len(stack) >= MAX_DEPTH:
                judge.too_much(f"nests more than {MAX_DEPTH} levels deep")
                return False
            opening = self._open()
            stack.append((frame, closes, listed))
            frame, closes, listed = Frame(field.message, field, self.at), opening, listing
            judge.entered(frame)

    def _open(self) -> str:
        if self._kind == "mark" and self._lexeme in _CLOSES:
            return _CLOSES[self._take()]
        raise _SyntaxError("has a message without its bracket")

    def _separator(self) -> None:
        if not self._taken(","):
            self._taken(";")

    def _field(self, frame: Frame) -> Field | None:
        """The field that begins here; None where it is unknown, and passed over."""
        at = self.at
        if self._kind not in {"name", "extension"}:
            raise _SyntaxError("has no field")
        name = self._take()
        field = frame.message.by_name.get(name)
        if field is None:
            self._pass_over()
            self._judge.unknown(frame.message, name[:80], at, self.at - at)
            return None
        if not field.repeats:
            if field.name in frame.seen:
                self._judge.repeated(field, at)
            frame.seen.add(field.name)
        return field

    def _scalars(self, frame: Frame, field: Field) -> None:
        if not self._taken(":"):
            raise _SyntaxError("has a field without its colon")
        if not self._taken("["):
            self._scalar(frame, field)
            return
        while not self._taken("]"):
            self._scalar(frame, field)
            if not self._taken(",") and self._lexeme != "]":
                raise _SyntaxError("has a list that does not end")

    def _scalar(self, frame: Frame, field: Field) -> None:
        at = self.at
        value: Any
        if self._kind == "string":
            parts = []
            while self._kind == "string":
                parts.append(unescaped(self._take()))
            value = b"".join(parts)
        elif self._kind in {"number", "name"}:
            value = self._number(self._take(), field)
        else:
            raise _SyntaxError("has a field without a value")
        if field.path in self._judge.blobs and isinstance(value, bytes):
            frame.values.setdefault(field.name, []).append(Blob(at, len(value), value))
        elif field.path in self._judge.kept:
            if isinstance(value, bytes) is not (field.kind in {"string", "bytes"}):
                raise _SyntaxError(f"has a {field.path} of another type")
            frame.values.setdefault(field.name, []).append(value)

    def _number(self, token: str, field: Field) -> int:
        if field.values is not None and token in field.values:
            return field.values[token]
        bare = token.replace(" ", "").rstrip("uU")
        if bare in {"true", "True", "t", "false", "False", "f"}:
            return int(bare[0] in "tT")
        try:
            base = 16 if "x" in bare.lower() else 8 if re.fullmatch("-?0[0-7]+", bare) else 10
            return int(bare[:64], base) & 0xFFFFFFFFFFFFFFFF
        except ValueError:
            return 0

    def _pass_over(self) -> None:
        """Go to the end of a field whose name nobody knows."""
        self._taken(":")
        opened = 0
        while True:
            if self._kind == "end":
                raise _SyntaxError("breaks off")
            mark = self._lexeme if self._kind == "mark" else ""
            self._take()
            opened += (mark in {"{", "<", "["}) - (mark in {"}", ">", "]"})
            if opened < 0:
                raise _SyntaxError("has a bracket too many")
            if not opened:
                break
        while self._kind == "string":
            self._take()
        self._separator()
