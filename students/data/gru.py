"""A small recurrent network that writes answers token after token: the quickest reader."""

from __future__ import annotations

import torch
from torch import nn

from students.data.network import seeded
from students.data.tokens import TokenStudent, Writer, width_of
from teachenv.envs.datagen.items import Format

__all__ = ["Gru"]


class _Network(Writer):
    def __init__(self, n_tokens: int, width: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(n_tokens, width)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, n_tokens)
        self._memory = torch.empty(0)

    def forward(self, tokens: torch.Tensor, n_last: int) -> torch.Tensor:
        hidden, _ = self.gru(self.tokens(tokens))
        logits: torch.Tensor = self.head(hidden[:, -n_last:])
        return logits

    def start(self, questions: torch.Tensor) -> torch.Tensor:
        hidden, self._memory = self.gru(self.tokens(questions))
        logits: torch.Tensor = self.head(hidden[:, -1])
        return logits

    def go_on(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden, self._memory = self.gru(self.tokens(tokens[:, None]), self._memory)
        logits: torch.Tensor = self.head(hidden[:, -1])
        return logits


class Gru(TokenStudent):
    """A gated recurrent network (Cho et al. 2014) of one layer.

    Args:
        format: Items with a field "tokens" and tokens as answers.
        seed: Fixes the initial parameters.
        width: Of the embedding and of the state.
        learning_rate: AdamW's.
        batch_size: Items of a gradient step.

    Raises:
        UserError: for a format it cannot learn.
    """

    def __init__(
        self,
        format: Format,
        *,
        seed: int,
        width: int = 64,
        learning_rate: float = 3e-3,
        batch_size: int = 32,
    ) -> None:
        width_of(format, "gru")
        with seeded(seed):
            network = _Network(format.n_answers, width)
        super().__init__(format, network, learning_rate=learning_rate, batch_size=batch_size)
