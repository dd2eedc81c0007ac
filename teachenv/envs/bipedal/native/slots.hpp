#pragma once
/// Contacts in the velocity solver of kLanes environments at once.

#include "positions.hpp"

namespace teachenv {

/// The contact points of a place in the velocity solver; lanes without have zero masses.
struct Slot {
  Mask pair;  ///< both points are solved together
  Lanes nx, ny;
  struct Point {
    Lanes lever, side;  ///< arms of normal and tangent impulses
    Lanes normal_mass, tangent_mass, normal_impulse, tangent_impulse;
  } points[2];
  Lanes k11, k12, k22, inverse11, inverse12, inverse22;
  bool any_second, any_pair;
};

template <class State>
void prepare_slot(Slot& slot, const Place& place, const Part& part, const State& state, int p) {
  const float m = part.inverse_mass, inertia = part.inverse_inertia;
  const Lanes s = state.sine[p], c = state.cosine[p], zero{};
  Lanes lever[2], k_normal[2];
  for (int i = 0; i < 2; ++i) {
    auto& point = slot.points[i];
    const Reach at = reach(place, i, part.center, s, c, state.x[p], state.y[p]);
    slot.nx = select(place.still, at.nx, -at.nx);
    slot.ny = select(place.still, at.ny, -at.ny);
    const Lanes half = 0.5f * at.distance;
    const Lanes arm_x = (at.x - half * at.nx) - state.x[p];
    const Lanes arm_y = (at.y - half * at.ny) - state.y[p];
    lever[i] = arm_x * slot.ny - arm_y * slot.nx;
    point.lever = lever[i];
    point.side = -(arm_x * slot.nx + arm_y * slot.ny);  // arm x tangent, tangent = (ny, -nx)
    k_normal[i] = m + inertia * lever[i] * lever[i];
    const Lanes k_tangent = m + inertia * point.side * point.side;
    const Mask has = i == 0 ? place.used : place.second;
    point.normal_mass = select(has, 1.0f / k_normal[i], zero);
    point.tangent_mass = select(has, 1.0f / k_tangent, zero);
  }
  slot.k11 = k_normal[0], slot.k22 = k_normal[1];
  slot.k12 = m + inertia * lever[0] * lever[1];
  const Lanes determinant = slot.k11 * slot.k22 - slot.k12 * slot.k12;
  slot.pair = place.second & (slot.k11 * slot.k11 < 1000.0f * determinant);
  const Lanes inverse = 1.0f / select(slot.pair, determinant, broadcast(1.0f));
  slot.inverse11 = inverse * slot.k22;
  slot.inverse12 = -(inverse * slot.k12);
  slot.inverse22 = inverse * slot.k11;
  // An ill-conditioned pair is solved as its first point alone.
  const Mask alone = place.second & ~slot.pair;
  auto& last = slot.points[1];
  last.normal_mass = select(alone, zero, last.normal_mass);
  last.tangent_mass = select(alone, zero, last.tangent_mass);
  last.normal_impulse = select(alone, zero, last.normal_impulse);
  last.tangent_impulse = select(alone, zero, last.tangent_impulse);
  slot.any_second = any(place.second);
  slot.any_pair = any(slot.pair);
}

template <class State>
void warm_start(Slot& slot, const Part& part, State& state, int p) {
  for (auto& point : slot.points) {
    const Lanes normal = point.normal_impulse, tangent = point.tangent_impulse;
    state.vx[p] = state.vx[p] + part.inverse_mass * (normal * slot.nx + tangent * slot.ny);
    state.vy[p] = state.vy[p] + part.inverse_mass * (normal * slot.ny - tangent * slot.nx);
    state.spin[p] =
        state.spin[p] + part.inverse_inertia * (normal * point.lever + tangent * point.side);
  }
}

[[gnu::always_inline]] inline void solve_friction(Slot::Point& point, Lanes nx, Lanes ny, float m,
                                                  float inertia, float friction, Lanes& vx,
                                                  Lanes& vy, Lanes& w) {
  const Lanes v = (ny * vx - nx * vy) + w * point.side;
  const Lanes most = friction * point.normal_impulse, before = point.tangent_impulse;
  const Lanes impulse = clamp(before - point.tangent_mass * v, -most, most);
  const Lanes change = impulse - before;
  point.tangent_impulse = impulse;
  const Lanes step = m * change;
  vx += step * ny;
  vy -= step * nx;
  w += (inertia * point.side) * change;
}

/// Friction first, then the normal impulses.
[[gnu::always_inline]] inline void solve_slot(Slot& slot, const Part& part, Lanes& vx, Lanes& vy,
                                              Lanes& w) {
  const float m = part.inverse_mass, inertia = part.inverse_inertia, friction = part.friction;
  const Lanes nx = slot.nx, ny = slot.ny;
  solve_friction(slot.points[0], nx, ny, m, inertia, friction, vx, vy, w);
  if (slot.any_second) solve_friction(slot.points[1], nx, ny, m, inertia, friction, vx, vy, w);
  auto &first = slot.points[0], &second = slot.points[1];
  const Lanes along = nx * vx + ny * vy, zero{};
  const Lanes v1 = along + w * first.lever;
  const Lanes a1 = first.normal_impulse;
  const Lanes single = max(a1 - first.normal_mass * v1, zero);
  if (!slot.any_pair) {
    const Lanes change = single - a1;
    first.normal_impulse = single;
    const Lanes step = m * change;
    vx += step * nx;
    vy += step * ny;
    w += (inertia * first.lever) * change;
    return;
  }
  const Lanes v2 = along + w * second.lever, a2 = second.normal_impulse;
  const Lanes b1 = v1 - (slot.k11 * a1 + slot.k12 * a2);
  const Lanes b2 = v2 - (slot.k12 * a1 + slot.k22 * a2);
  const Lanes both1 = -(slot.inverse11 * b1 + slot.inverse12 * b2);
  const Lanes both2 = -(slot.inverse12 * b1 + slot.inverse22 * b2);
  const Mask both = (both1 >= 0.0f) & (both2 >= 0.0f);
  const Lanes only1 = -(first.normal_mass * b1), only2 = -(second.normal_mass * b2);
  const Mask one = (only1 >= 0.0f) & (slot.k12 * only1 + b2 >= 0.0f);
  const Mask two = (only2 >= 0.0f) & (slot.k12 * only2 + b1 >= 0.0f);
  const Mask none = (b1 >= 0.0f) & (b2 >= 0.0f);
  Lanes x1 = select(none, zero, a1), x2 = select(none, zero, a2);
  x1 = select(two, zero, x1), x2 = select(two, only2, x2);
  x1 = select(one, only1, x1), x2 = select(one, zero, x2);
  x1 = select(both, both1, x1), x2 = select(both, both2, x2);
  x1 = select(slot.pair, x1, single), x2 = select(slot.pair, x2, zero);
  const Lanes change1 = x1 - a1, change2 = x2 - a2;
  first.normal_impulse = x1;
  second.normal_impulse = x2;
  const Lanes step = m * (change1 + change2);
  vx += step * nx;
  vy += step * ny;
  w += (inertia * first.lever) * change1 + (inertia * second.lever) * change2;
}

}  // namespace teachenv
