"""What the checked expressions may and may not say."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teachenv.envs.datagen.sandbox import Limits, Program, Sandbox
from teachenv.envs.datagen.sandbox.expressions import MAX_SOURCE, RefusedError, evaluate

LISTS = {"a": [3, 1, 2], "b": [5, 4]}

ALLOWED = {
    "a": [3, 1, 2],
    "sorted(a + b)[::-1]": [5, 4, 3, 2, 1],
    "sorted(a, reverse=True)[:2]": [3, 2],
    "[v + 3 for v in sorted(a)]": [4, 5, 6],
    "[v * v - 1 for v in b if v % 2 == 0 and v > 1]": [15],
    "[sum([w * v for w in a]) for v in b]": [30, 24],
    "[sum(a) for v in b]": [6, 6],
    "sum(a) // len(b) + abs(-max(b)) - min(a)": 7,
    "[a[0], -b[-1], 7]": [3, -4, 7],
    "[v for v in a if 1 < v <= 3]": [3, 2],
    "max([v for v in a if v > 9])": None,
    "a[7]": None,
    "1 // (len(a) - 3)": None,
    "a[::len(a) - 3]": None,
}

REFUSED = (
    "",
    "c",
    "import os",
    "x = 1",
    "__import__('os')",
    "__builtins__",
    "open('/etc/passwd')",
    "a.append(1)",
    "().__class__",
    "sorted.__self__",
    "'text'",
    "1.5",
    "True",
    "None",
    "10 ** 10",
    "1 << 99",
    "1000",
    "a * 9",
    "9 * a",
    "[a for v in b]",
    "[[v] for v in b]",
    "[v for v in [w for w in 3]]",
    "[1 for a in b]",
    "[1 for v in a for w in a]",
    "[sum([sum([1 for x in a]) for w in a]) for v in a]",
    "(v for v in a)",
    "{v: v for v in a}",
    "lambda: 1",
    "(v := 1)",
    "max(1, 2)",
    "sorted(a, key=abs)",
    "sorted(a, reverse=b)",
    "sum(*a)",
    "eval('1')",
    "[sorted(v) for v in a]",
    "[sum for sum in a][sum(a)]" + " " * MAX_SOURCE,
    "(" * 150 + "1" + ")" * 150 + "+a",
    "-" * (MAX_SOURCE - 1) + "a",
    "1 if a else 2",
    "a == b",
    "f'{a}'",
    "\0",
)


@pytest.mark.parametrize(("source", "value"), ALLOWED.items())
def test_allowed_expressions_have_pythons_value(source: str, value: object) -> None:
    assert evaluate(source, LISTS) == value


@pytest.mark.parametrize("source", REFUSED)
def test_everything_else_is_refused(source: str) -> None:
    with pytest.raises(RefusedError):
        evaluate(source, LISTS)


def test_the_worst_that_is_allowed_is_soon_over() -> None:
    lists = {"a": list(range(14))}
    much = "+".join(["a"] * 60)
    source = f"[sum([v * w * 999 * 999 for w in {much}]) for v in {much}]"
    assert len(source) <= MAX_SOURCE
    start = time.process_time()
    evaluate(source, lists)
    assert time.process_time() - start < 2.0


def test_a_sandbox_gives_the_same_values() -> None:
    sources = [source for source, value in ALLOWED.items() if value is not None]
    programs = [Program(f"def f(a, b): return {s}", "f", [list(LISTS.values())]) for s in sources]
    for fresh in (False, True):
        chosen = programs[:3] if fresh else programs
        sandbox = Sandbox(Limits(seconds=5), isolated=False, fresh=fresh)
        results = [result.value for result in sandbox.run(chosen)]
        assert results == [[ALLOWED[source]] for source in sources[: len(chosen)]]


WORDS = """a b v 1 0 9 + - * % // ( ) [ ] : , for in if and == > sorted sum max len abs [::-1]
    .x __class__ lambda reverse= not ** 'x'"""


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(WORDS.split()), max_size=40))
def test_any_words_have_a_value_or_are_refused(words: list[str]) -> None:
    try:
        value = evaluate(" ".join(words), LISTS)
    except RefusedError:
        return
    assert value is None or isinstance(value, (int, list))
