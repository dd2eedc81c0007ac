"""Language models behind any server that speaks OpenAI's chat protocol, recorded and replayed.

One client serves OpenAI, vLLM, llama.cpp and Ollama: only ``base_url`` differs. A *cassette* keeps
exchanges, so that runs can be repeated and tests need no server.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from teachenv.errors import UserError, one_of

__all__ = ["Chat", "Mode", "NoJsonError", "read_json"]

Mode = Literal["live", "record", "replay"]
Message = Mapping[str, str]
"""``{"role": "system" | "user" | "assistant", "content": text}``."""


class NoJsonError(UserError):
    """A model's answer holds no JSON."""


@dataclass
class Chat:
    """A model that answers messages.

    Answers are cached by what was asked: the same question is sent once per object, and a
    cassette makes a whole run repeatable. Keys and addresses are never written.

    Args:
        model: Name the server knows it by.
        base_url: Where the server is, e.g. "http://localhost:8000/v1"; OpenAI's if empty.
        api_key_env: Environment variable that holds the key. Servers of one's own need none.
        temperature: Of the sampling; 0 for the most likely answer.
        max_tokens: Of an answer.
        timeout_s: Seconds to wait for an answer, at most.
        mode: "live" asks the server; "record" also keeps the exchanges in ``cassette``;
            "replay" reads them from there and asks nobody.
        cassette: A file of JSON lines.

    Raises:
        UserError: for a mode without a cassette, or a cassette that cannot be read.
    """

    model: str
    base_url: str = ""
    api_key_env: str = "OPENAI_API_KEY"
    temperature: float = 0.0
    max_tokens: int = 2048
    timeout_s: float = 120.0
    mode: Mode = "live"
    cassette: str = ""
    n_calls: int = field(default=0, init=False)
    """Requests sent to a server."""
    n_tokens: int = field(default=0, init=False)
    """Tokens these cost, both ways, as the server counts them."""

    def __post_init__(self) -> None:
        one_of("mode of a chat", self.mode, ("live", "record", "replay"))
        if self.mode != "live" and not self.cassette:
            raise UserError(f"chat: mode {self.mode!r} needs a cassette (a file)")
        self._client: Any = None
        self._known: dict[str, str] = {}
        if self.mode == "replay" or (self.mode == "record" and Path(self.cassette).exists()):
            self._known = _read_cassette(Path(self.cassette))

    def ask(self, messages: Sequence[Message], *, as_json: bool = False) -> str:
        """Return the model's answer.

        Args:
            messages: The conversation so far.
            as_json: Ask the server for a JSON object (its JSON mode).

        Raises:
            UserError: if nothing like it was recorded (replay), openai is not installed, or the
                server cannot be reached or refuses.
        """
        request: dict[str, Any] = {
            "model": self.model,
            "messages": [dict(message) for message in messages],
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
        }
        if as_json:
            request["response_format"] = {"type": "json_object"}
        key = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        if key not in self._known:
            if self.mode == "replay":
                last = request["messages"][-1]["content"]
                raise UserError(
                    f"chat: {self.cassette} holds no answer to {last!r:.120}; record it again "
                    '(mode="record") with a server'
                )
            self._known[key] = self._send(request)
            if self.mode == "record":
                row = {"key": key, "request": request, "answer": self._known[key]}
                with Path(self.cassette).open("a") as file:
                    file.write(json.dumps(row) + "\n")
        return self._known[key]

    def _send(self, request: dict[str, Any]) -> str:
        try:
            import openai
        except ModuleNotFoundError:
            raise UserError(
                'language models need openai, which is not installed: pip install "teachenv[llm]"'
            ) from None
        if self._client is None:
            key = os.environ.get(self.api_key_env) or ("none" if self.base_url else None)
            if key is None:
                raise UserError(
                    f"chat: set {self.api_key_env}, or name a server of your own by base_url"
                )
            self._client = openai.OpenAI(
                api_key=key, base_url=self.base_url or None, timeout=self.timeout_s, max_retries=2
            )
        try:
            reply = self._client.chat.completions.create(**request)
        except openai.OpenAIError as error:
            where = self.base_url or "OpenAI"
            raise UserError(f"chat: {where}, model {self.model!r}: {error}") from error
        self.n_calls += 1
        if reply.usage is not None:
            self.n_tokens += reply.usage.total_tokens
        return reply.choices[0].message.content or ""


def read_json(text: str) -> Any:
    """Return the JSON value in a model's answer, fenced or with words around it.

    Raises:
        NoJsonError: if there is none.
    """
    decoder = json.JSONDecoder()
    for start, letter in enumerate(text):
        if letter in "{[":
            try:
                return decoder.raw_decode(text, start)[0]
            except (ValueError, RecursionError):
                continue
    raise NoJsonError(f"expected JSON, got {text!r:.120}")


def _read_cassette(path: Path) -> dict[str, str]:
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        return {str(row["key"]): str(row["answer"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: not a cassette of exchanges: {error}") from None
