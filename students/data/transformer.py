"""A small transformer that writes answers token after token: the usual student of text."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from students.data.network import seeded
from students.data.tokens import TokenStudent, Writer, width_of
from teachenv.envs.datagen.items import Format
from teachenv.errors import UserError

__all__ = ["Transformer"]

HEAD_WIDTH = 16

EMBEDDING_STD = 0.1
"""Of the first embeddings: ten times larger, the places of digits are found far later."""

Memory = tuple[torch.Tensor, torch.Tensor]
"""Keys and values of the tokens read so far, ``(n, heads, tokens, HEAD_WIDTH)`` each."""


class _Block(nn.Module):
    """Attention to earlier tokens, then a perceptron; both normalised before, added to."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.n_heads = width // HEAD_WIDTH
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )

    def forward(
        self, x: torch.Tensor, n_last: int, memory: Memory | None = None
    ) -> tuple[torch.Tensor, Memory]:
        """Return what becomes of the last ``n_last`` tokens of ``(n, tokens, width)``."""
        normal = self.before_attention(x)
        key, value = self._heads(self.key_value(normal)).chunk(2, dim=1)
        if memory is not None:
            key = torch.cat([memory[0], key], dim=2)
            value = torch.cat([memory[1], value], dim=2)
        query = self._heads(self.query(normal[:, -n_last:]))
        n_keys = key.shape[2]
        seen = torch.ones(n_last, n_keys, dtype=torch.bool).tril(n_keys - n_last)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        x = x[:, -n_last:] + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.mlp(self.before_mlp(x)), (key, value)

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(*x.shape[:2], -1, HEAD_WIDTH).transpose(1, 2)


class _Network(Writer):
    def __init__(self, n_tokens: int, n_places: int, width: int, layers: int) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(n_tokens, width), nn.Embedding(n_places, width)
        for embedding in (self.tokens, self.places):
            nn.init.normal_(embedding.weight, std=EMBEDDING_STD)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(layers))
        self.normal, self.head = nn.LayerNorm(width), nn.Linear(width, n_tokens)
        self._memory: list[Memory] = []

    def forward(self, tokens: torch.Tensor, n_last: int) -> torch.Tensor:
        x, last = self.tokens(tokens) + self.places.weight[: tokens.shape[1]], len(self.blocks) - 1
        for number, block in enumerate(self.blocks):
            x, _ = block(x, n_last if number == last else tokens.shape[1])
        logits: torch.Tensor = self.head(self.normal(x))
        return logits

    def start(self, questions: torch.Tensor) -> torch.Tensor:
        self._memory = []
        x = self.tokens(questions) + self.places.weight[: questions.shape[1]]
        for block in self.blocks:
            x, memory = block(x, x.shape[1])
            self._memory.append(memory)
        return self._logits(x)

    def go_on(self, tokens: torch.Tensor) -> torch.Tensor:
        place = self._memory[0][0].shape[2]
        x = self.tokens(tokens[:, None]) + self.places.weight[place]
        for number, block in enumerate(self.blocks):
            x, self._memory[number] = block(x, 1, self._memory[number])
        return self._logits(x)

    def _logits(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.normal(x[:, -1]))
        return logits


class Transformer(TokenStudent):
    """A decoder with learned places, causal throughout.

    Args:
        format: Items with a field "tokens" and tokens as answers.
        seed: Fixes the initial parameters.
        width: Of the embedding, a multiple of 16 (the width of a head).
        layers: Blocks.
        learning_rate: AdamW's.
        batch_size: Items of a gradient step.

    Raises:
        UserError: for a format it cannot learn, or another width.
    """

    def __init__(
        self,
        format: Format,
        *,
        seed: int,
        width: int = 64,
        layers: int = 2,
        learning_rate: float = 3e-3,
        batch_size: int = 32,
    ) -> None:
        if width % HEAD_WIDTH or width < HEAD_WIDTH:
            raise UserError(f"width: expected a multiple of {HEAD_WIDTH}, got {width!r}")
        n_places = width_of(format, "transformer") + format.answer_width - 1
        with seeded(seed):
            network = _Network(format.n_answers, n_places, width, layers)
        super().__init__(format, network, learning_rate=learning_rate, batch_size=batch_size)
