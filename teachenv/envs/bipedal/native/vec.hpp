#pragma once
/// Vectors, rotations and the motion of a body over a step, in single precision.

#include <cfloat>
#include <cmath>

namespace teachenv {

constexpr float kPi = 3.14159265359f;

struct Vec2 {
  float x, y;
};

constexpr Vec2 operator+(Vec2 a, Vec2 b) { return {a.x + b.x, a.y + b.y}; }
constexpr Vec2 operator-(Vec2 a, Vec2 b) { return {a.x - b.x, a.y - b.y}; }
constexpr Vec2 operator-(Vec2 a) { return {-a.x, -a.y}; }
constexpr Vec2 operator*(float k, Vec2 a) { return {k * a.x, k * a.y}; }
constexpr Vec2& operator+=(Vec2& a, Vec2 b) { return a = a + b; }

constexpr float dot(Vec2 a, Vec2 b) { return a.x * b.x + a.y * b.y; }
constexpr float cross(Vec2 a, Vec2 b) { return a.x * b.y - a.y * b.x; }
constexpr Vec2 turned_left(Vec2 a) { return {-a.y, a.x}; }
constexpr Vec2 turned_right(Vec2 a) { return {a.y, -a.x}; }
constexpr Vec2 min(Vec2 a, Vec2 b) { return {a.x < b.x ? a.x : b.x, a.y < b.y ? a.y : b.y}; }
constexpr Vec2 max(Vec2 a, Vec2 b) { return {a.x > b.x ? a.x : b.x, a.y > b.y ? a.y : b.y}; }
inline float length(Vec2 a) { return std::sqrt(dot(a, a)); }

/// The vector scaled to length 1; a tiny one as it is.
inline Vec2 normalized(Vec2 a) {
  const float size = length(a);
  return size < FLT_EPSILON ? a : (1.0f / size) * a;
}

/// Nearest integer, ties to even, for |x| < 2^22. F is float or a vector of floats.
template <class F>
[[gnu::always_inline]] inline F round_to_int(F x) {
  constexpr float kShift = 12582912.0f;  // 1.5 * 2^23: no room for a fraction
  return (x + kShift) - kShift;
}

/// Sine and cosine of an angle of at most 100 rad, to 1.5 units in the last place. Without
/// branches, so that lanes of a vector (F) give the same results as a single float.
template <class F>
[[gnu::always_inline]] inline void sin_cos(F angle, F& s, F& c) {
  // Quarter turns, and the rest within +-pi/4. The products with the first two parts of pi/2 are
  // exact; what the rest loses to rounding is added again.
  const F quarter = round_to_int(F(angle * 0.63661977f));
  const F coarse = angle - quarter * 0x1.922p0f, shift = quarter * 0x1.2afp-18f;
  const F near = coarse + shift;
  const F r = near + (((coarse - near) + shift) - quarter * 0x1.0b4612p-34f);
  const F z = r * r;
  // Own minimax fits on +-pi/4, relative error 4e-9 and 1e-10.
  const F sine = r + r * (z * (-0.16666655f + z * (0.0083321882f + z * -0.00019518095f)));
  const F cosine =
      1.0f - (0.5f * z - z * (z * (0.041666646f + z * (-0.0013887301f + z * 2.443067e-5f))));
  // Bits of the number of quarter turns as 0.0 or 1.0: bit 0 swaps, bit 1 turns by pi.
  const F odd_signed = quarter - 2.0f * round_to_int(F(quarter * 0.5f));
  const F odd = odd_signed * odd_signed;
  const F half = (quarter - odd) * 0.5f;
  const F half_odd_signed = half - 2.0f * round_to_int(F(half * 0.5f));
  const F sign = 1.0f - 2.0f * (half_odd_signed * half_odd_signed);
  const F even = 1.0f - odd;
  s = sign * (even * sine + odd * cosine);
  c = sign * (even * cosine - odd * sine);
}

/// A rotation as sine and cosine.
struct Rot {
  float s, c;
};

inline Rot make_rot(float angle) {
  Rot q;
  sin_cos(angle, q.s, q.c);
  return q;
}

constexpr Vec2 rotate(Rot q, Vec2 v) { return {q.c * v.x - q.s * v.y, q.s * v.x + q.c * v.y}; }
constexpr Vec2 unrotate(Rot q, Vec2 v) { return {q.c * v.x + q.s * v.y, -q.s * v.x + q.c * v.y}; }

/// Where a body's origin is and how it is turned.
struct Pose {
  Vec2 p;
  Rot q;
};

/// From body coordinates to world coordinates, and back.
constexpr Vec2 to_world(const Pose& pose, Vec2 v) {
  return {(pose.q.c * v.x - pose.q.s * v.y) + pose.p.x,
          (pose.q.s * v.x + pose.q.c * v.y) + pose.p.y};
}
constexpr Vec2 to_local(const Pose& pose, Vec2 v) { return unrotate(pose.q, v - pose.p); }

/// Motion of a body over a step: its centre of mass goes from c0 to c, its angle from a0 to a.
struct Sweep {
  Vec2 local_center;  ///< centre of mass in body coordinates
  Vec2 c0, c;
  float a0, a;
  float alpha0;  ///< share of the step that lies before c0 and a0
};

/// Pose at a fraction of the way from (c0, a0) to (c, a).
inline Pose pose_at(const Sweep& sweep, float fraction) {
  const float rest = 1.0f - fraction;
  const Rot q = make_rot(rest * sweep.a0 + fraction * sweep.a);
  return {rest * sweep.c0 + fraction * sweep.c - rotate(q, sweep.local_center), q};
}

}  // namespace teachenv
