"""A Llama of Hugging Face's transformers, randomly initialised: trained in full or by LoRA."""

from __future__ import annotations

import os
from typing import Any

import torch

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when the libraries are imported

from transformers import LlamaConfig, LlamaForCausalLM

from students.data.network import seeded
from students.data.tokens import TokenStudent, Writer, width_of
from teachenv.envs.datagen.items import Format
from teachenv.errors import UserError

__all__ = ["Hf"]

HEAD_WIDTH = 16


class _Network(Writer):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self._memory: Any = None

    def forward(self, tokens: torch.Tensor, n_last: int) -> torch.Tensor:
        logits: torch.Tensor = self.model(
            input_ids=tokens, logits_to_keep=n_last, use_cache=False
        ).logits
        return logits

    def start(self, questions: torch.Tensor) -> torch.Tensor:
        return self._read(questions, None)

    def go_on(self, tokens: torch.Tensor) -> torch.Tensor:
        return self._read(tokens[:, None], self._memory)

    def _read(self, tokens: torch.Tensor, memory: Any) -> torch.Tensor:
        read = self.model(
            input_ids=tokens, past_key_values=memory, logits_to_keep=1, use_cache=True
        )
        self._memory = read.past_key_values
        logits: torch.Tensor = read.logits[:, -1]
        return logits


class Hf(TokenStudent):
    """A Llama that reads the domain's own tokens; nothing is downloaded.

    It shows that the environments drive Hugging Face models, peft's adapters included.

    Args:
        format: Items with a field "tokens" and tokens as answers.
        seed: Fixes the initial parameters.
        width: Of the embedding, a multiple of 16 (the width of a head).
        layers: Blocks.
        lora_rank: Rank of the adapters that alone are trained (peft's LoRA on every linear layer
            but the head); 0 trains the whole model.
        learning_rate: AdamW's.
        batch_size: Items of a gradient step.

    Raises:
        UserError: for a format it cannot learn, or a refused value.
    """

    def __init__(
        self,
        format: Format,
        *,
        seed: int,
        width: int = 64,
        layers: int = 2,
        lora_rank: int = 0,
        learning_rate: float = 3e-3,
        batch_size: int = 32,
    ) -> None:
        n_places = width_of(format, "hf") + format.answer_width
        if width % HEAD_WIDTH or width < HEAD_WIDTH:
            raise UserError(f"width: expected a multiple of {HEAD_WIDTH}, got {width!r}")
        with seeded(seed):
            model: Any = LlamaForCausalLM(_config(format, n_places, width, layers))
            if lora_rank:
                model = _with_adapters(model, lora_rank)
        super().__init__(
            format, _Network(model), learning_rate=learning_rate, batch_size=batch_size
        )


def _config(format: Format, n_places: int, width: int, layers: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=format.n_answers,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // HEAD_WIDTH,
        max_position_embeddings=n_places,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
        initializer_range=0.1,
    )


def _with_adapters(model: Any, rank: int) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    return get_peft_model(model, config)
