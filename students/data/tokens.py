"""What the students that write token after token share: training, answering and state."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from students.data.network import NetworkStudent
from teachenv.envs.datagen.items import Format, Items, Prediction
from teachenv.errors import UserError
from teachenv.one_thread import one_thread

__all__ = ["TokenStudent", "Writer", "width_of"]

MAX_ROWS = 512
"""Questions answered at once: more do not fit the caches of small machines."""


class Writer(nn.Module):
    """A network that continues rows of tokens."""

    def forward(self, tokens: torch.Tensor, n_last: int) -> torch.Tensor:
        """Return logits of the tokens after each of the last ``n_last`` given.

        Args:
            tokens: Int64 of shape ``(n, width)``.
            n_last: How many.

        Returns:
            Float32 of shape ``(n, n_last, n_answers)``.
        """
        raise NotImplementedError

    def write(self, questions: torch.Tensor, n_tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Write on from questions, every time the likeliest token, up to the padding.

        Args:
            questions: Int64 of shape ``(n, width)``.
            n_tokens: The most tokens to write.

        Returns:
            The tokens, int64 ``(n, n_tokens)``, 0 after the first 0, and the log probability
            of each answer, float32 ``(n,)``.
        """
        written: list[torch.Tensor] = []
        log_probability = torch.zeros(len(questions))
        going = torch.ones(len(questions), dtype=torch.bool)
        logits = self.start(questions)
        for _ in range(n_tokens):
            best, token = functional.log_softmax(logits, dim=-1).max(dim=-1)
            written.append(torch.where(going, token, 0))
            log_probability += torch.where(going, best, 0.0)
            going = going & (token != 0)
            if not going.any() or len(written) == n_tokens:
                break
            logits = self.go_on(written[-1])
        tokens = torch.stack(written, dim=1)
        return functional.pad(tokens, (0, n_tokens - len(written))), log_probability

    def start(self, questions: torch.Tensor) -> torch.Tensor:
        """Read questions; return the next token's logits, ``(n, n_answers)``."""
        raise NotImplementedError

    def go_on(self, tokens: torch.Tensor) -> torch.Tensor:
        """Read one more token per question, ``(n,)``; return the next one's logits."""
        raise NotImplementedError


class TokenStudent(NetworkStudent):
    """Learns answers of tokens by the cross entropy of every token, padding's first included.

    Questions have one fixed width and so have answers, so a token's place always means the
    same. Training is AdamW. Where answers are graded by equality,
    one pass over question and answer tells both the loss and the answer: the likeliest tokens
    given the right ones before. That answer is right exactly if the freely written one is; up
    to its first mistake the two are equal. Formats with ``free`` have answers really written.

    Args:
        format: Items with a field "tokens" and tokens as answers.
        network: The network.
        learning_rate: AdamW's.
        batch_size: Items of a gradient step.

    Raises:
        UserError: for a format it cannot learn.
    """

    max_norm = 1.0
    _network: Writer

    def __init__(
        self, format: Format, network: Writer, *, learning_rate: float, batch_size: int
    ) -> None:
        trained = [p for p in network.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(
            trained, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True
        )
        super().__init__(network, optimizer, batch_size=batch_size)
        self._format = format

    def _examples(self, items: Items, soft: NDArray[np.float32] | None) -> tuple[torch.Tensor, ...]:
        if soft is not None:
            raise ValueError("soft: only where answers are classes; these are sequences")
        return self._tensors(items)

    def _losses(self, *data: torch.Tensor) -> torch.Tensor:
        loss, _ = self._read(*data)
        return loss

    def predict(self, items: Items) -> Prediction:
        """Answer the items; see :meth:`students.data.base.DataStudent.predict`."""
        inputs, targets = self._tensors(items)
        parts = []
        with one_thread(), torch.no_grad():
            for rows in torch.split(torch.arange(len(items)), MAX_ROWS):
                parts.append(self._answer(inputs[rows], targets[rows]))
        answers, confidence, loss = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
        return Prediction(answers.astype(np.int16), confidence, loss)

    def _answer(
        self, inputs: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        loss, logits = self._read(inputs, targets)
        if self._format.free:
            width = self._format.answer_width
            answers, chance = self._network.write(inputs[:, : 1 - width or None], width)
        else:
            best, tokens = functional.log_softmax(logits, dim=-1).max(dim=-1)
            counted = _counted(targets)
            answers, chance = tokens * counted, (best * counted).sum(dim=1)
        return answers, chance.exp(), loss

    def _read(
        self, inputs: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the loss of every item ``(n,)`` and the logits of its answer's tokens."""
        logits = self._network(inputs, targets.shape[1])
        each = functional.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
        counted = _counted(targets)
        return (each * counted).sum(dim=1) / counted.sum(dim=1), logits

    def _tensors(self, items: Items) -> tuple[torch.Tensor, torch.Tensor]:
        """Return question and answer but its last token, and the answer; int64."""
        question = torch.from_numpy(items.inputs["tokens"].astype(np.int64))
        targets = torch.from_numpy(items.answers.astype(np.int64))
        return torch.cat([question, targets[:, :-1]], dim=1), targets


def width_of(format: Format, student: str) -> int:
    """Return the tokens of a question.

    Raises:
        UserError: for a format that asks or answers otherwise.
    """
    if format.answer != "tokens" or "tokens" not in format.fields:
        raise UserError(f"student {student}: expected items with tokens and tokens as answers")
    return format.fields["tokens"][0]


def _counted(targets: torch.Tensor) -> torch.Tensor:
    """Return 1 up to the first padding of every answer, that included, and 0 after it."""
    before = functional.pad(targets[:, :-1] != 0, (1, 0), value=True)
    return before.float()
