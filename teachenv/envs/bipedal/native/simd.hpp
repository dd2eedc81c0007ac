#pragma once
/// Lanes: one number of each of kLanes environments, side by side in a vector register.

#include <cstdint>
#include <cstring>
#include <utility>

#include "vec.hpp"

#ifndef TEACHENV_LANES
#define TEACHENV_LANES 4
#endif

namespace teachenv {

constexpr int kLanes = TEACHENV_LANES;

/// Vector types of GCC and Clang; on processors with narrower registers they split them.
using Lanes = float __attribute__((vector_size(4 * kLanes)));
using Mask = int32_t __attribute__((vector_size(4 * kLanes)));  ///< -1 for true, 0 for false

inline Lanes broadcast(float value) { return Lanes{} + value; }
inline Lanes select(Mask mask, Lanes yes, Lanes no) { return mask ? yes : no; }
inline Lanes min(Lanes a, Lanes b) { return a < b ? a : b; }
inline Lanes max(Lanes a, Lanes b) { return a > b ? a : b; }
inline Lanes clamp(Lanes a, Lanes low, Lanes high) { return max(low, min(a, high)); }

/// Whether any lane of a mask is set.
inline bool any(Mask mask) {
  uint64_t words[sizeof(Mask) / 8], all = 0;
  std::memcpy(words, &mask, sizeof(Mask));
  for (uint64_t word : words) all |= word;
  return all != 0;
}

inline float& lane(Lanes& lanes, int i) { return reinterpret_cast<float*>(&lanes)[i]; }
inline float lane(const Lanes& lanes, int i) { return reinterpret_cast<const float*>(&lanes)[i]; }
inline int32_t& lane(Mask& mask, int i) { return reinterpret_cast<int32_t*>(&mask)[i]; }
inline int32_t lane(const Mask& mask, int i) { return reinterpret_cast<const int32_t*>(&mask)[i]; }

/// Call fn with the compile-time constants 0 .. n-1.
template <int n, class Fn>
[[gnu::always_inline]] inline void unroll(Fn&& fn) {
  [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    (fn(std::integral_constant<int, i>{}), ...);
  }(std::make_integer_sequence<int, n>{});
}

}  // namespace teachenv
