"""YAML into typed structs, with errors that name the place (line and path) and the remedy."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
import yaml

T = TypeVar("T")
MAX_TEXT = 200_000  # characters of YAML
MAX_DEPTH = 30
_UNKNOWN = re.compile(r"contains unknown field `(.+)`", re.DOTALL)
_EXAMPLES = {  # part of a pattern -> what it is for people
    "[mhd]": "a span such as 30m, 2h, 7d is expected",
    "[0-5][0-9]-": "hours such as 22:00-07:30 are expected",
    "[0-5][0-9]": "a time such as 18:00 is expected",
}
_QUOTED = {  # of keys whose values YAML takes for numbers; 18:00 is 1080 to it
    "security": ", a security with its market as in 300413.SZ",
    "digest_at": ', a time as in "18:00"',
}
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


class RuleError(ValueError):
    """A rule, subscription or channel that can't be used; the text names the place and the remedy."""


class Source:
    """A YAML text, with the line of every value. Raises `RuleError` when it is not YAML."""

    def __init__(self, text: str, name: str = "") -> None:
        self.name = name
        if len(text) > MAX_TEXT:
            raise RuleError(f"{name or 'the text'} has {len(text)} characters; at most {MAX_TEXT} are read")
        try:
            if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
                raise RuleError(f"{self._at(None)}: anchors and aliases (&, *) are not read; write the value out")
            self._node = yaml.compose(text, Loader=yaml.SafeLoader)
            self.value: Any = yaml.safe_load(text)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else None
            raise RuleError(f"{self._at(line)}: not YAML ({error.problem}); check indentation and quotes") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise RuleError(f"{self._at(None)}: not YAML ({str(error).splitlines()[0]})") from None
        self._refuse_doubled()

    def error(self, path: str, problem: str) -> RuleError:
        """An error at a path such as `$.when.all[0].theme`."""
        shown = path.removeprefix("$").lstrip(".")
        return RuleError(f"{self._at(self.line(path))}{f', {shown}' if shown else ''}: {problem}")

    def line(self, path: str) -> int | None:
        """The line (from 1) of the value at a path, or of the nearest thing around it."""
        node = self._node
        line = node.start_mark.line + 1 if node else None
        for key, index in _STEP.findall(path):
            if isinstance(node, yaml.MappingNode):
                found = next(((k, v) for k, v in node.value if k.value == key), None)
                if found is None:
                    return line
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and index.isdigit() and int(index) < len(node.value):
                node = node.value[int(index)]
                line = node.start_mark.line + 1
            else:
                return line
        return line

    def _refuse_doubled(self) -> None:
        """YAML has a key once in a mapping; the reader would let the last one win without a word."""
        nodes = [self._node]
        while nodes:
            node = nodes.pop()
            if isinstance(node, yaml.SequenceNode):
                nodes += node.value
            elif isinstance(node, yaml.MappingNode):
                lines: dict[str, int] = {}
                for key, value in node.value:
                    nodes.append(value)
                    if not isinstance(key, yaml.ScalarNode):
                        continue
                    line = key.start_mark.line + 1
                    if key.value in lines:
                        problem = f"{key.value!r} stands in line {lines[key.value]} already: leave one of them out"
                        raise RuleError(f"{self._at(line)}: {problem}")
                    lines[key.value] = line

    def _at(self, line: int | None) -> str:
        place = f"line {line}" if line else "the text"
        return f"{self.name}, {place}" if self.name else place


def convert(source: Source, value: Any, kind: type[T], lists: frozenset[str]) -> T:
    """`value` as a `kind`; a single value stands for a list of one under the keys of `lists`. Raises `RuleError`."""
    try:
        return msgspec.convert(_listed(value, lists), kind, strict=True)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `")
        path = path.rstrip("`") or "$"
        unknown = _UNKNOWN.search(problem)
        if unknown:
            raise source.error(
                f"{path}.{unknown[1]}", f"unknown key {unknown[1]!r}; docs/alerts.md lists the keys"
            ) from None
        raise source.error(path, _readable(problem, path, kind)) from None


def dump(value: Any) -> str:
    """YAML of a struct, without what stands at its default."""
    plain = msgspec.to_builtins(value)
    return yaml.safe_dump(_unlisted(plain), allow_unicode=True, sort_keys=False, width=110)


def _listed(value: Any, lists: frozenset[str], depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise RuleError(f"conditions are nested deeper than {MAX_DEPTH}; write them flatter")
    if isinstance(value, dict):
        return {
            key: [_listed(item, lists, depth + 1)]
            if key in lists and item is not None and not isinstance(item, list)
            else _listed(item, lists, depth + 1)
            for key, item in value.items()
        }
    return [_listed(item, lists, depth + 1) for item in value] if isinstance(value, list) else value


def _unlisted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unlisted(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [_unlisted(item) for item in value]
        return items[0] if len(items) == 1 and isinstance(items[0], str) else items
    return value


def _readable(problem: str, path: str, kind: type[Any]) -> str:
    missing = re.search(r"missing required field `(.+)`", problem)
    if missing:
        return f"{missing[1]!r} is missing"
    wrong = re.search(r"Expected `(.+)`, got `int`", problem)
    if wrong and "str" in wrong[1]:
        keys = ["", *(key for key, _ in _STEP.findall(path) if key)]
        return f"text is expected, a number stands here: put it in quotes{_QUOTED.get(keys[-1], '')}"
    chosen = re.fullmatch(r"Invalid enum value (.+)", problem)
    if chosen and (allowed := _choices(kind, path)):
        return f"{chosen[1]} is not one of {', '.join(map(str, allowed))}"
    if "matching regex" in problem:
        return next((text for part, text in _EXAMPLES.items() if part in problem), problem)
    return problem[0].lower() + problem[1:]


def _choices(kind: type[Any], path: str) -> tuple[Any, ...]:
    """The values that may stand at a path of a `kind`; none where it isn't a choice."""
    found: Any = msgspec.inspect.type_info(kind)
    for key, _ in _STEP.findall(path):
        for inner in getattr(found, "types", (found,)):  # of what may be left out
            if not key:
                found = getattr(inner, "item_type", found)
            elif isinstance(inner, msgspec.inspect.StructType):
                found = next((field.type for field in inner.fields if field.encode_name == key), found)
    return found.values if isinstance(found, msgspec.inspect.LiteralType) else ()
