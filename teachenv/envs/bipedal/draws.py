"""Counter-based random numbers made of exact operations only.

Every value is a pure function of (key, stream, index): 64-bit integer arithmetic, IEEE 754 double
``+ - * /``, ``sqrt`` and ``frexp``. No C-library transcendental is called, so another language
compiled without contraction reproduces every number bit for bit.

Sources: SplitMix64, Steele, Lea & Flood, "Fast splittable pseudorandom number generators", 2014
(finaliser and increment); P. J. Acklam's rational approximation of the inverse normal
distribution (relative error below 1.2e-9).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_LN2 = 0.6931471805599453
_SQRT_HALF = 0.7071067811865476

# Acklam's coefficients, highest power first; the denominators end in 1.
_CENTRE_NUM = (
    -3.969683028665376e01,
    2.209460984245205e02,
    -2.759285104469687e02,
    1.383577518672690e02,
    -3.066479806614716e01,
    2.506628277459239e00,
)
_CENTRE_DEN = (
    -5.447609879822406e01,
    1.615858368580409e02,
    -1.556989798598866e02,
    6.680131188771972e01,
    -1.328068155288572e01,
    1.0,
)
_TAIL_NUM = (
    -7.784894002430293e-03,
    -3.223964580411365e-01,
    -2.400758277161838e00,
    -2.549732539343734e00,
    4.374664141464968e00,
    2.938163982698783e00,
)
_TAIL_DEN = (
    7.784695709041462e-03,
    3.224671290700398e-01,
    2.445134137142996e00,
    3.754408661907416e00,
    1.0,
)
_TAIL = 0.02425

_QUARTER = 1.5707963267948966
_QUARTERS_PER_RADIAN = 0.6366197723675814

# Taylor series in the square of the angle, highest power first.
_SIN = tuple((-1.0) ** k / math.factorial(2 * k + 1) for k in range(8, -1, -1))
_COS = tuple((-1.0) ** k / math.factorial(2 * k) for k in range(8, -1, -1))


def mix64(value: int) -> int:
    """Return SplitMix64's finaliser of an unsigned 64-bit integer: a bijection."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def exact_log(x: float) -> float:
    """Return the natural logarithm of a positive double within a few units in the last place."""
    mantissa, exponent = math.frexp(x)
    if mantissa < _SQRT_HALF:
        mantissa *= 2.0
        exponent -= 1
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    series = 0.0
    for odd in (21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0):
        series = series * z + 1.0 / odd
    return 2.0 * s * series + exponent * _LN2


def exact_sin_cos(angle: float) -> tuple[float, float]:
    """Return sine and cosine of an angle in [0, 2 pi], in radians, within 1e-15."""
    quarter = math.floor(angle * _QUARTERS_PER_RADIAN + 0.5)
    x = angle - quarter * _QUARTER
    z = x * x
    s, c = x * _horner(_SIN, z), _horner(_COS, z)
    return ((s, c), (c, -s), (-s, -c), (-c, s))[quarter % 4]


def inverse_normal(p: float) -> float:
    """Return the quantile of the standard normal distribution at ``p`` in (0, 1)."""
    if p < _TAIL:
        q = math.sqrt(-2.0 * exact_log(p))
        return _horner(_TAIL_NUM, q) / _horner(_TAIL_DEN, q)
    if p > 1.0 - _TAIL:
        q = math.sqrt(-2.0 * exact_log(1.0 - p))
        return -(_horner(_TAIL_NUM, q) / _horner(_TAIL_DEN, q))
    q = p - 0.5
    r = q * q
    return _horner(_CENTRE_NUM, r) * q / _horner(_CENTRE_DEN, r)


def _horner(coefficients: tuple[float, ...], x: float) -> float:
    value = 0.0
    for coefficient in coefficients:
        value = value * x + coefficient
    return value


class Draws:
    """Numbers of one stream of one key, in order.

    Args:
        key: Level seed, a whole number in [0, 2**64).
        stream: What the numbers are for; streams of one key are independent.
    """

    def __init__(self, key: int, stream: int) -> None:
        self._base = mix64((mix64((key + _GOLDEN) & _MASK) + stream * _GOLDEN) & _MASK)
        self._index = 0

    def bits(self) -> int:
        """Return the next unsigned 64-bit integer."""
        self._index += 1
        return mix64((self._base + self._index * _GOLDEN) & _MASK)

    def uniform(self, low: float, high: float) -> float:
        """Return the next double, uniform in (low, high): the middle of one of 2**52 cells."""
        return low + (high - low) * (((self.bits() >> 12) + 0.5) * 2.0**-52)

    def integer(self, low: int, high: int) -> int:
        """Return the next whole number in low..high, fewer than 2**32 of them, equally likely.

        The share of each is off by less than 2**-32.
        """
        return low + ((self.bits() >> 32) * (high - low + 1) >> 32)

    def normal(self, mean: float, std: float) -> float:
        """Return the next double of a normal distribution."""
        return mean + std * inverse_normal(self.uniform(0.0, 1.0))


def bits_at(
    keys: NDArray[np.uint64], stream: int, indices: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Return many 64-bit integers at once: number ``index`` of ``Draws(key, stream)``.

    Args:
        keys: Keys, shape ``(n,)``.
        stream: The stream.
        indices: Which integer of each key's stream, counted from 0, shape ``(n,)``.
    """
    bases = _mix64_array(
        _mix64_array(keys + np.uint64(_GOLDEN)) + np.uint64(stream * _GOLDEN & _MASK)
    )
    return _mix64_array(bases + (indices.astype(np.uint64) + np.uint64(1)) * np.uint64(_GOLDEN))


def _mix64_array(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return :func:`mix64` of each; unsigned arrays wrap around by themselves."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
