#pragma once
/// All that is known of one walker from one step to the next.

#include <array>
#include <memory>

#include "contacts.hpp"

namespace teachenv {

template <class Topology>
struct WalkerState {
  static constexpr int n_parts = Topology::n_parts, n_joints = Topology::n_joints;

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

  std::shared_ptr<const World> world;  ///< null before the first restart
  Contacts<n_parts> contacts{};
  std::array<PartState, n_parts> parts{};
  std::array<JointMemory, n_joints> joints{};
  std::array<Box, n_parts> boxes{};      ///< around the parts
  std::array<Box, n_parts> swept{};      ///< around the parts at both ends of the step
  std::array<float, n_parts> still_s{};  ///< for how long a part has hardly moved
  bool asleep = false;
  float push = 0.0f;  ///< acts in the first step only
  double shaping = 0.0;

  Pose pose(const Body& body, int p) const {
    const PartState& part = parts[p];
    return {part.c - rotate(part.q, body.parts[p].center), part.q};
  }

  void place(const Body& body, int p, Vec2 origin, float angle) {
    const Rot q = make_rot(angle);
    parts[p].c = to_world({origin, q}, body.parts[p].center);
    parts[p].angle = angle;
    parts[p].q = q;
    fit_box(body, p);
  }

  /// Make the box of a part follow its pose.
  void fit_box(const Body& body, int p) {
    boxes[p] = compute_box(body.parts[p].shape, pose(body, p));
  }

  /// Stand at the start of a level.
  void restart(const Body& body, const Start& start) {
    world = std::make_shared<const World>(start.terrain);
    parts = {};
    joints = {};
    still_s.fill(0.0f);
    asleep = false;
    push = static_cast<float>(start.push);
    for (int p = 0; p < n_parts; ++p)
      place(body, p, body.parts[p].spawn, body.parts[p].spawn_angle);
    contacts.restart(boxes);
    bool moved[n_parts];
    std::fill(std::begin(moved), std::end(moved), true);
    contacts.find(*world, moved);
  }

  /// Pass everything the future depends on, but terrain and contacts, to `visit` piece by piece.
  template <class Visitor>
  void each_piece(Visitor&& visit) {
    for (int p = 0; p < n_parts; ++p) {
      PartState& part = parts[p];
      for (float* value : {&part.c.x, &part.c.y, &part.angle, &part.q.s, &part.q.c,
                           &part.velocity.x, &part.velocity.y, &part.spin, &still_s[p]}) {
        visit(*value);
      }
      visit(contacts.fat[p]);
      visit(contacts.touched[p]);
    }
    for (JointMemory& joint : joints) {
      for (float* value : {&joint.ix, &joint.iy, &joint.iz, &joint.motor}) visit(*value);
      visit(joint.limit);
    }
    visit(contacts.fallen);
    visit(asleep);
    visit(shaping);
  }

  size_t memory_bytes() const {
    return sizeof(*this) + contacts.list.capacity() * sizeof(Contact) +
           (world ? sizeof(World) + world->memory_bytes() : 0);
  }
};

}  // namespace teachenv
