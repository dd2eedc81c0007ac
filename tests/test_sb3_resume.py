"""Students of Stable-Baselines3 and SBX: exact resume."""

import functools
import hashlib
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
from sb3_students import PPO, SAC, TINY, TINY_SAC, build, leaves, parameters

import students
import teachers
from students.check import state_digest
from teachenv.broker import Broker
from teachenv.experiments.checkpoint import load_checkpoint, save_checkpoint


class Session:
    """Teacher, broker and student of one run, with a state as the loop carries it."""

    def __init__(self, student_id):
        make_env, hyper = TINY[student_id]
        self.teacher = teachers.make("uniform", make_env().task_space, seed=3)
        self.broker = Broker(self.teacher, seed=3)
        self.student = students.make(student_id, make_env, self.broker, seed=3, **hyper)

    def round(self, k):
        self.student.learn(200, seed=k)
        self.broker.close_round()

    def parts(self):
        return {"student": self.student, "teacher": self.teacher, "broker": self.broker}

    def state(self):
        return {name: part.state_dict() for name, part in self.parts().items()}

    def load(self, state):
        for name, part in self.parts().items():
            part.load_state_dict(state[name])

    def fingerprint(self):
        space = self.student._lanes.observation_space
        rng = np.random.default_rng(0)
        observations = rng.normal(size=(50, *space.shape)).astype(np.float32)
        actions = hashlib.sha256(self.student.act(observations).tobytes()).hexdigest()
        return parameters(self.student), actions, state_digest(self.state())


POINTS = (1, 2)
"""After which of the three rounds a run is stopped."""


def rest_of_rounds(student_id, folder, first):
    """Load a checkpoint into new objects, play the rounds left, return the fingerprint."""
    os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)  # compiles anew, as another machine would
    session = Session(student_id)
    session.load(load_checkpoint(Path(folder)))
    for k in range(first, 3):
        session.round(k)
    return session.fingerprint()


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    """Of a student: folders of the checkpoints at POINTS, fingerprint after three rounds."""

    @functools.cache
    def played(student_id):
        session, folders = Session(student_id), {}
        for k in range(3):
            if k in POINTS:
                parent = tmp_path_factory.mktemp(student_id)
                folders[k] = save_checkpoint(parent, k, session.state())
            session.round(k)
        return folders, session.fingerprint()

    return played


def marked(student_id, *more):
    """Parameters; those of SBX are slow, as every process compiles its functions anew."""
    return pytest.param(
        student_id, *more, marks=pytest.mark.slow if student_id.startswith("sbx") else ()
    )


@pytest.mark.parametrize("library", [marked("sb3"), marked("sbx")])
def test_a_resumed_student_is_bit_identical_in_another_process(library, run_of, bar):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for student_id in (f"{library}-ppo", f"{library}-sac"):
            folders, expected = run_of(student_id)
            for k, folder in folders.items():
                assert pool.apply(rest_of_rounds, (student_id, str(folder), k)) == expected
            bar("R2", student_id, resumes=len(folders))


COMMON = [("student", "policy"), ("student", "counters"), ("teacher", "rng"), ("broker",)]
OF_PPO = [
    *COMMON,
    ("student", "normalization", "observations"),
    ("student", "normalization", "returns"),
    ("student", "signals"),
]
OF_SAC = [
    *COMMON,
    ("student", "optimizers", "actor"),
    ("student", "optimizers", "critic"),
    ("student", "replay"),
]
ITEMS = {
    "sb3-ppo": [*OF_PPO, ("student", "optimizers", "policy")],
    "sb3-sac": [
        *OF_SAC,
        ("student", "optimizers", "log_ent_coef"),
        ("student", "log_ent_coef"),
    ],
    "sbx-ppo": [
        *OF_PPO,
        ("student", "policy", "actor"),
        ("student", "policy", "critic"),
        ("student", "optimizers", "actor"),
        ("student", "optimizers", "critic"),
    ],
    "sbx-sac": [
        *OF_SAC,
        ("student", "policy", "ent_coef"),
        ("student", "optimizers", "ent_coef"),
    ],
}

FIVE = {
    "optimizers": "optimizer",
    "replay": "replay buffer",
    "rng": "teacher's generator",
    "counters": "counters",
}
"""The items no resume test may do without; the fifth, the KL coefficient, is RLlib's."""


@pytest.mark.parametrize(
    ("student_id", "dropped"),
    [marked(student_id, path) for student_id, paths in ITEMS.items() for path in paths],
    ids=lambda value: value if isinstance(value, str) else ".".join(value),
)
def test_resume_differs_when_any_one_item_is_dropped(run_of, student_id, dropped, bar):
    folders, expected = run_of(student_id)
    state, session = load_checkpoint(folders[2]), Session(student_id)
    kept, fresh = state, session.state()
    for name in dropped[:-1]:
        kept, fresh = kept[name], fresh[name]
    kept[dropped[-1]] = fresh[dropped[-1]]
    session.load(state)
    session.round(2)
    found = session.fingerprint()
    assert found[2] != expected[2]
    harmless = {("student", "signals"), ("broker",)}
    if dropped not in harmless and not (student_id in PPO and dropped[-1] == "counters"):
        assert found[0] != expected[0], "the parameters do not depend on it"
        for name in dropped:
            if name in FIVE:
                bar("R4", f"without the {FIVE[name]} {student_id} differs")
    bar("R4", items_dropped=1, noticed=int(found[2] != expected[2]))


def test_state_is_plain_data_of_no_library():
    for student_id in TINY:
        student, _ = build(student_id)
        student.learn(150, seed=0)
        kinds = {type(leaf) for leaf in leaves(student.state_dict())}
        assert kinds <= {np.ndarray, int, float, bool, str, type(None)}


@pytest.mark.parametrize("student_id", SAC)
def test_only_the_filled_part_of_the_replay_buffer_is_saved(student_id):
    student, _ = build(student_id)
    steps = student.learn(100, seed=0)
    assert len(student.state_dict()["replay"]["rewards"]) == steps
    student.learn(500, seed=1)
    assert len(student.state_dict()["replay"]["rewards"]) == TINY_SAC["buffer_size"]


@pytest.mark.parametrize("student_id", PPO)
@pytest.mark.parametrize("hidden", [(8,), (16, 16)])
def test_a_state_of_another_network_is_refused(student_id, hidden):
    student, _ = build(student_id, hidden=(16,))
    other, _ = build(student_id, hidden=hidden)
    with pytest.raises(RuntimeError):
        student.load_state_dict(other.state_dict())
    with pytest.raises(RuntimeError):
        other.load_state_dict(student.state_dict())
