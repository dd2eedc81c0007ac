"""teachenv: environments, teachers and students for curriculum reinforcement learning."""

from teachenv.env import TaskEnv
from teachenv.envs import register_all
from teachenv.protocols import Outcome, Trial
from teachenv.space import Dim, Task, TaskError, TaskSpace
from teachenv.vector import CurriculumVector
from teachenv.wrap import CurriculumWrapper, Parameterize

__all__ = [
    "CurriculumVector",
    "CurriculumWrapper",
    "Dim",
    "Outcome",
    "Parameterize",
    "Task",
    "TaskEnv",
    "TaskError",
    "TaskSpace",
    "Trial",
]
__version__ = "0.1.0"

register_all()
