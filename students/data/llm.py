"""A language model as student: it learns from demonstrations in its context."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.items import Format, Items, Prediction
from teachenv.envs.datagen.texts import ANSWER, ask_each, read_answer, written
from teachenv.errors import UserError
from teachenv.llm import Chat, Mode
from teachenv.protocols import State

__all__ = ["Llm"]


class Llm:
    """A model behind an OpenAI-compatible server; "training" shows it examples.

    It keeps the ``n_shots`` newest samples it was trained on, in the seed's order, and is asked
    ``batch`` questions at a time. Its confidence is 1: servers need not give probabilities; the
    loss is 0 for the expected answer and ``log(n_answers)`` for any other.

    Args:
        format: Items with "tokens" and a vocabulary.
        seed: Not needed: the model is what it is.
        model: See :class:`teachenv.llm.Chat`, also for the next four.
        base_url: Where the server is.
        api_key_env: Environment variable that holds the key.
        mode: "live", "record" or "replay".
        cassette: A file of exchanges.
        n_shots: Examples shown with every question.
        batch: Questions in one request.

    Raises:
        UserError: for a format without a vocabulary, or of anything but tokens.
    """

    def __init__(
        self,
        format: Format,
        *,
        seed: int,
        model: str = "",
        base_url: str = "",
        api_key_env: str = "OPENAI_API_KEY",
        mode: Mode = "live",
        cassette: str = "",
        n_shots: int = 32,
        batch: int = 20,
    ) -> None:
        if set(format.fields) != {"tokens"} or not format.vocabulary:
            raise UserError(
                "student llm: expected items of tokens with a vocabulary and nothing besides, got "
                f"items of {', '.join(format.fields)}; pictures are not shown to language models"
            )
        if not model:
            raise UserError("student llm: name a model (student argument model=...)")
        self.chat = Chat(
            model, base_url=base_url, api_key_env=api_key_env, mode=mode, cassette=cassette
        )
        self._format = format
        self._n_shots, self._batch = n_shots, batch
        (width,) = format.fields["tokens"]
        self._questions = np.zeros((0, width), dtype=np.int16)
        self._answers = np.zeros((0, *self._answer_shape), dtype=np.int16)

    @property
    def _answer_shape(self) -> tuple[int, ...]:
        return () if self._format.answer == "class" else (self._format.answer_width,)

    def train(
        self,
        items: Items,
        *,
        seed: int,
        epochs: int = 1,
        weights: NDArray[np.float32] | None = None,
        soft: NDArray[np.float32] | None = None,
    ) -> None:
        """Remember examples; see :meth:`students.data.base.DataStudent.train`.

        ``epochs`` and ``weights`` mean nothing to it, but an item of weight 0 is left out.

        Raises:
            ValueError: if ``soft`` is given.
        """
        if soft is not None:
            raise ValueError("student llm: soft labels cannot be shown as examples")
        order = np.random.default_rng(seed).permutation(len(items))
        if weights is not None:
            order = order[weights[order] > 0]
        questions = np.concatenate([self._questions, items.inputs["tokens"][order]])
        answers = np.concatenate([self._answers, items.answers[order]])
        first = max(0, len(questions) - self._n_shots)
        self._questions, self._answers = questions[first:], answers[first:]

    def predict(self, items: Items) -> Prediction:
        """Ask the model; what is no answer of the vocabulary counts as wrong."""
        questions = items.inputs["tokens"]
        texts: list[str] = []
        for start in range(0, len(items), self._batch):
            texts += self._ask(questions[start : start + self._batch])
        answers = np.zeros((len(items), *self._answer_shape), dtype=np.int16)
        for index, text in enumerate(texts):
            answer = read_answer(self._format, text)
            if answer is not None:
                answers[index] = answer
        given = (answers == items.answers).reshape(len(items), -1).all(axis=1)
        loss = np.where(given, 0.0, np.log(self._format.n_answers)).astype(np.float32)
        return Prediction(answers, np.ones(len(items), dtype=np.float32), loss)

    def state_dict(self) -> State:
        """Return the examples."""
        return {"questions": self._questions.copy(), "answers": self._answers.copy()}

    def load_state_dict(self, state: State) -> None:
        """Become the student :meth:`state_dict` was taken from."""
        self._questions, self._answers = state["questions"].copy(), state["answers"].copy()

    def _ask(self, questions: NDArray[np.int16]) -> list[str]:
        """Return one text per question; empty ones where the reply lacks them."""
        shown = [
            f"Q: {written(self._format, q)}\nA: {written(self._format, a)}"
            for q, a in zip(self._questions, self._answers, strict=True)
        ]
        texts = [written(self._format, question) for question in questions]
        return ask_each(self.chat, ANSWER, texts, "answers", before=shown)
