"""What a document's parts would make a reader do: each element judged as it comes.

PMML and graphs carry numbers and names; a model needs no code, no library, no address. Pictures
need no script. A page may have scripts, which is said and left to the policy, unless they reach
for the system.
"""

from __future__ import annotations

from functools import lru_cache

from tidegate.scanners.interface import Report, Severity, Subject
from tidegate.scanners.markup.tables import (
    CODE,
    HANDLER,
    LIBRARY,
    LONGEST_CODE,
    NUMBERS,
    OUTSIDE_URL,
    SCRIPT_URL,
    markup_table,
)
from tidegate.scanners.streams import shown

_INCLUDE = "http://www.w3.org/2001/XInclude"
_LINKS = frozenset({"href", "xlink:href", "src", "action", "formaction", "data", "from", "to",
                    "values", "poster", "background"})  # fmt: skip
_FETCHED = frozenset({"image", "use", "feimage", "iframe", "embed", "object", "audio", "video",
                      "source", "link", "import", "animation", "tref", "pattern",
                      "mpath"})  # fmt: skip
_FRAMES = frozenset({"iframe", "embed", "object", "applet", "frame", "handler", "listener"})
_SHOWN = frozenset({"svg", "html"})
"""Documents that a browser shows, with all that it does for them."""
_NO_CODE = frozenset({"pmml", "net", "svg", "score"})
"""Documents in which code has no honest place; elsewhere it may be a text about code."""
_PLAIN_LINKS = ("hyperlink",)
_ONLY_TELLS = ("xmlns", "xsi:", "schemalocation")
_SHORT = 100


@lru_cache(maxsize=10_000)
def _has_code(text: str) -> bool:
    """For the names and words that a document repeats."""
    return CODE.search(text) is not None


class Judge:
    """The handler that reports."""

    def __init__(self, subject: Subject, report: Report) -> None:
        self._subject, self._report = subject, report
        self._above: list[str] = []
        self._root = ""
        self._tail = ""
        self.stretches: list[tuple[int, int]] = []
        """Where in the file beside it an OpenVINO graph's constants lie: start and length."""

    def doctype(self, name: str, system: str | None, public: str | None, *, has_own: bool) -> None:
        """A type of the document's own, or from elsewhere, is one too many."""
        table = markup_table()
        known = public in table.harmless_doctypes or (
            not public and (system or "").startswith(table.harmless_places)
        )
        if (system or public) and not known:
            place = shown(system or public or "")
            self._say(
                "XML-DOCTYPE", f"The document type {shown(name)} is fetched from {place}.", place
            )
        elif has_own:
            # Without entities, which end the reading, it can do no more than set attributes.
            text = "The document brings a document type of its own."
            self._say("XML-DOCTYPE", text, "own", Severity.MEDIUM)

    def entity(self, name: str, value: str | None, system: str | None, *, parameter: bool) -> None:
        """Every entity is told; one from outside is the graver."""
        kind = "parameter entity" if parameter else "entity"
        if system is not None:
            what = f"The {kind} {shown(name)} is read from {shown(system)} by whoever expands it."
        else:
            what = f"The {kind} {shown(name)} stands for {len(value or '')} characters."
        severity = Severity.CRITICAL if system is not None else None
        self._say("XML-ENTITY", what, shown(name), severity)

    def begin(self, name: str, attributes: dict[str, str], depth: int) -> None:
        """Judge an element by its name, its namespaces and its attributes."""
        local = name.rsplit(":", 1)[-1].lower()
        self._tail = ""
        if depth == 1:
            self._root = local
            self._judge_root(local)
        elif local == "job" and self._above == ["package"]:
            # Many a format has packages; those of the Windows Script Host have jobs in them.
            why = "Windows may run it as a script"
            self._say("XML-RUNS", f"The document is one that runs: {why}.", local)
        self._above.append(local)
        self._judge_namespaces(attributes)
        if local == "script" or (local in _FRAMES and self._root in _SHOWN):
            self._say("XML-SCRIPT", f"An element {shown(name)} runs or embeds something.", local)
        if local == "relationship":
            self._judge_relationship(attributes)
        if local == "apply" and "." in (function := attributes.get("function", "")):
            self._say("PMML-CODE", f"A function is the class {shown(function)}.", shown(function))
        if self._root == "net" and local == "data" and {"offset", "size"} <= set(attributes):
            offset, size = attributes["offset"], attributes["size"]
            if offset.isdecimal() and size.isdecimal() and len(offset + size) < 40:
                self.stretches.append((int(offset), int(size)))
        for key, value in attributes.items():
            self._judge_attribute(local, key.lower(), value)

    def end(self, name: str) -> None:  # noqa: ARG002
        """Leave the element."""
        self._above.pop()
        self._tail = ""

    def text(self, text: str) -> None:
        """Look for code, also where it is split into pieces."""
        piece = self._tail + text
        self._tail = piece[-LONGEST_CODE:]
        self._judge_code(piece, "A text")
        if "extension" in self._above and OUTSIDE_URL.match(piece.lstrip()):
            self._say("PMML-CODE", f"An extension leads to {shown(piece.strip())}.", "address")

    def comment(self, text: str) -> None:
        """Some tools read what stands in comments."""
        self._judge_code(text, "A comment")

    def instruction(self, target: str, text: str) -> None:
        """Style sheets, and instructions that something runs."""
        lower = target.lower()
        if lower == "xml-stylesheet":
            plain = 'type="text/css"' in text and not OUTSIDE_URL.search(text)
            self._say(
                "XML-STYLESHEET",
                f"Reading applies the style sheet {shown(text)}.",
                shown(text),
                Severity.LOW if plain else None,
            )
        elif lower in {"php", "asp", "import", "mso-application"} or CODE.search(text):
            self._say("XML-SCRIPT", f"An instruction for {shown(target)}.", shown(target))

    def _judge_root(self, local: str) -> None:
        why = dict(markup_table().running_roots).get(local)
        if why is not None:
            self._say("XML-RUNS", f"The document is one that runs: {why}.", local)

    def _judge_namespaces(self, attributes: dict[str, str]) -> None:
        for key, value in attributes.items():
            if not key.startswith("xmlns"):
                continue
            if value == _INCLUDE:
                self._say("XML-INCLUDE", "The document includes other files (XInclude).", _INCLUDE)
            for namespace, why in markup_table().running_namespaces:
                if value.startswith(namespace):
                    self._say("XML-RUNS", f"The document is {why}.", namespace)

    def _judge_relationship(self, attributes: dict[str, str]) -> None:
        kind = attributes.get("Type", "").rsplit("/", 1)[-1].lower()
        if attributes.get("TargetMode", "").lower() == "external" and kind not in _PLAIN_LINKS:
            target = shown(attributes.get("Target", ""))
            self._say("XML-EXTERNAL", f"Opening it fetches {target} ({shown(kind)}).", target)
        elif kind in {"vbaproject", "xlmacrosheet", "xlintlmacrosheet", "activexcontrolbinary"}:
            self._say("XML-RUNS", "The document has macros.", kind)

    def _judge_attribute(self, local: str, key: str, value: str) -> None:
        if NUMBERS.fullmatch(value):
            return
        if HANDLER.fullmatch(key) and value.strip() and self._root in _SHOWN:
            self._say("XML-SCRIPT", f"The attribute {shown(key)} runs its value.", key)
        if SCRIPT_URL.match(value):
            self._say("XML-SCRIPT", f"An address runs something: {shown(value)}.", shown(value, 40))
        if key.startswith(_ONLY_TELLS) or key.endswith("schemalocation"):
            return
        fetched = self._root in _SHOWN and key in _LINKS and local in _FETCHED
        if fetched and OUTSIDE_URL.match(value):
            self._say(
                "XML-EXTERNAL", f"A {shown(local)} is fetched from {shown(value)}.", shown(value)
            )
        if self._root in {"net", "pmml"} or "extension" in self._above:
            if LIBRARY.search(value) or ".." in value.replace("\\", "/").split("/"):
                self._say(
                    "XML-EXTERNAL", f"{shown(key)} names the file {shown(value)}.", shown(value)
                )
            if "extension" in self._above and OUTSIDE_URL.match(value):
                self._say("PMML-CODE", f"An extension leads to {shown(value)}.", "address")
        self._judge_code(value, f"The attribute {shown(key)}")

    def _judge_code(self, text: str, what: str) -> None:
        if NUMBERS.fullmatch(text) or (len(text) < _SHORT and not _has_code(text)):
            return
        if (matched := CODE.search(text)) is not None:
            told = shown(" ".join(matched[0].split()))
            plain = self._root not in _NO_CODE and "extension" not in self._above
            severity = Severity.MEDIUM if plain else None
            self._say("PMML-CODE", f"{what} holds code or a command: {told}.", told, severity)

    def _say(self, rule: str, message: str, detail: str, severity: Severity | None = None) -> None:
        self._report.found(rule, self._subject, message, severity=severity, detail=detail)
