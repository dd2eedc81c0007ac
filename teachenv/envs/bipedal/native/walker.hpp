#pragma once
/// One walker: its terrain, contacts, parts and joints, and all of a step that is done one walker
/// at a time. In between, the solver steps kLanes walkers side by side.

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "events.hpp"
#include "lidar.hpp"
#include "solver.hpp"

namespace teachenv {

/// Where one walker's outputs go.
struct Outputs {
  float* observation;
  double* reward;
  bool* terminated;
  double* position;
};

template <class Topology>
class Walker {
 public:
  static constexpr int n_parts = Topology::n_parts, n_joints = Topology::n_joints;

  // -- a step ----------------------------------------------------------------------------

  /// Stand at the start of a level.
  void restart(const Body& body, const Start& start) {
    world_ = std::make_shared<const World>(start.terrain);
    parts_ = {};
    joints_ = {};
    still_s_.fill(0.0f);
    asleep_ = false;
    push_ = static_cast<float>(start.push);
    for (int p = 0; p < n_parts; ++p)
      place(body, p, body.parts[p].spawn, body.parts[p].spawn_angle);
    contacts_.restart(boxes_);
    bool moved[n_parts];
    std::fill(std::begin(moved), std::end(moved), true);
    contacts_.find(*world_, moved);
  }

  /// Update the contacts and set the motors.
  /// @param actions One per joint; null for motors without torque.
  void begin(const Body& body, const float* actions) {
    if (asleep_) still_s_.fill(0.0f);
    asleep_ = false;
    actions_ = actions;
    Pose poses[n_parts];
    for (int p = 0; p < n_parts; ++p) poses[p] = pose(body, p);
    contacts_.update_all(*world_, body, poses, boxes_);
  }

  /// A number that is equal for walkers whose parts touch the terrain in equally many places: side
  /// by side, they waste the fewest lanes.
  uint32_t pattern() const {
    uint32_t touches[n_parts] = {}, pairs = 0;
    for (const Contact& contact : contacts_.list) {
      if (!contact.touching) continue;
      ++touches[contact.part];
      if (contact.manifold.count == 2) pairs |= 1u << contact.part;
    }
    uint32_t pattern = 0;
    for (int p : Topology::order.parts) pattern = pattern * 4 + std::min(touches[p], 3u);
    return pattern * 2 + (pairs != 0 ? 1 : 0);
  }

  /// Copy everything the solver needs to its lane k.
  void load(const Body& body, Solver<Topology>& solver, int k) const {
    auto& state = solver.state;
    for (int p = 0; p < n_parts; ++p) {
      const PartState& part = parts_[p];
      lane(state.x[p], k) = part.c.x;
      lane(state.y[p], k) = part.c.y;
      lane(state.angle[p], k) = part.angle;
      lane(state.vx[p], k) = part.velocity.x;
      lane(state.vy[p], k) = part.velocity.y;
      lane(state.spin[p], k) = part.spin;
      lane(state.sine[p], k) = part.q.s;
      lane(state.cosine[p], k) = part.q.c;
    }
    for (int j = 0; j < n_joints; ++j) {
      auto& joint = state.joints[j];
      lane(joint.ix, k) = joints_[j].ix;
      lane(joint.iy, k) = joints_[j].iy;
      lane(joint.iz, k) = joints_[j].iz;
      lane(joint.motor, k) = joints_[j].motor;
      lane(joint.limit, k) = joints_[j].limit;
      load_motor(body, solver, j, k);
    }
    lane(solver.push, k) = push_;
    load_contacts(solver, k);
  }

  /// Copy the results of lane k back.
  /// @param solved Whether the positions were corrected within the tolerances.
  void store(const Solver<Topology>& solver, int k, bool solved) {
    const auto& state = solver.state;
    const auto& positions = solver.positions;
    for (int p = 0; p < n_parts; ++p) {
      PartState& part = parts_[p];
      part.c0 = part.c;
      part.angle0 = part.angle;
      part.q0 = part.q;
      part.c = {lane(positions.x[p], k), lane(positions.y[p], k)};
      part.angle = lane(positions.angle[p], k);
      part.q = {lane(state.sine[p], k), lane(state.cosine[p], k)};
      part.velocity = {lane(state.vx[p], k), lane(state.vy[p], k)};
      part.spin = lane(state.spin[p], k);
    }
    for (int j = 0; j < n_joints; ++j) {
      const auto& joint = state.joints[j];
      joints_[j] = {lane(joint.ix, k), lane(joint.iy, k), lane(joint.iz, k), lane(joint.motor, k),
                    lane(joint.limit, k)};
    }
    store_impulses(solver, k);
    rest(solved);
    push_ = 0.0f;
  }

  /// Continuous collision, then reward and observation.
  void finish(const Body& body, const Outputs& out) {
    follow(body);
    if (!asleep_) stop_at_touches(body);
    write(body, out);
  }

  // -- from outside ----------------------------------------------------------------------

  /// Null before the first restart.
  const std::shared_ptr<const World>& world() const { return world_; }

  /// Pose and velocity of a part: x, y of its origin, angle, velocity of its centre of mass, spin.
  void get_body(const Body& body, int p, float* out) const {
    const PartState& part = parts_[p];
    const Vec2 origin = pose(body, p).p;
    const float values[] = {origin.x,        origin.y,        part.angle,
                            part.velocity.x, part.velocity.y, part.spin};
    std::copy(std::begin(values), std::end(values), out);
  }

  void set_body(const Body& body, int p, const float* values) {
    place(body, p, {values[0], values[1]}, values[2]);
    parts_[p].velocity = {values[3], values[4]};
    parts_[p].spin = values[5];
    shaping_ = shaping(body);
  }

  /// Pass everything the future depends on, but terrain and contacts, to `visit` piece by piece.
  template <class Visitor>
  void each_piece(Visitor&& visit) {
    for (int p = 0; p < n_parts; ++p) {
      PartState& part = parts_[p];
      for (float* value : {&part.c.x, &part.c.y, &part.angle, &part.q.s, &part.q.c,
                           &part.velocity.x, &part.velocity.y, &part.spin, &still_s_[p]}) {
        visit(*value);
      }
      visit(contacts_.fat[p]);
      visit(contacts_.touched[p]);
    }
    for (JointMemory& joint : joints_) {
      for (float* value : {&joint.ix, &joint.iy, &joint.iz, &joint.motor}) visit(*value);
      visit(joint.limit);
    }
    visit(contacts_.fallen);
    visit(asleep_);
    visit(shaping_);
  }

  std::vector<Contact>& contacts() { return contacts_.list; }

  /// Set the terrain, after all pieces.
  void set_world(const Body& body, std::shared_ptr<const World> world) {
    world_ = std::move(world);
    for (int p = 0; p < n_parts; ++p) {
      boxes_[p] = compute_box(body.parts[p].shape, pose(body, p));
    }
  }

  size_t memory_bytes() const {
    return sizeof(*this) + contacts_.list.capacity() * sizeof(Contact) +
           (world_ ? sizeof(World) + world_->memory_bytes() : 0);
  }

 private:
  struct PartState {
    Vec2 c;  ///< centre of mass
    float angle;
    Rot q;
    Vec2 velocity;
    float spin;
    Vec2 c0;  ///< at the beginning of the step, as the next two
    float angle0;
    Rot q0;
  };

  /// As in LanesState.
  struct JointMemory {
    float ix, iy, iz, motor;
    int32_t limit;
  };

  Pose pose(const Body& body, int p) const {
    const PartState& part = parts_[p];
    return {part.c - rotate(part.q, body.parts[p].center), part.q};
  }

  void place(const Body& body, int p, Vec2 origin, float angle) {
    const Rot q = make_rot(angle);
    parts_[p].c = to_world({origin, q}, body.parts[p].center);
    parts_[p].angle = angle;
    parts_[p].q = q;
    boxes_[p] = compute_box(body.parts[p].shape, pose(body, p));
  }

  void load_motor(const Body& body, Solver<Topology>& solver, int j, int k) const {
    const double action = actions_ == nullptr ? 0.0 : actions_[j];
    const double size = std::min(action < 0.0 ? -action : action, 1.0);
    const float speed = body.joints[j].speed;
    lane(solver.target[j], k) = action > 0.0 ? speed : (action < 0.0 ? -speed : 0.0f);
    lane(solver.max_torque[j], k) = static_cast<float>(body.torque * size);
  }

  /// Copy the touching contacts, newest first.
  void load_contacts(Solver<Topology>& solver, int k) const {
    int used[n_parts] = {};
    for (size_t i = contacts_.list.size(); i-- > 0;) {
      const Contact& contact = contacts_.list[i];
      if (!contact.touching) continue;
      const int p = contact.part, s = used[p]++;
      if (s == solver.positions.n_places[p]) solver.add_slot(p);
      Place& place = solver.positions.places[p][s];
      Slot& slot = solver.slots[p][s];
      const Manifold& manifold = contact.manifold;
      lane(place.used, k) = -1;
      lane(place.second, k) = manifold.count == 2 ? -1 : 0;
      lane(place.still, k) = manifold.face == Face::terrain ? -1 : 0;
      lane(place.local_nx, k) = manifold.local_normal.x;
      lane(place.local_ny, k) = manifold.local_normal.y;
      lane(place.local_px, k) = manifold.local_point.x;
      lane(place.local_py, k) = manifold.local_point.y;
      for (int n = 0; n < manifold.count; ++n) {
        const ManifoldPoint& point = manifold.points[n];
        lane(place.local_x[n], k) = point.local.x;
        lane(place.local_y[n], k) = point.local.y;
        lane(slot.points[n].normal_impulse, k) = point.normal_impulse;
        lane(slot.points[n].tangent_impulse, k) = point.tangent_impulse;
      }
    }
  }

  void store_impulses(const Solver<Topology>& solver, int k) {
    int used[n_parts] = {};
    for (size_t i = contacts_.list.size(); i-- > 0;) {
      Contact& contact = contacts_.list[i];
      if (!contact.touching) continue;
      const Slot& slot = solver.slots[contact.part][used[contact.part]++];
      // The second point of an ill-conditioned pair keeps what it had, as in Box2D.
      for (int n = 0; n < (slot.pair[k] ? 2 : 1); ++n) {
        contact.manifold.points[n].normal_impulse = lane(slot.points[n].normal_impulse, k);
        contact.manifold.points[n].tangent_impulse = lane(slot.points[n].tangent_impulse, k);
      }
    }
  }

  /// Fall asleep after hardly moving for half a second, as Box2D does; the next step wakes.
  void rest(bool solved) {
    constexpr float kLinear = 0.01f * 0.01f, kAngular = kAngularSlop * kAngularSlop;
    float least = 1e9f;
    for (int p = 0; p < n_parts; ++p) {
      const PartState& part = parts_[p];
      const bool moves =
          part.spin * part.spin > kAngular || dot(part.velocity, part.velocity) > kLinear;
      still_s_[p] = moves ? 0.0f : still_s_[p] + kTimeStep;
      least = std::min(least, still_s_[p]);
    }
    if (least < 0.5f || !solved) return;
    asleep_ = true;
    for (PartState& part : parts_) part.velocity = {0.0f, 0.0f}, part.spin = 0.0f;
  }

  /// Let boxes and contacts follow the parts.
  void follow(const Body& body) {
    bool moved[n_parts], any_moved = false;
    for (int p = 0; p < n_parts; ++p) {
      const Pose to = pose(body, p);
      const PartState& part = parts_[p];
      const Vec2 from = part.c0 - rotate(part.q0, body.parts[p].center);
      const Box box = compute_box(body.parts[p].shape, to);
      swept_[p] = united(boxes_[p], box);
      boxes_[p] = box;
      moved[p] = contacts_.move(p, swept_[p], to.p - from);
      any_moved |= moved[p];
    }
    if (any_moved) contacts_.find(*world_, moved);
  }

  /// Sort out the contacts that see no touch within the step; whether others are left.
  bool may_touch(const Body& body) {
    bool any_left = false;
    for (Contact& contact : contacts_.list) {
      const Part& part = body.parts[contact.part];
      const PartState& state = parts_[contact.part];
      const float turn = state.angle - state.angle0;
      const Pose first{state.c0 - rotate(state.q0, part.center), state.q0};
      contact.events = 0;
      contact.time = 1.0f;
      contact.timed = Events<n_parts>::far(*world_, part, contact, swept_[contact.part], turn) ||
                      surely_apart(world_->shape(contact.fixture), part.shape, first,
                                   pose(body, contact.part), turn, part.radius);
      any_left |= !contact.timed;
    }
    return any_left;
  }

  void stop_at_touches(const Body& body) {
    if (!may_touch(body)) return;
    Motion motions[n_parts];
    for (int p = 0; p < n_parts; ++p) {
      const PartState& part = parts_[p];
      motions[p] = {{body.parts[p].center, part.c0, part.c, part.angle0, part.angle, 0.0f},
                    part.velocity,
                    part.spin};
    }
    const uint32_t stopped = Events<n_parts>(*world_, body, contacts_, motions, swept_).run();
    for (int p = 0; p < n_parts; ++p) {
      if (!(stopped >> p & 1u)) continue;
      PartState& part = parts_[p];
      part.c = motions[p].sweep.c;
      part.angle = motions[p].sweep.a;
      part.q = make_rot(part.angle);
      part.velocity = motions[p].velocity;
      part.spin = motions[p].spin;
      boxes_[p] = compute_box(body.parts[p].shape, pose(body, p));
    }
  }

  double shaping(const Body& body) const {
    const double x = pose(body, 0).p.x, angle = parts_[0].angle;
    return 130.0 * x / kScale - 5.0 * (angle < 0.0 ? -angle : angle);
  }

  void write(const Body& body, const Outputs& out) {
    const Vec2 hull = pose(body, 0).p;
    const double now = shaping(body), before = shaping_;
    shaping_ = now;
    observe(body, hull, out.observation);
    *out.position = hull.x;
    *out.terminated = false;
    *out.reward = 0.0;
    if (actions_ == nullptr) return;
    double effort = 0.0;
    for (int j = 0; j < n_joints; ++j) {
      const double size = actions_[j] < 0.0f ? -actions_[j] : actions_[j];
      effort += std::min(size, 1.0);
    }
    const bool failed = contacts_.fallen || hull.x < 0.0f;
    *out.reward = failed ? -100.0 : now - before - body.torque_penalty * effort;
    *out.terminated = failed || hull.x > kFinishX;
  }

  void observe(const Body& body, Vec2 hull, float* out) const {
    constexpr double kFps = 50.0, kWidth = 600.0 / kScale, kHeight = 400.0 / kScale;
    const PartState& first = parts_[0];
    *out++ = first.angle;
    *out++ = static_cast<float>(2.0 * first.spin / kFps);
    *out++ = static_cast<float>(0.3 * first.velocity.x * kWidth / kFps);
    *out++ = static_cast<float>(0.3 * first.velocity.y * kHeight / kFps);
    for (int j = 0; j < n_joints; ++j) {
      const int b = Topology::child[j];
      const PartState &parent = parts_[Topology::parent[j]], &child = parts_[b];
      const Joint& joint = body.joints[j];
      const float angle = child.angle - parent.angle - joint.reference;
      const float speed = child.spin - parent.spin;
      *out++ = static_cast<float>(angle + joint.observed_offset);
      *out++ = static_cast<float>(speed / joint.observed_speed);
      if (body.parts[b].senses_contact) *out++ = contacts_.touched[b] ? 1.0f : 0.0f;
    }
    Lidar().scan(*world_, hull, out);
  }

  std::shared_ptr<const World> world_;
  Contacts<n_parts> contacts_{};
  std::array<PartState, n_parts> parts_{};
  std::array<JointMemory, n_joints> joints_{};
  std::array<Box, n_parts> boxes_{};      ///< around the parts
  std::array<Box, n_parts> swept_{};      ///< around the parts at both ends of the step
  std::array<float, n_parts> still_s_{};  ///< for how long a part has hardly moved
  bool asleep_ = false;
  float push_ = 0.0f;  ///< acts in the first step only
  double shaping_ = 0.0;
  const float* actions_ = nullptr;  ///< during a step
};

}  // namespace teachenv
