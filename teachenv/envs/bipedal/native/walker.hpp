#pragma once
/// One walker: all of a step that is done one walker at a time. In between, the solver steps kLanes
/// walkers side by side.

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "events.hpp"
#include "exchange.hpp"
#include "senses.hpp"

namespace teachenv {

template <class Topology>
class Walker {
 public:
  static constexpr int n_parts = Topology::n_parts, n_joints = Topology::n_joints;

  // -- a step ----------------------------------------------------------------------------

  /// Stand at the start of a level.
  void restart(const Body& body, const Start& start) { state_.restart(body, start); }

  /// Update the contacts and set the motors.
  /// @param actions One per motor; null for motors without torque.
  void begin(const Body& body, const float* actions) {
    if (state_.asleep) state_.still_s.fill(0.0f);
    state_.asleep = false;
    actions_ = actions;
    Pose poses[n_parts];
    for (int p = 0; p < n_parts; ++p) poses[p] = state_.pose(body, p);
    state_.contacts.update_all(*state_.world, body, poses, state_.boxes);
  }

  /// A number that is equal for walkers whose parts touch the terrain in equally many places: side
  /// by side, they waste the fewest lanes.
  uint64_t pattern() const {
    static_assert(2 * n_parts + 1 < 50);
    uint32_t touches[n_parts] = {}, pairs = 0;
    for (const Contact& contact : state_.contacts.list) {
      if (!contact.touching) continue;
      ++touches[contact.part];
      if (contact.manifold.count == 2) pairs |= 1u << contact.part;
    }
    uint64_t pattern = 0;
    for (int p : Topology::order.parts) pattern = pattern * 4 + std::min(touches[p], 3u);
    return pattern * 2 + (pairs != 0 ? 1 : 0);
  }

  /// Copy everything the solver needs to its lane k.
  void load(const Body& body, Solver<Topology>& solver, int k) const {
    teachenv::load(body, state_, actions_, solver, k);
  }

  /// Copy the results of lane k back.
  /// @param solved Whether the positions were corrected within the tolerances.
  void store(const Solver<Topology>& solver, int k, bool solved) {
    teachenv::store(solver, k, state_);
    rest(solved);
    state_.push = 0.0f;
  }

  /// Continuous collision, then reward and observation.
  void finish(const Body& body, const Outputs& out) {
    follow(body);
    if (!state_.asleep) stop_at_touches(body);
    sense(body, state_, actions_, out);
  }

  // -- from outside ----------------------------------------------------------------------

  WalkerState<Topology>& state() { return state_; }
  const WalkerState<Topology>& state() const { return state_; }

  /// Pose and velocity of a part: x, y of its origin, angle, velocity of its centre of mass, spin.
  void get_body(const Body& body, int p, float* out) const {
    const auto& part = state_.parts[p];
    const Vec2 origin = state_.pose(body, p).p;
    const float values[] = {origin.x,        origin.y,        part.angle,
                            part.velocity.x, part.velocity.y, part.spin};
    std::copy(std::begin(values), std::end(values), out);
  }

  void set_body(const Body& body, int p, const float* values) {
    state_.place(body, p, {values[0], values[1]}, values[2]);
    state_.parts[p].velocity = {values[3], values[4]};
    state_.parts[p].spin = values[5];
    state_.shaping = shaping(body, state_);
  }

  /// Set the terrain, after all pieces.
  void set_world(const Body& body, std::shared_ptr<const World> world) {
    state_.world = std::move(world);
    for (int p = 0; p < n_parts; ++p) state_.fit_box(body, p);
  }

 private:
  /// Fall asleep after hardly moving for half a second, as Box2D does; the next step wakes.
  void rest(bool solved) {
    constexpr float kLinear = 0.01f * 0.01f, kAngular = kAngularSlop * kAngularSlop;
    float least = 1e9f;
    for (int p = 0; p < n_parts; ++p) {
      const auto& part = state_.parts[p];
      const bool moves =
          part.spin * part.spin > kAngular || dot(part.velocity, part.velocity) > kLinear;
      state_.still_s[p] = moves ? 0.0f : state_.still_s[p] + kTimeStep;
      least = std::min(least, state_.still_s[p]);
    }
    if (least < 0.5f || !solved) return;
    state_.asleep = true;
    for (auto& part : state_.parts) part.velocity = {0.0f, 0.0f}, part.spin = 0.0f;
  }

  /// Let boxes and contacts follow the parts.
  void follow(const Body& body) {
    bool moved[n_parts], any_moved = false;
    for (int p = 0; p < n_parts; ++p) {
      const Pose to = state_.pose(body, p);
      const auto& part = state_.parts[p];
      const Vec2 from = part.c0 - rotate(part.q0, body.parts[p].center);
      const Box box = compute_box(body.parts[p].shape, to);
      state_.swept[p] = united(state_.boxes[p], box);
      state_.boxes[p] = box;
      moved[p] = state_.contacts.move(p, state_.swept[p], to.p - from);
      any_moved |= moved[p];
    }
    if (any_moved) state_.contacts.find(*state_.world, moved);
  }

  /// Sort out the contacts that see no touch within the step; whether others are left.
  bool may_touch(const Body& body) {
    const World& world = *state_.world;
    bool any_left = false;
    for (Contact& contact : state_.contacts.list) {
      const Part& part = body.parts[contact.part];
      const auto& moving = state_.parts[contact.part];
      const float turn = moving.angle - moving.angle0;
      const Pose first{moving.c0 - rotate(moving.q0, part.center), moving.q0};
      contact.events = 0;
      contact.time = 1.0f;
      contact.timed =
          Events<n_parts>::far(world, part, contact, state_.swept[contact.part], turn) ||
          surely_apart(world.shape(contact.fixture), part.shape, first,
                       state_.pose(body, contact.part), turn, part.radius);
      any_left |= !contact.timed;
    }
    return any_left;
  }

  void stop_at_touches(const Body& body) {
    if (!may_touch(body)) return;
    Motion motions[n_parts];
    for (int p = 0; p < n_parts; ++p) {
      const auto& part = state_.parts[p];
      motions[p] = {{body.parts[p].center, part.c0, part.c, part.angle0, part.angle, 0.0f},
                    part.velocity,
                    part.spin};
    }
    const uint32_t stopped =
        Events<n_parts>(*state_.world, body, state_.contacts, motions, state_.swept).run();
    for (int p = 0; p < n_parts; ++p) {
      if (!(stopped >> p & 1u)) continue;
      auto& part = state_.parts[p];
      part.c = motions[p].sweep.c;
      part.angle = motions[p].sweep.a;
      part.q = make_rot(part.angle);
      part.velocity = motions[p].velocity;
      part.spin = motions[p].spin;
      state_.fit_box(body, p);
    }
  }

  WalkerState<Topology> state_;
  const float* actions_ = nullptr;  ///< during a step
};

}  // namespace teachenv
