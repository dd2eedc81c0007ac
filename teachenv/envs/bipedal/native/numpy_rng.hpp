#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

/// The numbers of `numpy.random.Generator(PCG64(SeedSequence(seed)))`, for a `seed` of 64 bits.
/// Sources: SeedSequence, after M. E. O'Neill, "Developing a seed_seq alternative", 2015; PCG64
/// (XSL-RR 128/64), O'Neill, "PCG", 2014; bounded integers, D. Lemire, "Fast random integer
/// generation in an interval", 2019.
namespace teachenv {

/// Unsigned 128-bit integer, in two halves.
struct Uint128 {
  std::uint64_t high, low;

  friend constexpr Uint128 operator+(Uint128 a, Uint128 b) {
    const std::uint64_t low = a.low + b.low;
    return {a.high + b.high + (low < a.low), low};
  }

  friend constexpr Uint128 operator*(Uint128 a, Uint128 b) {
    constexpr std::uint64_t kMask = 0xFFFFFFFFu;
    const std::uint64_t a0 = a.low & kMask, a1 = a.low >> 32;
    const std::uint64_t b0 = b.low & kMask, b1 = b.low >> 32;
    const std::uint64_t first = a1 * b0 + (a0 * b0 >> 32);
    const std::uint64_t second = a0 * b1 + (first & kMask);
    const std::uint64_t carried = a1 * b1 + (first >> 32) + (second >> 32);
    return {carried + a.high * b.low + a.low * b.high, a.low * b.low};
  }
};

/// numpy's SeedSequence of one integer below 2^64: eight 32-bit words of seed.
class SeedSequence {
 public:
  explicit SeedSequence(std::uint64_t entropy) {
    Hash hash{0x43B0D7E5u, 0x931E8875u};
    pool_ = {static_cast<std::uint32_t>(entropy), static_cast<std::uint32_t>(entropy >> 32), 0, 0};
    for (std::uint32_t& word : pool_) word = hash(word);
    for (std::size_t from = 0; from < kWords; ++from) {
      for (std::size_t to = 0; to < kWords; ++to) {
        if (from != to) pool_[to] = mix(pool_[to], hash(pool_[from]));
      }
    }
  }

  /// `generate_state(4, uint64)`.
  std::array<std::uint64_t, 4> generate() const {
    Hash hash{0x8B51F9DDu, 0x58F38DEDu};
    std::array<std::uint64_t, 4> state;
    for (std::size_t i = 0; i < state.size(); ++i) {
      const std::uint64_t low = hash(pool_[2 * i % kWords]);
      const std::uint64_t high = hash(pool_[(2 * i + 1) % kWords]);
      state[i] = low | high << 32;
    }
    return state;
  }

 private:
  static constexpr std::size_t kWords = 4;

  /// A hash whose constant changes with every call.
  struct Hash {
    std::uint32_t constant, multiplier;

    std::uint32_t operator()(std::uint32_t value) {
      value ^= constant;
      constant *= multiplier;
      value *= constant;
      return value ^ (value >> 16);
    }
  };

  static std::uint32_t mix(std::uint32_t x, std::uint32_t y) {
    const std::uint32_t value = 0xCA01F9DDu * x - 0x4973F715u * y;
    return value ^ (value >> 16);
  }

  std::array<std::uint32_t, kWords> pool_;
};

/// numpy's default generator.
class NumpyGenerator {
 public:
  explicit NumpyGenerator(std::uint64_t seed) {
    const auto words = SeedSequence(seed).generate();
    increment_ = {words[2] << 1 | words[3] >> 63, words[3] << 1 | 1};
    state_ = increment_ + Uint128{words[0], words[1]};
    step();
  }

  /// `random()`: a double in [0, 1), a multiple of 2^-53.
  double random() { return static_cast<double>(next64() >> 11) * 0x1p-53; }

  /// `uniform(low, high)`.
  double uniform(double low, double high) { return low + (high - low) * random(); }

  /// `integers(low, high)`, for a range of 1 to 2^31 - 1 integers; a range of 1 draws nothing.
  int integers(int low, int high) {
    const auto range = static_cast<std::uint32_t>(high - low);
    if (range == 1) return low;
    const std::uint32_t threshold = (0u - range) % range;
    std::uint64_t scaled;
    do {
      scaled = std::uint64_t{next32()} * range;
    } while (static_cast<std::uint32_t>(scaled) < threshold);
    return low + static_cast<int>(scaled >> 32);
  }

 private:
  void step() {
    constexpr Uint128 kMultiplier{2549297995355413924u, 4865540595714422341u};
    state_ = state_ * kMultiplier + increment_;
  }

  std::uint64_t next64() {
    step();
    return std::rotr(state_.high ^ state_.low, static_cast<int>(state_.high >> 58));
  }

  /// The lower half of a fresh 64-bit number, then its upper half.
  std::uint32_t next32() {
    if (has_half_) {
      has_half_ = false;
      return half_;
    }
    const std::uint64_t both = next64();
    has_half_ = true;
    half_ = static_cast<std::uint32_t>(both >> 32);
    return static_cast<std::uint32_t>(both);
  }

  Uint128 state_, increment_;
  bool has_half_ = false;
  std::uint32_t half_ = 0;
};

}  // namespace teachenv
