"""What runs inside a sandbox: read a job, lock the door, run every program in a process of its own.

Started by :class:`teachenv.envs.datagen.sandbox.Sandbox` as ``python -I -S inside.py`` with an
empty environment. It reads one JSON job from standard input and writes JSON lines: first the
measures in force, then one result per program. Standard library only.

The order of locking: another user, new namespaces, (a process that is number 1 in them:) an empty
read-only file system, no capabilities, no new privileges; each program then has limits of its own.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any, NoReturn

_NOBODY = 65534
_NAMESPACES = {  # from linux/sched.h
    "user namespace": 0x10000000,
    "process namespace": 0x20000000,
    "network namespace": 0x40000000,
    "file namespace": 0x00020000,
    "ipc namespace": 0x08000000,
}
_READ_ONLY = 1 | 2 | 4 | 8  # MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC
_PDEATHSIG, _DUMPABLE, _NO_NEW_PRIVS = 1, 4, 38  # from linux/prctl.h
_CAPABILITIES = 0x20080522
_MISSING_BUILTINS = ("open", "input", "breakpoint", "help", "exit", "quit")

_linux = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Do one job."""
    job = json.load(sys.stdin)
    for name in job["modules"]:
        importlib.import_module(name)
    measures, problem = ["limits"], "needs Linux"
    if _linux:
        measures += _other_user()
        problem = _enter_namespaces()
        _libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # what goes before would clear it
    if problem:
        _work(job, measures, problem)
        return
    child = os.fork()
    if child == 0:
        _libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        problem = _empty_files()
        inside = [*_NAMESPACES, "no files"] if not problem else []
        _work(job, [*measures, *inside], problem)
        os._exit(0)
    os.waitpid(child, 0)


def _other_user() -> list[str]:
    """Become nobody, if that is allowed."""
    if os.geteuid() != 0:
        return []
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    _libc.prctl(_DUMPABLE, 1, 0, 0, 0)  # else its own uid_map could not be written
    return ["other user"]


def _enter_namespaces() -> str:
    """Enter new namespaces; return what went wrong, or nothing."""
    user, group = os.geteuid(), os.getegid()
    if _libc.unshare(sum(_NAMESPACES.values())) != 0:
        return f"unshare: {os.strerror(ctypes.get_errno())}"
    maps = {"setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}
    try:
        for name, text in maps.items():
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    except OSError as error:
        return str(error)
    return ""


def _empty_files() -> str:
    """Make an empty read-only file system the root; return what went wrong, or nothing."""
    if _libc.mount(b"tmpfs", b"/proc", b"tmpfs", _READ_ONLY, b"size=4k") != 0:
        return f"mount: {os.strerror(ctypes.get_errno())}"
    try:
        os.chroot("/proc")
        os.chdir("/")
    except OSError as error:
        return f"chroot: {error}"
    return ""


def _work(job: dict[str, Any], measures: list[str], problem: str) -> None:
    """Give up all privileges, then run the programs one after another."""
    if _linux:
        header = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0)
        _libc.capset(header, (ctypes.c_uint32 * 6)())
        if _libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
            measures.append("no new privileges")
        _libc.prctl(_DUMPABLE, 0, 0, 0, 0)  # programs cannot look into this process
    _tell({"measures": measures, "problem": problem})
    for program in job["programs"] if not problem or not job["isolated"] else ():
        _tell(_run(program, job["limits"]))


def _tell(value: dict[str, Any]) -> None:
    data = json.dumps(value).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


def _run(program: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    """Run a program in a child; whatever it does, return within the time limit."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _be_program(program, limits, writer)
    os.close(writer)
    data, verdict = _listen(reader, limits)
    os.close(reader)
    if os.getpid() == 1:
        os.kill(-1, signal.SIGKILL)  # all there is besides this process in its namespace
    else:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while os.getpid() == 1:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    if verdict:
        return {"status": verdict, "value": None, "message": ""}
    try:
        status, value, message = json.loads(data)
        if status in ("ok", "error") and isinstance(value, list | None):
            return {"status": status, "value": value, "message": str(message)}
    except (ValueError, TypeError, RecursionError):
        pass
    return {"status": "killed", "value": None, "message": "it ended without a result"}


def _listen(reader: int, limits: dict[str, Any]) -> tuple[bytes, str]:
    """Return what a program wrote until it ended, and "timeout" or "output" if it was cut off."""
    data, deadline = b"", time.monotonic() + limits["seconds"]
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            return data, "timeout"
        piece = os.read(reader, 65536)
        if not piece:
            return data, ""
        data += piece
        if len(data) > limits["output_bytes"]:
            return b"", "output"


def _be_program(program: dict[str, Any], limits: dict[str, Any], writer: int) -> NoReturn:
    """Limit this process, run the program, write its result and end."""
    os.setsid()
    memory = limits["memory_mb"] * 2**20
    seconds = int(limits["seconds"]) + 1
    for name, most in (
        ("RLIMIT_AS", memory),
        ("RLIMIT_CPU", seconds),
        ("RLIMIT_FSIZE", 0),
        ("RLIMIT_NOFILE", writer + 1),
        ("RLIMIT_NPROC", 0),
        ("RLIMIT_CORE", 0),
    ):
        resource.setrlimit(getattr(resource, name), (most, most))
    for standard in range(3):
        with contextlib.suppress(OSError):
            os.close(standard)
    os.closerange(3, writer)
    try:
        data = json.dumps(["ok", _value(program), ""]).encode()
    except BaseException as error:  # noqa: BLE001  # programs raise what they like
        message = f"{type(error).__name__}: {error}"[:500]
        data = json.dumps(["error", None, message]).encode()
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(writer, data) :]
    os._exit(0)


def _value(program: dict[str, Any]) -> list[Any] | None:
    """Run a program; return what its function gives for every input."""
    names: dict[str, Any] = {"__name__": "program", "__builtins__": _builtins()}
    exec(compile(program["source"], "<program>", "exec"), names)
    if not program["call"]:
        return None
    function = names[program["call"]]
    return [function(*arguments) for arguments in program["inputs"]]


def _builtins() -> dict[str, Any]:
    """Return the builtins without files; only modules loaded before can be imported.

    A guard against accidents: whoever wants to finds a way round it, into an empty world.
    """
    loaded = set(sys.modules) - {"os", "sys", "ctypes", "resource", "signal", "builtins"}

    def import_loaded(name: str, *rest: Any, **named: Any) -> Any:
        if name not in loaded:
            raise ImportError(f"module {name!r} is not offered here")
        return importlib.__import__(name, *rest, **named)

    kept = {k: v for k, v in vars(builtins).items() if k not in _MISSING_BUILTINS}
    return {**kept, "__import__": import_loaded}


if __name__ == "__main__":
    main()
