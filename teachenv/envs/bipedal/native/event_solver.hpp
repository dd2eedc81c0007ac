#pragma once
/// Stopping one part at a touch and stepping it on from there, as b2Island::SolveTOI of Box2D 2.3.0
/// does.

#include <algorithm>

#include "contacts.hpp"

namespace teachenv {

/// A part during a step.
struct Motion {
  Sweep sweep;
  Vec2 velocity;
  float spin;
};

inline void advance(Sweep& sweep, float alpha) {
  const float beta = (alpha - sweep.alpha0) / (1.0f - sweep.alpha0);
  sweep.c0 += beta * (sweep.c - sweep.c0);
  sweep.a0 += beta * (sweep.a - sweep.a0);
  sweep.alpha0 = alpha;
}

inline Pose final_pose(const Sweep& sweep) {
  const Rot q = make_rot(sweep.a);
  return {sweep.c - rotate(q, sweep.local_center), q};
}

inline Pose initial_pose(const Sweep& sweep) {
  const Rot q = make_rot(sweep.a0);
  return {sweep.c0 - rotate(q, sweep.local_center), q};
}

/// Points of contact of one part with resting terrain, ready to be solved.
struct EventConstraint {
  const Manifold* manifold;
  int count;
  Vec2 normal;
  struct {
    float lever, side;  ///< arms of normal and tangent impulses
    float normal_mass, tangent_mass, normal_impulse, tangent_impulse;
  } points[2];
  float k11, k12, k22, inverse_determinant;
};

/// A contact point in the world: its normal (out of the terrain), where it acts in the position
/// and in the velocity solver, and the separation there.
struct Witness {
  Vec2 normal, point, middle;
  float separation;
};

inline Witness witness(const Manifold& manifold, int i, const Pose& pose) {
  const Vec2 local = manifold.points[i].local;
  const bool still = manifold.face == Face::terrain;
  const Vec2 normal = still ? manifold.local_normal : rotate(pose.q, manifold.local_normal);
  const Vec2 plane = still ? manifold.local_point : to_world(pose, manifold.local_point);
  const Vec2 point = still ? to_world(pose, local) : local;
  const float distance = dot(point - plane, normal);
  return {still ? normal : -normal, point, point - (0.5f * distance) * normal,
          distance - 2.0f * kSkin};
}

/// Solves the contacts of one part after a touch, for the rest of the step.
class EventSolver {
 public:
  EventSolver(const Part& part, Motion& motion) : part_(part), motion_(motion) {}

  void add(const Contact& contact) { constraints_[n_++].manifold = &contact.manifold; }
  bool full() const { return n_ == kMaxConstraints; }

  /// @param rest Time left in the step, in seconds.
  void solve(float rest) {
    Sweep& sweep = motion_.sweep;
    for (int i = 0; i < 20 && !push_out(); ++i) {
    }
    sweep.c0 = sweep.c;
    sweep.a0 = sweep.a;
    for (int k = 0; k < n_; ++k) prepare(constraints_[k], initial_pose(sweep));
    iterate_velocities();
    Vec2 way = rest * motion_.velocity;
    if (dot(way, way) > kMaxTranslation * kMaxTranslation) {
      motion_.velocity = (kMaxTranslation / length(way)) * motion_.velocity;
    }
    const float turn = rest * motion_.spin;
    if (turn * turn > kMaxRotation * kMaxRotation) motion_.spin *= kMaxRotation / std::abs(turn);
    sweep.c += rest * motion_.velocity;
    sweep.a += rest * motion_.spin;
  }

 private:
  static constexpr int kMaxConstraints = 32;

  /// One pass over all points; whether none is too deep.
  bool push_out() {
    Sweep& sweep = motion_.sweep;
    float least = 0.0f;
    for (int k = 0; k < n_; ++k) {
      const Manifold& manifold = *constraints_[k].manifold;
      for (int i = 0; i < manifold.count; ++i) {
        const Witness at = witness(manifold, i, final_pose(sweep));
        const Vec2 arm = at.point - sweep.c;
        if (at.separation < least) least = at.separation;
        float depth = 0.75f * (at.separation + kSlop);
        depth = depth < -kMaxCorrection ? -kMaxCorrection : (depth > 0.0f ? 0.0f : depth);
        const float lever = cross(arm, at.normal);
        const float k_mass = part_.inverse_mass + part_.inverse_inertia * lever * lever;
        const float impulse = -depth / k_mass;
        sweep.c += part_.inverse_mass * impulse * at.normal;
        sweep.a += part_.inverse_inertia * (impulse * lever);
      }
    }
    return least >= -1.5f * kSlop;
  }

  /// What an iteration starts from.
  struct Snapshot {
    Vec2 velocity;
    float spin;
    float impulses[kMaxConstraints][4];
  };

  void take(Snapshot& out) const {
    out.velocity = motion_.velocity;
    out.spin = motion_.spin;
    for (int k = 0; k < n_; ++k) {
      for (int i = 0; i < 2; ++i) {
        out.impulses[k][2 * i] = constraints_[k].points[i].normal_impulse;
        out.impulses[k][2 * i + 1] = constraints_[k].points[i].tangent_impulse;
      }
    }
  }

  bool is_back_at(const Snapshot& then) const {
    if (motion_.velocity.x != then.velocity.x || motion_.velocity.y != then.velocity.y)
      return false;
    if (motion_.spin != then.spin) return false;
    Snapshot now;
    take(now);
    return std::equal(&now.impulses[0][0], &now.impulses[0][0] + 4 * n_, &then.impulses[0][0]);
  }

  /// All iterations. Rounding lets them end in a cycle, mostly after a few; its rounds are skipped,
  /// which changes no bit of the result.
  void iterate_velocities() {
    Snapshot then;
    take(then);
    int taken = 0, left = kVelocityIterations;
    for (int i = 1; left > 0; ++i) {
      for (int k = 0; k < n_; ++k) solve_velocity(constraints_[k]);
      --left;
      if (is_back_at(then)) left %= i - taken;
      if ((i & (i - 1)) == 0) {
        take(then);
        taken = i;
      }
    }
  }

  void prepare(EventConstraint& c, const Pose& pose) {
    const float m = part_.inverse_mass, inertia = part_.inverse_inertia;
    c.count = c.manifold->count;
    for (auto& point : c.points) point = {};
    for (int i = 0; i < c.count; ++i) {
      const Witness at = witness(*c.manifold, i, pose);
      const Vec2 arm = at.middle - motion_.sweep.c;
      auto& point = c.points[i];
      c.normal = at.normal;
      point.lever = cross(arm, at.normal);
      point.side = cross(arm, turned_right(at.normal));
      point.normal_mass = 1.0f / (m + inertia * point.lever * point.lever);
      point.tangent_mass = 1.0f / (m + inertia * point.side * point.side);
    }
    if (c.count < 2) return;
    const float lever1 = c.points[0].lever, lever2 = c.points[1].lever;
    c.k11 = m + inertia * lever1 * lever1;
    c.k22 = m + inertia * lever2 * lever2;
    c.k12 = m + inertia * lever1 * lever2;
    const float determinant = c.k11 * c.k22 - c.k12 * c.k12;
    if (c.k11 * c.k11 < 1000.0f * determinant) {
      c.inverse_determinant = 1.0f / determinant;
    } else {
      c.count = 1;
    }
  }

  void solve_velocity(EventConstraint& c) {
    const float m = part_.inverse_mass, inertia = part_.inverse_inertia;
    const Vec2 tangent = turned_right(c.normal);
    for (int i = 0; i < c.count; ++i) {
      auto& point = c.points[i];
      const float v = dot(motion_.velocity, tangent) + motion_.spin * point.side;
      const float most = part_.friction * point.normal_impulse;
      float impulse = point.tangent_impulse - point.tangent_mass * v;
      impulse = impulse < -most ? -most : (impulse > most ? most : impulse);
      const float change = impulse - point.tangent_impulse;
      point.tangent_impulse = impulse;
      motion_.velocity += (m * change) * tangent;
      motion_.spin += (inertia * point.side) * change;
    }
    auto &first = c.points[0], &second = c.points[1];
    const float along = dot(motion_.velocity, c.normal);
    const float v1 = along + motion_.spin * first.lever;
    float x1, x2 = 0.0f;
    if (c.count == 1) {
      x1 = first.normal_impulse - first.normal_mass * v1;
      x1 = x1 > 0.0f ? x1 : 0.0f;
    } else if (!solve_pair(c, v1, along + motion_.spin * second.lever, x1, x2)) {
      return;
    }
    const float change1 = x1 - first.normal_impulse, change2 = x2 - second.normal_impulse;
    first.normal_impulse = x1;
    second.normal_impulse = x2;
    motion_.velocity += (m * (change1 + change2)) * c.normal;
    motion_.spin += (inertia * first.lever) * change1 + (inertia * second.lever) * change2;
  }

  /// Both normal impulses at once: complementary velocities and impulses, by cases.
  static bool solve_pair(const EventConstraint& c, float v1, float v2, float& x1, float& x2) {
    const float a1 = c.points[0].normal_impulse, a2 = c.points[1].normal_impulse;
    const float b1 = v1 - (c.k11 * a1 + c.k12 * a2), b2 = v2 - (c.k12 * a1 + c.k22 * a2);
    x1 = -c.inverse_determinant * (c.k22 * b1 - c.k12 * b2);
    x2 = -c.inverse_determinant * (c.k11 * b2 - c.k12 * b1);
    if (x1 >= 0.0f && x2 >= 0.0f) return true;
    x1 = -c.points[0].normal_mass * b1, x2 = 0.0f;
    if (x1 >= 0.0f && c.k12 * x1 + b2 >= 0.0f) return true;
    x1 = 0.0f, x2 = -c.points[1].normal_mass * b2;
    if (x2 >= 0.0f && c.k12 * x2 + b1 >= 0.0f) return true;
    x1 = x2 = 0.0f;
    return b1 >= 0.0f && b2 >= 0.0f;
  }

  const Part& part_;
  Motion& motion_;
  int n_ = 0;
  EventConstraint constraints_[kMaxConstraints];
};

}  // namespace teachenv
