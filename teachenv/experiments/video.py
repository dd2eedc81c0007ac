"""Videos: write frames to a file, and record an episode of a student."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachenv.env import MakeEnv, task_contract, to_score
from teachenv.errors import UserError
from teachenv.protocols import Outcome
from teachenv.space import TaskSpace

Frame = NDArray[np.uint8]
Act = Callable[[NDArray[Any]], NDArray[Any]]

GIF_FPS = 20.0
"""GIFs of episodes drop frames down to this rate, to stay small."""

MIN_WIDTH = 400
"""Narrower frames are enlarged by a whole number, so that captions fit."""


class VideoError(UserError):
    """A video cannot be made; the message says what to do."""


def record_video(
    act: Act,
    make_env: MakeEnv,
    task: ArrayLike,
    level_seed: int,
    path: str | Path,
    max_steps: int | None = None,
) -> Outcome:
    """Play one episode and write it as a video, captioned with task and return so far.

    Args:
        act: Maps observations of shape ``(1, ...)`` to actions of shape ``(1, ...)``, as
            :meth:`teachenv.protocols.Student.act` does.
        make_env: Recipe of the environment; ``render_mode="rgb_array"`` is added.
        task: The task, shape ``(dim,)``.
        level_seed: With the task it fixes the level.
        path: File to write, ending in ``.mp4`` (needs the ``render`` extra) or ``.gif``.
        max_steps: Stop after so many steps even if the episode goes on.

    Returns:
        What the episode came to; status "lost" if ``max_steps`` cut it short.

    Raises:
        VideoError: if the environment renders no frames, or the format cannot be written.
    """
    path = check_path(path)
    recipe = replace(make_env, kwargs={**make_env.kwargs, "render_mode": "rgb_array"})
    env = recipe()
    try:
        rate = float(env.metadata.get("render_fps") or 30)
        keep = math.ceil(rate / GIF_FPS) if path.suffix == ".gif" else 1
        playing = _Episode(env, act, task, level_seed, max_steps or 2**63, keep)
        write_video(playing.frames(), path, fps=rate / keep)
        return playing.outcome()
    finally:
        env.close()


class _Episode:
    """An episode that is played while its frames are read."""

    def __init__(
        self, env: Any, act: Act, task: ArrayLike, level_seed: int, max_steps: int, keep: int
    ) -> None:
        self._env, self._act, self._keep = env, act, keep
        self._space, self._return_range, self._mastery = task_contract(env)
        self._task, self._level_seed = self._space.task(task), int(level_seed)
        self._max_steps = max_steps
        self._return, self._length, self._over = 0.0, 0, False

    def frames(self) -> Iterator[Frame]:
        """Play; yield every ``keep``-th frame and the last."""
        options = {"task": self._task, "level_seed": self._level_seed}
        observation, _ = self._env.reset(options=options)
        yield self._frame()
        stop = self._length >= self._max_steps
        while not stop:
            action = self._act(np.asarray(observation)[None])[0]
            observation, reward, terminated, truncated, _ = self._env.step(action)
            self._return += float(reward)
            self._length += 1
            self._over = bool(terminated or truncated)
            stop = self._over or self._length >= self._max_steps
            if stop or self._length % self._keep == 0:
                yield self._frame()

    def outcome(self) -> Outcome:
        """Return what the episode came to."""
        return Outcome(
            score=to_score(self._return, self._return_range),
            episode_return=self._return,
            episode_length=self._length,
            success=self._return > self._mastery,
            status="ok" if self._over else "lost",
        )

    def _frame(self) -> Frame:
        image = self._env.render()
        if not isinstance(image, np.ndarray) or image.ndim != 3:
            raise VideoError(
                f"{self._env}: expected render() to return an RGB array of shape (height, width, "
                f"3), got {type(image).__name__}; does it support render_mode='rgb_array'?"
            )
        larger = math.ceil(MIN_WIDTH / image.shape[1])
        image = image[:, :, :3].repeat(larger, axis=0).repeat(larger, axis=1)
        state = f"step {self._length}   return {self._return:.1f}"
        if self._return > self._mastery:
            state += "   mastered"
        return caption(image, [task_text(self._space, self._task), state])


def task_text(space: TaskSpace, task: ArrayLike) -> str:
    """Return a task as text with units: ``stump_height 1.25 terrain steps, ...``."""
    values = space.to_dict(task)
    units = (f" {dim.unit}" if dim.unit else "" for dim in space)
    parts = (
        f"{name} {value:.3g}{unit}" if isinstance(value, float) else f"{name} {value}{unit}"
        for (name, value), unit in zip(values.items(), units, strict=True)
    )
    return ", ".join(parts)


def caption(image: Frame, lines: list[str]) -> Frame:
    """Return ``image`` with lines of text on a strip above it; long lines are wrapped."""
    from PIL import Image, ImageDraw, ImageFont

    size = max(11, image.shape[1] // 42)
    font = ImageFont.load_default(size)
    room = max(20, int(image.shape[1] / (0.52 * size)))
    wrapped = [part for line in lines for part in textwrap.wrap(line, room)]
    line_height = round(size * 1.4)
    strip = Image.new("RGB", (image.shape[1], line_height * len(wrapped) + size), "white")
    text = ImageDraw.Draw(strip)
    for k, line in enumerate(wrapped):
        text.text((size // 2, size // 2 + k * line_height), line, fill="#262626", font=font)
    return np.concatenate([np.asarray(strip, dtype=np.uint8), image])


# -- files ----------------------------------------------------------------------------------


def check_path(path: str | Path) -> Path:
    """Return ``path`` if a video can be written there.

    Raises:
        VideoError: for an unknown format, or for mp4 where the encoder is not installed.
    """
    path = Path(path)
    if path.suffix not in (".gif", ".mp4"):
        raise VideoError(f"{path}: expected a name ending in .mp4 or .gif")
    if path.suffix == ".mp4":
        try:
            import imageio_ffmpeg  # type: ignore[import-untyped]  # noqa: F401
        except ImportError:
            raise VideoError(
                f"{path}: writing mp4 needs the render extra (pip install 'teachenv[render]'); "
                "gif works without"
            ) from None
    return path


def write_video(frames: Iterable[Frame], path: str | Path, fps: float) -> None:
    """Write RGB frames as mp4 (H.264) or looping gif, by the suffix of ``path``.

    Args:
        frames: uint8 arrays of one shape ``(height, width, 3)``; read one by one.
        path: File to write; an existing one is replaced, by a whole one only.
        fps: Frames per second.

    Raises:
        VideoError: for an unknown format, no frames, or a missing encoder.
    """
    path = check_path(path)
    stream = iter(frames)
    first = next(stream, None)
    if first is None:
        raise VideoError(f"{path}: no frames to write")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.writing{path.suffix}")
    write = _write_mp4 if path.suffix == ".mp4" else _write_gif
    try:
        write(itertools.chain([first], stream), first.shape, partial, fps)
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


def _write_gif(frames: Iterator[Frame], shape: tuple[int, ...], path: Path, fps: float) -> None:
    from PIL import Image

    images = (Image.fromarray(frame).quantize(255, Image.Quantize.MAXCOVERAGE) for frame in frames)
    first = next(images)
    duration = max(20, round(100 / fps) * 10)  # gif counts hundredths of a second
    first.save(path, save_all=True, append_images=images, duration=duration, loop=0)


def _write_mp4(frames: Iterator[Frame], shape: tuple[int, ...], path: Path, fps: float) -> None:
    from imageio_ffmpeg import write_frames

    height, width = shape[0] + shape[0] % 2, shape[1] + shape[1] % 2  # H.264 wants even sizes
    writer = write_frames(
        str(path), (width, height), fps=fps, macro_block_size=2, output_params=["-crf", "23"]
    )
    writer.send(None)
    try:
        for frame in frames:
            even = np.zeros((height, width, 3), np.uint8)
            even[: frame.shape[0], : frame.shape[1]] = frame
            writer.send(even)
    finally:
        writer.close()
