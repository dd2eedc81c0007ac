"""Tier 1: list expressions that are checked and then evaluated in this process.

The language has two types, whole numbers and flat lists of them. Nothing else can be written, so
values stay small (no list of lists, no product of a list, no power) and time is bounded by the
length of the source.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from types import CodeType
from typing import Literal

__all__ = ["MAX_SOURCE", "RefusedError", "compile_expression", "evaluate"]

MAX_SOURCE = 400
"""Characters of a source."""
MAX_NESTING = 2
"""Comprehensions inside one another."""
MAX_CONSTANT = 999

Value = int | list[int]
Type = Literal["int", "list", "bool"]

_FUNCTIONS = {"sorted": sorted, "sum": sum, "max": max, "min": min, "len": len, "abs": abs}
_LIST_TO_INT = ("sum", "max", "min", "len")
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod)
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)


class RefusedError(ValueError):
    """The source is no expression of the language."""


def compile_expression(source: str, lists: Iterable[str]) -> CodeType:
    """Check an expression and compile it.

    Args:
        source: Its text, at most ``MAX_SOURCE`` characters.
        lists: Names of the lists it may use.

    Raises:
        RefusedError: saying what is not allowed.
    """
    if len(source) > MAX_SOURCE:
        raise RefusedError(f"expected at most {MAX_SOURCE} characters, got {len(source)}")
    try:
        tree = ast.parse(source.strip(), mode="eval")
        _Checker(frozenset(lists)).type_of(tree.body, frozenset(), 0)
        return compile(tree, "<expression>", "eval")
    except RefusedError:
        raise
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise RefusedError(f"no Python expression: {error}") from None


def evaluate(source: str | CodeType, lists: Mapping[str, list[int]]) -> Value | None:
    """Return an expression's value, or ``None`` where it has none (the maximum of no numbers).

    Args:
        source: Its text, or what :func:`compile_expression` made of it.
        lists: The lists it may use, by name; short ones.

    Raises:
        RefusedError: as :func:`compile_expression`.
    """
    code = compile_expression(source, lists) if isinstance(source, str) else source
    try:
        value: Value = eval(code, {"__builtins__": {}, **_FUNCTIONS, **lists})
    except (ValueError, IndexError, ZeroDivisionError):
        return None
    return value


class _Checker:
    """Gives every node its type or refuses it."""

    def __init__(self, lists: frozenset[str]) -> None:
        self._lists = lists

    def type_of(self, node: ast.expr, numbers: frozenset[str], depth: int) -> Type:
        """Return a node's type, given the names bound to numbers and the nesting so far."""
        if isinstance(node, ast.Constant):
            if type(node.value) is not int or node.value > MAX_CONSTANT:
                shown = ast.unparse(node)[:20]
                raise RefusedError(f"{shown}: expected a whole number up to {MAX_CONSTANT}")
            return "int"
        if isinstance(node, ast.Name):
            return self._name(node.id, numbers)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self._expect("int", node.operand, numbers, depth)
        if isinstance(node, ast.BinOp):
            return self._operation(node, numbers, depth)
        if isinstance(node, ast.Compare) and all(isinstance(o, _COMPARISONS) for o in node.ops):
            for side in (node.left, *node.comparators):
                self._expect("int", side, numbers, depth)
            return "bool"
        if isinstance(node, ast.BoolOp):
            for part in node.values:
                self._expect("bool", part, numbers, depth)
            return "bool"
        if isinstance(node, ast.Subscript):
            return self._subscript(node, numbers, depth)
        if isinstance(node, ast.Call):
            return self._call(node, numbers, depth)
        if isinstance(node, ast.List):
            for part in node.elts:
                self._expect("int", part, numbers, depth)
            return "list"
        if isinstance(node, ast.ListComp):
            return self._comprehension(node, numbers, depth)
        raise RefusedError(f"{type(node).__name__} is not allowed: {ast.unparse(node):.40}")

    def _expect(self, type: Type, node: ast.expr, numbers: frozenset[str], depth: int) -> Type:
        got = self.type_of(node, numbers, depth)
        if got != type:
            raise RefusedError(f"{ast.unparse(node):.40}: expected {type}, got {got}")
        return got

    def _name(self, name: str, numbers: frozenset[str]) -> Type:
        if name in numbers:
            return "int"
        if name in self._lists:
            return "list"
        raise RefusedError(f"unknown name {name:.40}")

    def _operation(self, node: ast.BinOp, numbers: frozenset[str], depth: int) -> Type:
        if not isinstance(node.op, _ARITHMETIC):
            raise RefusedError(f"{type(node.op).__name__} is not allowed")
        left = self.type_of(node.left, numbers, depth)
        if left == "list" and isinstance(node.op, ast.Add):
            return self._expect("list", node.right, numbers, depth)
        self._expect("int", node.left, numbers, depth)
        return self._expect("int", node.right, numbers, depth)

    def _subscript(self, node: ast.Subscript, numbers: frozenset[str], depth: int) -> Type:
        self._expect("list", node.value, numbers, depth)
        if not isinstance(node.slice, ast.Slice):
            return self._expect("int", node.slice, numbers, depth)
        for bound in (node.slice.lower, node.slice.upper, node.slice.step):
            if bound is not None:
                self._expect("int", bound, numbers, depth)
        return "list"

    def _call(self, node: ast.Call, numbers: frozenset[str], depth: int) -> Type:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in _FUNCTIONS or name in numbers | self._lists or len(node.args) != 1:
            known = ", ".join(_FUNCTIONS)
            raise RefusedError(
                f"call {ast.unparse(node):.40}: expected one of {known}, one argument"
            )
        for keyword in node.keywords:
            flag = isinstance(keyword.value, ast.Constant) and keyword.value.value in (True, False)
            if (name, keyword.arg) != ("sorted", "reverse") or not flag:
                raise RefusedError(f"keyword {keyword.arg}: only sorted(..., reverse=True) has one")
        self._expect("int" if name == "abs" else "list", node.args[0], numbers, depth)
        return "list" if name == "sorted" else "int"

    def _comprehension(self, node: ast.ListComp, numbers: frozenset[str], depth: int) -> Type:
        if depth >= MAX_NESTING or len(node.generators) > 1:
            raise RefusedError(f"expected one loop per list and {MAX_NESTING} inside one another")
        loop = node.generators[0]
        if not isinstance(loop.target, ast.Name) or loop.is_async or loop.target.id in self._lists:
            raise RefusedError("expected one new name after 'for'")
        self._expect("list", loop.iter, numbers, depth)
        within = numbers | {loop.target.id}
        for condition in loop.ifs:
            self._expect("bool", condition, within, depth + 1)
        self._expect("int", node.elt, within, depth + 1)
        return "list"
