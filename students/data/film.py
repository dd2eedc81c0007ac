"""A small convolutional network whose features a question modulates (FiLM)."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from students.data.network import NetworkStudent, seeded
from teachenv.envs.datagen.items import Format, Items, Prediction
from teachenv.errors import UserError
from teachenv.one_thread import one_thread

__all__ = ["Film", "FilmNet"]

CONTRAST = 32.0
"""Grey levels that count as one after an image's mean colour is taken away."""

PREDICTED = 256
"""Items answered at once: more do not fit the caches of small machines."""


class Film(NetworkStudent):
    """Learns classes from an image and a question, one pass of AdamW after another.

    FiLM after Perez et al. (2018): the question scales and shifts every channel of the image's
    features. Deviations, for size: two blocks, no batch normalisation, and a sum of word
    embeddings by position in place of a recurrent net.

    Args:
        format: Items with "image" (square, a multiple of 8 pixels wide), "tokens", and classes
            as answers.
        seed: Fixes the initial parameters.
        learning_rate: Of AdamW.
        batch_size: Items in a gradient step.
        channels: Channels of the image's features; 32 makes 71,000 parameters at 32 pixels.

    Raises:
        UserError: for a format it cannot learn.
    """

    def __init__(
        self,
        format: Format,
        *,
        seed: int,
        learning_rate: float = 2e-3,
        batch_size: int = 32,
        channels: int = 32,
    ) -> None:
        if format.answer != "class" or not {"image", "tokens"} <= set(format.fields):
            raise UserError("student film: expected items with image, tokens and classes")
        height, width, _ = format.fields["image"]
        if height != width or width % 8:
            raise UserError(f"student film: expected square images of 8 n pixels, got {width}")
        with seeded(seed):
            network = FilmNet(format, channels)
        optimizer = torch.optim.AdamW(network.parameters(), learning_rate)
        super().__init__(network, optimizer, batch_size=batch_size)

    def _examples(self, items: Items, soft: NDArray[np.float32] | None) -> tuple[torch.Tensor, ...]:
        targets = torch.from_numpy(items.answers.astype(np.int64) if soft is None else soft)
        return *self._tensors(items), targets

    def _losses(self, *data: torch.Tensor) -> torch.Tensor:
        images, tokens, targets = data
        return functional.cross_entropy(self._network(images, tokens), targets, reduction="none")

    def predict(self, items: Items) -> Prediction:
        """Answer the items; see :meth:`students.data.base.DataStudent.predict`."""
        images, tokens = self._tensors(items)
        rows = [slice(start, start + PREDICTED) for start in range(0, len(items), PREDICTED)]
        with one_thread(), torch.no_grad():
            logits = torch.cat([self._network(images[some], tokens[some]) for some in rows])
            logs = logits.log_softmax(dim=1).numpy()
        answers = logs.argmax(axis=1)
        each = np.arange(len(items))
        probabilities = np.exp(logs)
        return Prediction(
            answers.astype(np.int16),
            probabilities[each, answers],
            -logs[each, items.answers],
            probabilities,
        )

    def _tensors(self, items: Items) -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.from_numpy(items.inputs["image"]).permute(0, 3, 1, 2)
        return images, torch.from_numpy(items.inputs["tokens"].astype(np.int64))


class FilmNet(nn.Module):
    """The network: image and question in, one logit per class out.

    Args:
        format: What items look like.
        channels: Channels of the image's features.
    """

    def __init__(self, format: Format, channels: int) -> None:
        super().__init__()
        size = format.fields["image"][0]
        (n_words,) = format.fields["tokens"]
        self.words = nn.Embedding(n_words * len(format.vocabulary), 64)
        self.question = nn.Linear(64, 64)
        self.modulation = nn.Linear(64, 4 * channels)
        self.stem = nn.Conv2d(5, channels, 3, stride=2, padding=1)
        self.shrink = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.squeeze = nn.Conv2d(channels, channels // 4, 1)
        self.hidden = nn.Linear(channels // 4 * (size // 4) ** 2, 48)
        self.out = nn.Linear(48, format.n_answers)
        axis = torch.linspace(-1.0, 1.0, size)
        self.grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"))[None]
        self.offsets = torch.arange(n_words) * len(format.vocabulary)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif name == "words.weight":
                nn.init.normal_(parameter, 0.0, 1.0)
            else:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")
        nn.init.normal_(self.modulation.weight, 0.0, 0.1)

    def forward(self, images: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Return logits ``(n, n_answers)``.

        Args:
            images: Uint8, ``(n, 3, size, size)``.
            tokens: Int64, ``(n, n_words)``.
        """
        pixels = images.float()
        pixels = (pixels - pixels.mean(dim=(2, 3), keepdim=True)) / CONTRAST
        grid = self.grid.expand(len(images), -1, -1, -1)
        features = functional.relu(self.stem(torch.cat([pixels, grid], dim=1)))
        features = functional.relu(self.shrink(features))
        words = self.words(tokens + self.offsets).sum(dim=1)
        question = functional.relu(self.question(words))
        factors = self.modulation(question)[:, :, None, None].chunk(4, dim=1)
        for block, gain, shift in zip(self.blocks, factors[:2], factors[2:], strict=True):
            features = features + functional.relu((1.0 + gain) * block(features) + shift)
        flat = functional.relu(self.squeeze(features)).flatten(1)
        return cast(torch.Tensor, self.out(functional.relu(self.hidden(flat))))
