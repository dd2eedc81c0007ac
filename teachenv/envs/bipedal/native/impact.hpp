#pragma once
/// When a moving part first comes to touch terrain at rest: b2TimeOfImpact of Box2D 2.3.0, and a
/// cheap test that it does not.

#include <algorithm>
#include <initializer_list>

#include "distance.hpp"

namespace teachenv {

namespace detail {

/// Distance of the outlines at which shapes count as touching.
constexpr float kTargetByRadius = 2.0f * kSkin - 3.0f * kSlop;
constexpr float kTarget = kTargetByRadius > kSlop ? kTargetByRadius : kSlop;
constexpr float kTolerance = 0.25f * kSlop;

/// What the two closest features are, and so which way to measure their separation.
enum class Axis { points, terrain_side, part_side };

/// Separation along an axis that is fixed to one of the shapes.
class Separation {
 public:
  Separation(const Shape& terrain, const Shape& part, const Simplex& closest, const Pose& pose)
      : terrain_(terrain), part_(part) {
    const Corner &c0 = closest.corners[0], &c1 = closest.corners[1];
    if (closest.count == 1) {
      kind_ = Axis::points;
      axis_ = normalized(c0.w);
    } else if (c0.still == c1.still) {
      kind_ = Axis::part_side;
      set_side(part.v[c0.moved], part.v[c1.moved]);
      const Vec2 out = c0.on_still - to_world(pose, middle_);
      if (dot(out, rotate(pose.q, axis_)) < 0.0f) axis_ = -axis_;
    } else {
      kind_ = Axis::terrain_side;
      set_side(terrain.v[c0.still], terrain.v[c1.still]);
      if (dot(c0.on_moved - middle_, axis_) < 0.0f) axis_ = -axis_;
    }
  }

  /// Find the deepest vertices at a pose; return their separation.
  float deepest(const Pose& pose) {
    if (kind_ == Axis::part_side) {
      still_ = support(terrain_, -rotate(pose.q, axis_));
    } else {
      moved_ = support(part_, unrotate(pose.q, -axis_));
      if (kind_ == Axis::points) still_ = support(terrain_, axis_);
    }
    return at(pose);
  }

  /// Separation at a pose of the vertices found last.
  float at(const Pose& pose) const {
    if (kind_ == Axis::part_side) {
      return dot(terrain_.v[still_] - to_world(pose, middle_), rotate(pose.q, axis_));
    }
    const Vec2 from = kind_ == Axis::points ? terrain_.v[still_] : middle_;
    return dot(to_world(pose, part_.v[moved_]) - from, axis_);
  }

 private:
  void set_side(Vec2 a, Vec2 b) {
    axis_ = normalized(turned_right(b - a));
    middle_ = 0.5f * (a + b);
  }

  const Shape &terrain_, &part_;
  Axis kind_;
  Vec2 axis_, middle_{};  ///< in coordinates of the shape whose side it is
  int still_ = 0, moved_ = 0;
};

/// A time between early and late, where the separation s is above and below the target, at which
/// it is near the target: by bisection and the secant in turn.
inline float cross_target(const Separation& separation, const Sweep& sweep, float early,
                          float s_early, float late, float s_late) {
  constexpr int kMaxIterations = 50;
  const float fallback = late;
  for (int i = 0; i < kMaxIterations; ++i) {
    const float t = i & 1 ? early + (kTarget - s_early) * (late - early) / (s_late - s_early)
                          : 0.5f * (early + late);
    const float s = separation.at(pose_at(sweep, t));
    if (std::abs(s - kTarget) < kTolerance) return t;
    if (s > kTarget) {
      early = t, s_early = s;
    } else {
      late = t, s_late = s;
    }
  }
  return fallback;
}

}  // namespace detail

/// Whether and when a part comes to touch, as a fraction of its sweep; 1 if it does not.
struct Impact {
  bool touching;
  float t;
};

/// First time at which a part touches terrain at rest at the origin, starting apart from it. A
/// start that overlaps, and a search that fails, count as not touching.
inline Impact time_of_impact(const Shape& terrain, const Shape& part, Sweep sweep) {
  using namespace detail;
  constexpr int kMaxIterations = 20, kMaxPushes = kMaxVertices;
  constexpr Impact kNone{false, 1.0f};
  const float turns = 2.0f * kPi * std::floor(sweep.a0 / (2.0f * kPi));
  sweep.a0 -= turns;
  sweep.a -= turns;
  float early = 0.0f;
  Simplex closest;
  for (int iteration = 0; iteration < kMaxIterations; ++iteration) {
    const Pose pose = pose_at(sweep, early);
    const float gap = distance(terrain, part, pose, closest);
    if (gap <= 0.0f) return kNone;
    if (gap < kTarget + kTolerance) return {true, early};
    Separation separation(terrain, part, closest, pose);
    float late = 1.0f;
    for (int push = 0; push < kMaxPushes; ++push) {
      const float s_late = separation.deepest(pose_at(sweep, late));
      if (s_late > kTarget + kTolerance) return kNone;
      if (s_late > kTarget - kTolerance) {
        early = late;
        break;
      }
      const float s_early = separation.at(pose);
      if (s_early < kTarget - kTolerance) return kNone;
      if (s_early <= kTarget + kTolerance) return {true, early};
      late = cross_target(separation, sweep, early, s_early, late, s_late);
    }
  }
  return kNone;
}

namespace detail {

/// What something covers along an axis.
struct Range {
  float low = FLT_MAX, high = -FLT_MAX;

  void add(float along) {
    low = std::min(low, along);
    high = std::max(high, along);
  }
  bool apart(const Range& other, float gap) const {
    return low - other.high > gap || other.low - high > gap;
  }
};

inline Range range(const Shape& terrain, Vec2 axis) {
  Range range;
  for (int i = 0; i < terrain.count; ++i) range.add(dot(axis, terrain.v[i]));
  return range;
}

}  // namespace detail

/// True only if time_of_impact surely does not touch: some axis keeps the shapes apart, with a
/// margin, during the whole sweep.
/// @param first,last Poses of the part at both ends.
/// @param turn,radius Angle between them, and size of the part around its centre of mass.
inline bool surely_apart(const Shape& terrain, const Shape& part, const Pose& first,
                         const Pose& last, float turn, float radius) {
  using namespace detail;
  // Between the ends, vertices stray from the straight way by at most radius * turn^2 / 8.
  const float gap = kTarget + 2.0f * kTolerance + 0.125f * radius * (turn * turn);
  const auto apart = [&](Vec2 axis) {
    Range covered;
    for (const Pose* pose : {&first, &last}) {
      const Vec2 local_axis = unrotate(pose->q, axis);
      const float origin = dot(axis, pose->p);
      for (int i = 0; i < part.count; ++i) covered.add(origin + dot(local_axis, part.v[i]));
    }
    return covered.apart(range(terrain, axis), gap);
  };
  for (int i = 0; i < (terrain.count == 2 ? 1 : terrain.count); ++i) {
    if (apart(terrain.n[i])) return true;
  }
  if (apart({1.0f, 0.0f})) return true;
  for (const Rot q : {first.q, last.q}) {
    for (int i = 0; i < part.count; ++i) {
      if (apart(rotate(q, part.n[i]))) return true;
    }
  }
  return apart({0.0f, 1.0f});
}

}  // namespace teachenv
