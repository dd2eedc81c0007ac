"""Generated code is contained, whatever it tries."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bars import Bar

from teachenv.envs.datagen.sandbox import ISOLATED, Limits, Program, Sandbox
from teachenv.errors import UserError

# Every snippet first gets round the builtins it was given, as anybody can.
ESCAPE = """
def real(name):
    wrap = [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == "_wrap_close"][0]
    return wrap.__init__.__globals__["sys"].modules[name]
os = real("os")
"""
FINE = Program("def f(x):\n    return x + 1", "f", [[1], [2]])
LIMITS = Limits(seconds=0.5)
EXTRA = ("math", "socket")


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    sandbox = Sandbox(LIMITS, modules=EXTRA)
    if sandbox.problem:
        pytest.skip(f"no isolation on this machine: {sandbox.problem}")
    return sandbox


@pytest.fixture
def canary() -> Iterator[Path]:
    """Yield a folder everybody may read and write, with a file in it."""
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    folder.chmod(0o777)
    (folder / "secret").write_text("sesame")
    (folder / "secret").chmod(0o666)
    yield folder
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0.2)
        yield server


@pytest.fixture(autouse=True)
def _counted(request: pytest.FixtureRequest, bar: Bar) -> None:
    """Count the tests of hostile snippets; only those that pass are printed."""
    if request.node.name.startswith("test_hostile"):
        bar("X2", hostile_snippets=1, escaped=0)


def after(sandbox: Sandbox, source: str) -> tuple[str, object, float]:
    """Run a hostile snippet and then a fine one, which must not notice."""
    start = time.monotonic()
    hostile, fine = sandbox.run([Program(ESCAPE + source, "attack", [[]]), FINE])
    assert (fine.status, fine.value) == ("ok", [2, 3])
    return hostile.status, hostile.value, time.monotonic() - start


WRITE = """
def attack():
    file = os.open({path!r}, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    return os.write(file, b"was here")
"""
READ = """
def attack():
    return os.read(os.open({path!r}, os.O_RDONLY), 100).decode()
"""
CONNECT = """
def attack():
    with real("socket").create_connection(("127.0.0.1", {port})) as connection:
        connection.sendall(b"was here")
    return "sent"
"""
ENVIRONMENT = """
def attack():
    return [value for value in os.environ.values() if "sesame" in value]
"""


def test_hostile_loop(sandbox: Sandbox) -> None:
    status, _, took = after(sandbox, "def attack():\n    while True: pass")
    assert status == "timeout"
    assert took < 5


def test_hostile_sleep_that_blocks_every_signal(sandbox: Sandbox) -> None:
    status, _, took = after(
        sandbox,
        "def attack():\n"
        "    signals = real('signal')\n"
        "    signals.pthread_sigmask(signals.SIG_BLOCK, range(1, 65))\n"
        "    real('select').select([], [], [], 60)",
    )
    assert status == "timeout"
    assert took < 5


def test_hostile_memory(sandbox: Sandbox) -> None:
    status, _, took = after(sandbox, "def attack():\n    return len([0] * 10**10)")
    assert status == "error"
    assert took < 5


def test_hostile_forks(sandbox: Sandbox) -> None:
    status, value, _ = after(sandbox, "def attack():\n    while True: os.fork()")
    assert (status, value) == ("error", None)


def test_hostile_write(sandbox: Sandbox, canary: Path) -> None:
    for name in ("secret", "new"):
        status, _, _ = after(sandbox, WRITE.format(path=str(canary / name)))
        assert status == "error"
    assert [file.name for file in canary.iterdir()] == ["secret"]
    assert (canary / "secret").read_text() == "sesame"


def test_hostile_read(sandbox: Sandbox, canary: Path) -> None:
    status, value, _ = after(sandbox, READ.format(path=str(canary / "secret")))
    assert (status, value) == ("error", None)


def test_hostile_way_out_of_the_root(sandbox: Sandbox, canary: Path) -> None:
    out = "def attack():\n    os.chroot('.')\n    os.chdir('../../..')\n    return os.listdir('.')"
    assert after(sandbox, out)[0] == "error"
    status, value, _ = after(sandbox, "def attack():\n    return os.listdir('/')")
    assert (status, value) == ("ok", [[]])


def test_hostile_kill(sandbox: Sandbox) -> None:
    attack = (
        "def attack():\n"
        "    for victim in (os.getppid(), {parent}, -1):\n"
        "        try: os.kill(victim, 9)\n"
        "        except OSError: pass\n"
        "    os.kill(os.getpid(), 9)"
    )
    assert after(sandbox, attack.format(parent=os.getpid()))[0] == "killed"


def test_hostile_flood(sandbox: Sandbox) -> None:
    attack = (
        "def attack():\n"
        "    while True:\n"
        "        for file in range(64):\n"
        "            try: os.write(file, b'x' * 65536)\n"
        "            except OSError: pass"
    )
    status, _, took = after(sandbox, attack)
    assert status == "output"
    assert took < 5


def test_hostile_connection(sandbox: Sandbox, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    assert after(sandbox, CONNECT.format(port=port))[0] == "error"
    with pytest.raises(TimeoutError):
        listener.accept()


def test_hostile_look_at_the_environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "sesame")
    status, value, _ = after(sandbox, ENVIRONMENT)
    assert (status, value) == ("ok", [[]])


def test_hostile_wish_to_be_root(sandbox: Sandbox) -> None:
    status, _, _ = after(sandbox, "def attack():\n    os.setuid(0)\n    return os.getuid()")
    assert status == "error"


def test_hostile_crash(sandbox: Sandbox) -> None:
    status, _, _ = after(sandbox, "def attack():\n    real('ctypes').string_at(0)")
    assert status == "killed"


def test_hostile_result(sandbox: Sandbox) -> None:
    forged = (
        "def attack():\n"
        "    for file in range(3, 64):\n"
        '        try: os.write(file, b\'["ok", 17, ""]\')\n'
        "        except OSError: pass\n"
        "    os._exit(0)"
    )
    assert after(sandbox, forged)[0] == "killed"


def test_the_snippets_do_harm_outside(canary: Path, listener: socket.socket, bar: Bar) -> None:
    snippets = {
        WRITE.format(path=str(canary / "new")): "8",
        READ.format(path=str(canary / "secret")): "sesame",
        CONNECT.format(port=listener.getsockname()[1]): "sent",
        ENVIRONMENT: "['sesame']",
    }
    source = "\n".join(f"{ESCAPE}{snippet}\nprint(attack())" for snippet in snippets)
    told = subprocess.run(
        [sys.executable, "-I", "-c", f"import socket\n{source}"],
        env={"API_KEY": "sesame"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == list(snippets.values())
    bar("X2", harmful_outside_the_sandbox=len(snippets))


def test_programs_do_not_see_one_another(sandbox: Sandbox) -> None:
    leave = Program("import math\nmath.left = 7\ndef f(): return math.left", "f", [[]])
    look = Program("import math\ndef f(): return hasattr(math, 'left')", "f", [[]])
    assert [r.value for r in sandbox.run([leave, look])] == [[7], [False]]


def test_results_and_errors_come_back_in_order() -> None:
    sandbox = Sandbox(LIMITS, isolated=False)
    programs = [
        FINE,
        Program("import os"),
        Program("def f(:"),
        Program("x = 1"),
        Program("def f(): return {1}", "f", [[]]),
        Program("def f(): return 'y' * 100_000", "f", [[]]),
    ]
    results = sandbox.run(programs)
    told = [(r.status, r.message.partition(":")[0]) for r in results]
    assert told == [
        ("ok", ""),
        ("error", "ImportError"),
        ("error", "SyntaxError"),
        ("ok", ""),
        ("error", "TypeError"),
        ("output", ""),
    ]


def test_a_fresh_interpreter_per_program_gives_the_same() -> None:
    programs = [FINE, Program("1 / 0")]
    batch, fresh = (Sandbox(LIMITS, isolated=False, fresh=f) for f in (False, True))
    assert batch.run(programs) == fresh.run(programs)


def test_nothing_runs_where_isolation_is_wanted_and_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox = Sandbox(LIMITS)
    monkeypatch.setattr(Sandbox, "problem", "unshare: Operation not permitted")
    with pytest.raises(UserError, match=r"cannot isolate.*unshare.*isolated=False"):
        sandbox.run([FINE])


def test_measures_name_isolation_only_without_a_problem() -> None:
    sandbox = Sandbox(LIMITS)
    assert "limits" in sandbox.measures
    assert (ISOLATED in sandbox.measures) is not bool(sandbox.problem)
