"""A language model that reads how its student does and writes the next plan."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from teachenv.errors import UserError
from teachenv.lesson import DataPlan, Lesson, PlanItem, Reading, Syllabus
from teachenv.llm import Chat, Mode, NoJsonError, read_json
from teachenv.protocols import State
from teachers.data.base import DataTeacher

__all__ = ["Llm"]

_SYSTEM = """\
You are a teacher. A student learns from training samples that you order, lesson by lesson; you
see its accuracy on every skill and level between lessons. Order the samples that help it most.
Reply with one JSON object:
{"items": [{"skill": name, "level": number, "count": number}, ...], "reason": "one sentence"}
The counts must add up to the samples of the lesson. Some cells may be impossible to learn."""


class Llm(DataTeacher):
    """A language model behind an OpenAI-compatible server, asked once per lesson.

    DataEnvGym's policy (Khan et al., 2024) with a plan instead of items: the engine writes the
    data, and a reply is validated item by item. Samples of items that are none, and samples
    beyond those of the lesson, are lost; ``describe`` counts them.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63]; not used: the model is what it is.
        model: See :class:`teachenv.llm.Chat`, also for the next five.
        base_url: Where the server is.
        api_key_env: Environment variable that holds the key.
        temperature: Of the sampling.
        mode: "live", "record" or "replay".
        cassette: A file of exchanges.
        with_state: Tell it how the student does; without, only what there is to teach: the
            paper's "no state" control.

    Raises:
        UserError: if no model is named, or the cassette is refused.
    """

    id = "llm"

    def __init__(
        self,
        syllabus: Syllabus,
        *,
        seed: int = 0,
        model: str = "",
        base_url: str = "",
        api_key_env: str = "OPENAI_API_KEY",
        temperature: float = 0.0,
        mode: Mode = "live",
        cassette: str = "",
        with_state: bool = True,
    ) -> None:
        super().__init__(syllabus, seed=seed)
        if not model:
            raise UserError("teacher llm: name a model (teacher argument model=...)")
        self.chat = Chat(
            model,
            base_url=base_url,
            api_key_env=api_key_env,
            temperature=temperature,
            mode=mode,
            cassette=cassette,
        )
        self._with_state = with_state
        self._lost = {"items": 0, "samples": 0}
        self._reason = ""

    def _plan(self, reading: Reading) -> DataPlan:
        messages = [
            {"role": "system", "content": _SYSTEM},
            {"role": "user", "content": self._prompt(reading)},
        ]
        reply = self.chat.ask(messages, as_json=True)
        items, n_bad, reason = self._read(reply)
        kept, left = [], self.syllabus.n_samples
        for item in items:
            count = min(item.count, left)
            left -= count
            kept.append(PlanItem(item.skill, item.level, count, item.options))
        self._lost["items"] += n_bad
        self._lost["samples"] += left
        self._reason = reason
        return DataPlan(tuple(item for item in kept if item.count), reason)

    def _prompt(self, reading: Reading) -> str:
        syllabus = self.syllabus
        lines = [
            f"Skills: {', '.join(syllabus.skills)}. Levels: 0 (easiest) to "
            f"{syllabus.n_levels - 1}. Samples of this lesson: {syllabus.n_samples}. "
            f"Lesson {reading.step + 1} of {syllabus.n_steps}."
        ]
        if self._with_state:
            lines.append("skill | level | accuracy | change | share of all samples so far")
            for skill, level in np.ndindex(*syllabus.shape):
                if reading.visible[skill, level]:
                    told = f"{reading.accuracy[skill, level]:.2f} | "
                    told += f"{reading.delta[skill, level]:+.2f}"
                else:
                    told = "unknown | unknown"
                share = reading.data_share[skill, level]
                lines.append(f"{syllabus.skills[skill]} | {level} | {told} | {share:.2f}")
            if reading.report.get("errors"):
                lines.append("Some wrong answers: " + json.dumps(reading.report["errors"])[:4000])
        return "\n".join(lines)

    def _read(self, reply: str) -> tuple[list[PlanItem], int, str]:
        """Return the good items of a reply, how many were none, and the reason."""
        try:
            value = read_json(reply)
            rows = list(value["items"])
        except (NoJsonError, KeyError, TypeError):
            return [], 1, ""
        items: list[PlanItem] = []
        for row in rows:
            try:
                items += DataPlan.from_json({"items": [row]}, self.syllabus).items
            except UserError:
                continue
        return items, len(rows) - len(items), str(value.get("reason", ""))[:1000]

    def _learn(self, lesson: Lesson) -> None:
        """A model of the server's is not changed by what it sees."""

    def _describe(self) -> dict[str, Any]:
        lost = {f"lost_{name}": count for name, count in self._lost.items()}
        return {"reason": self._reason, **lost}

    def _state(self) -> State:
        return {"lost": dict(self._lost), "reason": self._reason}

    def _load_state(self, state: State) -> None:
        self._lost, self._reason = dict(state["lost"]), state["reason"]
