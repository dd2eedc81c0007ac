#pragma once
/// Between one walker and its lane of a solver.

#include <algorithm>

#include "solver.hpp"
#include "walker_state.hpp"

namespace teachenv {

/// Copy the touching contacts, newest first.
template <class Topology>
void load_contacts(const WalkerState<Topology>& walker, Solver<Topology>& solver, int k) {
  int used[Topology::n_parts] = {};
  const auto& list = walker.contacts.list;
  for (size_t i = list.size(); i-- > 0;) {
    const Contact& contact = list[i];
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

/// Copy everything the solver needs of a walker to its lane k.
/// @param actions One per motor; null for motors without torque.
template <class Topology>
void load(const Body& body, const WalkerState<Topology>& walker, const float* actions,
          Solver<Topology>& solver, int k) {
  auto& state = solver.state;
  for (int p = 0; p < Topology::n_parts; ++p) {
    const auto& part = walker.parts[p];
    lane(state.x[p], k) = part.c.x;
    lane(state.y[p], k) = part.c.y;
    lane(state.angle[p], k) = part.angle;
    lane(state.vx[p], k) = part.velocity.x;
    lane(state.vy[p], k) = part.velocity.y;
    lane(state.spin[p], k) = part.spin;
    lane(state.sine[p], k) = part.q.s;
    lane(state.cosine[p], k) = part.q.c;
  }
  for (int j = 0; j < Topology::n_joints; ++j) {
    auto& joint = state.joints[j];
    lane(joint.ix, k) = walker.joints[j].ix;
    lane(joint.iy, k) = walker.joints[j].iy;
    lane(joint.iz, k) = walker.joints[j].iz;
    lane(joint.motor, k) = walker.joints[j].motor;
    lane(joint.limit, k) = walker.joints[j].limit;
    const int motor = body.joints[j].action;
    const double action = actions == nullptr || motor < 0 ? 0.0 : actions[motor];
    const double size = std::min(action < 0.0 ? -action : action, 1.0);
    const float speed = body.joints[j].speed;
    lane(solver.target[j], k) = action > 0.0 ? speed : (action < 0.0 ? -speed : 0.0f);
    lane(solver.max_torque[j], k) = static_cast<float>(body.torque * size);
  }
  lane(solver.push, k) = walker.push;
  load_contacts(walker, solver, k);
}

template <class Topology>
void store_impulses(const Solver<Topology>& solver, int k, WalkerState<Topology>& walker) {
  int used[Topology::n_parts] = {};
  auto& list = walker.contacts.list;
  for (size_t i = list.size(); i-- > 0;) {
    Contact& contact = list[i];
    if (!contact.touching) continue;
    const Slot& slot = solver.slots[contact.part][used[contact.part]++];
    // The second point of an ill-conditioned pair keeps what it had, as in Box2D.
    for (int n = 0; n < (slot.pair[k] ? 2 : 1); ++n) {
      contact.manifold.points[n].normal_impulse = lane(slot.points[n].normal_impulse, k);
      contact.manifold.points[n].tangent_impulse = lane(slot.points[n].tangent_impulse, k);
    }
  }
}

/// Copy the results of lane k back to its walker.
template <class Topology>
void store(const Solver<Topology>& solver, int k, WalkerState<Topology>& walker) {
  const auto& state = solver.state;
  const auto& positions = solver.positions;
  for (int p = 0; p < Topology::n_parts; ++p) {
    auto& part = walker.parts[p];
    part.c0 = part.c;
    part.angle0 = part.angle;
    part.q0 = part.q;
    part.c = {lane(positions.x[p], k), lane(positions.y[p], k)};
    part.angle = lane(positions.angle[p], k);
    part.q = {lane(state.sine[p], k), lane(state.cosine[p], k)};
    part.velocity = {lane(state.vx[p], k), lane(state.vy[p], k)};
    part.spin = lane(state.spin[p], k);
  }
  for (int j = 0; j < Topology::n_joints; ++j) {
    const auto& joint = state.joints[j];
    walker.joints[j] = {lane(joint.ix, k), lane(joint.iy, k), lane(joint.iz, k),
                        lane(joint.motor, k), lane(joint.limit, k)};
  }
  store_impulses(solver, k, walker);
}

}  // namespace teachenv
