"""Videos of episodes and of frames."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

from teachenv import Parameterize
from teachenv.env import MakeEnv
from teachenv.errors import UserError
from teachenv.experiments.video import VideoError, caption, record_video, task_text, write_video
from teachenv.protocols import Outcome
from teachenv.space import Dim, TaskError, TaskSpace

POLES = TaskSpace(
    [Dim("length", 0.1, 2.0, unit="m"), Dim("floor", kind="choice", choices=("ice", "grass"))]
)


def _set_pole(env: Any, task: dict[str, Any]) -> None:
    env.length = task["length"]


def make_pole(render_mode: str | None = None) -> Parameterize:
    return Parameterize(
        "CartPole-v1",
        POLES,
        _set_pole,
        return_range=(0, 500),
        mastery=20,
        render_mode=render_mode,
    )


@pytest.fixture(scope="module")
def pole() -> MakeEnv:
    gym.register("test/Pole-v0", make_pole)
    return MakeEnv("test/Pole-v0")


def push_left(observations: np.ndarray) -> np.ndarray:
    assert observations.shape == (1, 4)
    return np.zeros(1, dtype=np.int64)


def balance(observations: np.ndarray) -> np.ndarray:
    return (observations[:, 2] + observations[:, 3] > 0).astype(np.int64)


def n_frames(path: Path) -> int:
    if path.suffix == ".gif":
        with Image.open(path) as image:
            return image.n_frames
    from imageio_ffmpeg import count_frames_and_secs

    return count_frames_and_secs(str(path))[0]


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_records_a_whole_episode(pole: MakeEnv, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "videos" / f"episode{suffix}"
    outcome = record_video(push_left, pole, [1.0, 0], 3, path)
    assert outcome.status == "ok"
    assert outcome.episode_return == outcome.episode_length
    assert outcome.score == outcome.episode_length / 500
    assert 5 < outcome.episode_length < 40
    keep = 3 if suffix == ".gif" else 1  # CartPole draws 50 frames a second
    assert 1 + outcome.episode_length / keep <= n_frames(path) < 3 + outcome.episode_length / keep


def test_plays_the_task_and_level_asked_for(pole: MakeEnv, tmp_path: Path) -> None:
    def play(length: float, level_seed: int) -> Outcome:
        return record_video(balance, pole, [length, 0], level_seed, tmp_path / "e.gif", 60)

    seen: list[np.ndarray] = []

    def spy(observations: np.ndarray) -> np.ndarray:
        seen.append(observations[0])
        return balance(observations)

    record_video(spy, pole, [0.7, 0], 5, tmp_path / "e.gif", 1)
    np.testing.assert_array_equal(seen[0], gym.make("CartPole-v1").reset(seed=5)[0])
    assert play(0.7, 5) == play(0.7, 5)


def test_stops_at_max_steps(pole: MakeEnv, tmp_path: Path) -> None:
    outcome = record_video(balance, pole, [1.0, 0], 0, tmp_path / "e.mp4", max_steps=30)
    assert outcome.status == "lost"
    assert outcome.episode_length == 30
    assert outcome.success
    assert n_frames(tmp_path / "e.mp4") == 31


def test_frames_differ_and_carry_a_caption(pole: MakeEnv, tmp_path: Path) -> None:
    record_video(push_left, pole, [1.0, 0], 0, tmp_path / "e.gif")
    with Image.open(tmp_path / "e.gif") as image:
        frames = []
        for k in range(image.n_frames):
            image.seek(k)
            frames.append(np.asarray(image.convert("RGB")))
    height = frames[0].shape[0] - 400
    assert height > 20
    for part in (slice(0, height), slice(height, None)):
        assert (frames[0][part] != frames[-1][part]).any()


def test_a_bad_task_is_refused_and_nothing_written(pole: MakeEnv, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="length"):
        record_video(balance, pole, [9.0, 0], 0, tmp_path / "e.gif")
    assert not list(tmp_path.iterdir())


def test_a_failing_student_leaves_no_half_a_video(pole: MakeEnv, tmp_path: Path) -> None:
    def fail(observations: np.ndarray) -> np.ndarray:
        raise RuntimeError("no policy")

    for suffix in (".gif", ".mp4"):
        with pytest.raises(RuntimeError, match="no policy"):
            record_video(fail, pole, [1.0, 0], 0, tmp_path / f"e{suffix}")
    assert not list(tmp_path.iterdir())


def test_an_environment_without_frames_is_an_error(tmp_path: Path) -> None:
    class Blind(Parameterize):
        def render(self) -> None:
            return None

    def make(render_mode: str) -> Parameterize:
        return Blind("CartPole-v1", POLES, _set_pole, return_range=(0, 500), mastery=20)

    gym.register("test/Blind-v0", make)
    with pytest.raises(VideoError, match="expected render\\(\\) to return an RGB array"):
        record_video(balance, MakeEnv("test/Blind-v0"), [1.0, 0], 0, tmp_path / "e.gif")


def test_the_walker_can_be_recorded(tmp_path: Path) -> None:
    def stand(observations: np.ndarray) -> np.ndarray:
        return np.zeros((1, 4), dtype=np.float32)

    path = tmp_path / "walker.mp4"
    recipe = MakeEnv("teachenv/StumpTracks-v0")
    record_video(stand, recipe, [0.5, 3.0], 1, path, max_steps=12)
    assert n_frames(path) == 13


def test_small_frames_are_enlarged_to_hold_the_caption(tmp_path: Path) -> None:
    class Tiny(Parameterize):
        def render(self) -> np.ndarray:
            return np.full((30, 50, 3), 99, np.uint8)

    def make(render_mode: str) -> Parameterize:
        return Tiny("CartPole-v1", POLES, _set_pole, return_range=(0, 500), mastery=5)

    gym.register("test/Tiny-v0", make)
    record_video(balance, MakeEnv("test/Tiny-v0"), [1.0, 0], 0, tmp_path / "e.gif", 20)
    with Image.open(tmp_path / "e.gif") as image:
        assert image.width == 400
        assert image.height > 240 + 20


# -- frames -----------------------------------------------------------------------------------


def test_gif_keeps_frames_and_rate(tmp_path: Path) -> None:
    colours = [np.full((20, 31, 3), (k * 40, 0, 255 - k * 40), np.uint8) for k in range(6)]
    write_video(colours, tmp_path / "x.gif", fps=10)
    with Image.open(tmp_path / "x.gif") as image:
        assert (image.n_frames, image.size, image.info["duration"]) == (6, (31, 20), 100)
        image.seek(4)
        seen = np.asarray(image.convert("RGB"), dtype=int)
    assert np.abs(seen - colours[4]).max() <= 4


def test_mp4_takes_odd_sizes(tmp_path: Path) -> None:
    frames = (np.full((33, 47, 3), 20 * k, np.uint8) for k in range(5))
    write_video(frames, tmp_path / "x.mp4", fps=25)
    assert n_frames(tmp_path / "x.mp4") == 5


@pytest.mark.parametrize("name", ["x.avi", "x"])
def test_unknown_formats_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ending in \.mp4 or \.gif"):
        write_video([], tmp_path / name, 10)


def test_no_frames_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no frames"):
        write_video([], tmp_path / "x.gif", 10)


def test_a_missing_encoder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(VideoError, match=r"teachenv\[render\]"):
        write_video([], tmp_path / "x.mp4", 10)


def test_caption_adds_a_strip_above_the_frame() -> None:
    image = np.full((100, 300, 3), 7, np.uint8)
    short, long = caption(image, ["one"]), caption(image, ["many words " * 20])
    for captioned in (short, long):
        assert captioned.shape[1:] == (300, 3)
        np.testing.assert_array_equal(captioned[-100:], image)
        assert captioned[:-100].min() < 100  # dark text on white
    assert len(long) > len(short) + 30


def test_task_text_gives_units_and_labels() -> None:
    assert task_text(POLES, [1.234, 1]) == "length 1.23 m, floor grass"
