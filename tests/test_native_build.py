"""The compiled modules: what they hold, what they show, and life without them."""

import ast
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from teachenv.errors import UserError

native = pytest.importorskip(
    "teachenv.envs.bipedal._native",
    reason="the native engine (teachenv.envs.bipedal._native) is not built",
    exc_type=ModuleNotFoundError,
)

BIPEDAL = Path(native.__file__).parent
WITHOUT_ENGINE = """
import sys, warnings
sys.modules["teachenv.envs.bipedal._native_baseline"] = None
import gymnasium as gym
import teachenv
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    envs = [gym.make("teachenv/StumpTracks-v0").unwrapped for _ in range(2)]
    envs[0].reset(seed=0)
    many = gym.make_vec("teachenv/StumpTracks-v0", num_envs=2)
    many.reset(seed=0)
    envs += many.envs
messages = [str(w.message) for w in caught if "compiled engine" in str(w.message)]
backends = {env.unwrapped.backend for env in envs}
print(backends, len(envs), len(messages), "pip install" in messages[0])
"""


def stub_names(body):
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign):
            yield node.target.id


@pytest.mark.parametrize("isa", native.ISAS)
def test_every_build_holds_what_the_stub_lists(isa):
    module = native.load(isa)
    stub = ast.parse((BIPEDAL / "_native_baseline.pyi").read_text())
    public = {name for name in dir(module) if not name.startswith("_")}
    assert public == set(stub_names(stub.body))
    (engine,) = (node for node in stub.body if isinstance(node, ast.ClassDef))
    public = {name for name in dir(module.Engine) if not name.startswith("_")}
    assert public == set(stub_names(engine.body)) - {"__init__"}


@pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump of binutils")
@pytest.mark.parametrize("isa", native.ISAS)
def test_no_build_fuses_multiplications_and_additions(isa):
    code = subprocess.run(
        ["objdump", "-d", native.load(isa).__file__], capture_output=True, text=True, check=True
    ).stdout
    assert re.search(r"\s(v?mulss|fmul)\s", code)
    assert not re.findall(r"\s(vfn?m(?:add|sub)\w*|fn?m(?:add|sub|la|ls))\s", code)


def test_the_fastest_build_is_the_default():
    assert native.ISAS[0] == "baseline"
    fastest = importlib.import_module(f"teachenv.envs.bipedal._native_{native.ISAS[-1]}")
    assert native.load() is native.load("auto") is fastest
    assert native.ISAS == fastest.ISAS


def test_unknown_instruction_sets_are_refused():
    with pytest.raises(UserError, match="unknown isa 'mmx'; known: auto, baseline"):
        native.load("mmx")


def test_without_the_engine_the_reference_physics_play_with_one_warning():
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_ENGINE], capture_output=True, text=True, check=True
    )
    assert ran.stdout.split("\n")[0] == "{'reference'} 4 1 True"
