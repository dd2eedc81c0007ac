#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

/// Counter-based random numbers made of exact operations only: teachenv/envs/bipedal/draws.py, bit
/// for bit. Sources: SplitMix64 (Steele, Lea & Flood 2014) and P. J. Acklam's inverse normal.
namespace teachenv {

/// SplitMix64's finaliser: a bijection.
inline std::uint64_t mix64(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

/// Natural logarithm of a positive double, within a few units in the last place.
inline double exact_log(double x) {
  constexpr double kLn2 = 0.6931471805599453;
  constexpr double kSqrtHalf = 0.7071067811865476;
  int exponent;
  double mantissa = std::frexp(x, &exponent);
  if (mantissa < kSqrtHalf) {
    mantissa *= 2.0;
    exponent -= 1;
  }
  const double s = (mantissa - 1.0) / (mantissa + 1.0);
  const double z = s * s;
  double series = 0.0;
  for (int odd = 21; odd >= 1; odd -= 2) series = series * z + 1.0 / odd;
  return 2.0 * s * series + exponent * kLn2;
}

/// Value of a polynomial, highest power first.
template <std::size_t N>
double horner(const std::array<double, N>& coefficients, double x) {
  double value = 0.0;
  for (double coefficient : coefficients) value = value * x + coefficient;
  return value;
}

struct SinCos {
  double s, c;
};

/// Coefficients of the Taylor series of sine (`odd` 1) or cosine (0) in the square of the angle.
consteval std::array<double, 9> taylor(int odd) {
  std::array<double, 9> coefficients{};
  double factorial = 1.0;
  for (int k = 0; k <= 8; ++k) {
    coefficients[static_cast<std::size_t>(8 - k)] = (k % 2 == 0 ? 1.0 : -1.0) / factorial;
    factorial *= static_cast<double>((2 * k + odd + 1) * (2 * k + odd + 2));
  }
  return coefficients;
}

/// Sine and cosine of an angle in [0, 2 pi], within 1e-15.
inline SinCos exact_sin_cos(double angle) {
  constexpr double kQuarter = 1.5707963267948966;
  constexpr double kQuartersPerRadian = 0.6366197723675814;
  constexpr auto kSin = taylor(1), kCos = taylor(0);
  const double quarter = std::floor(angle * kQuartersPerRadian + 0.5);
  const double x = angle - quarter * kQuarter;
  const double z = x * x;
  const double s = x * horner(kSin, z), c = horner(kCos, z);
  switch (static_cast<int>(quarter) % 4) {
    case 0:
      return {s, c};
    case 1:
      return {c, -s};
    case 2:
      return {-s, -c};
    default:
      return {-c, s};
  }
}

/// Quantile of the standard normal distribution at `p` in (0, 1).
inline double inverse_normal(double p) {
  constexpr std::array kCentreNum{-3.969683028665376e01, 2.209460984245205e02,
                                  -2.759285104469687e02, 1.383577518672690e02,
                                  -3.066479806614716e01, 2.506628277459239e00};
  constexpr std::array kCentreDen{-5.447609879822406e01, 1.615858368580409e02,
                                  -1.556989798598866e02, 6.680131188771972e01,
                                  -1.328068155288572e01, 1.0};
  constexpr std::array kTailNum{-7.784894002430293e-03, -3.223964580411365e-01,
                                -2.400758277161838e00,  -2.549732539343734e00,
                                4.374664141464968e00,   2.938163982698783e00};
  constexpr std::array kTailDen{7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e00,
                                3.754408661907416e00, 1.0};
  constexpr double kTail = 0.02425;
  if (p < kTail) {
    const double q = std::sqrt(-2.0 * exact_log(p));
    return horner(kTailNum, q) / horner(kTailDen, q);
  }
  if (p > 1.0 - kTail) {
    const double q = std::sqrt(-2.0 * exact_log(1.0 - p));
    return -(horner(kTailNum, q) / horner(kTailDen, q));
  }
  const double q = p - 0.5;
  const double r = q * q;
  return horner(kCentreNum, r) * q / horner(kCentreDen, r);
}

/// Numbers of one stream of one key, in order.
class Draws {
 public:
  Draws(std::uint64_t key, std::uint64_t stream)
      : counter_(mix64(mix64(key + kGolden) + stream * kGolden)) {}

  /// The next unsigned 64-bit integer.
  std::uint64_t bits() { return mix64(counter_ += kGolden); }

  /// The next double, uniform in (low, high): the middle of one of 2^52 cells.
  double uniform(double low, double high) {
    return low + (high - low) * ((static_cast<double>(bits() >> 12) + 0.5) * 0x1p-52);
  }

  /// The next whole number in low..high, fewer than 2^32 of them.
  int integer(int low, int high) {
    const auto count = static_cast<std::uint64_t>(high - low + 1);
    return low + static_cast<int>((bits() >> 32) * count >> 32);
  }

  /// The next double of a normal distribution.
  double normal(double mean, double std) { return mean + std * inverse_normal(uniform(0.0, 1.0)); }

 private:
  static constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15u;
  std::uint64_t counter_;
};

}  // namespace teachenv
