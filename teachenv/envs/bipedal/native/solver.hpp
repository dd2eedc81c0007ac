#pragma once
/// The velocity solver of kLanes environments at once: sequential impulses with warm starting, in
/// the order and with the rules of Box2D 2.3.0.

#include <cmath>
#include <limits>
#include <vector>

#include "slots.hpp"

namespace teachenv {

/// Where the parts are and what the joints remember.
template <class Topology>
struct LanesState {
  static constexpr int n_parts = Topology::n_parts, n_joints = Topology::n_joints;
  Lanes x[n_parts], y[n_parts], angle[n_parts];  ///< centre of mass
  Lanes vx[n_parts], vy[n_parts], spin[n_parts];
  Lanes sine[n_parts], cosine[n_parts];
  struct JointMemory {
    Lanes ix, iy, iz, motor;  ///< impulses: of the pin, of the limit, of the motor
    Mask limit;               ///< -1 at the lower limit, +1 at the upper, 0 between
  } joints[n_joints];
};

template <class Topology>
class Solver {
 public:
  static constexpr int n_parts = Topology::n_parts, n_joints = Topology::n_joints;
  using State = LanesState<Topology>;

  struct JointStep {
    Lanes ax, ay, bx, by;        ///< arms of parent and child
    Lanes k13, k23;              ///< of the 3x3 mass matrix
    Lanes m13, m23, m33;         ///< last row of its inverse
    Lanes d11, d12, d22;         ///< inverse of its 2x2 corner
    Lanes target, max_impulse;   ///< of the motor
    Lanes min_limit, max_limit;  ///< bounds of the limit's impulse
  };

  /// Set from outside before a step: the walkers, places and impulses of their contacts, motors.
  State state;
  Positions<Topology> positions;
  std::vector<Slot> slots[n_parts];
  Lanes target[n_joints], max_torque[n_joints], push;

  /// Forget all walkers; lanes that are not loaded hold parts at rest.
  void clear() {
    state = {};
    positions.clear();
    for (int j = 0; j < n_joints; ++j) target[j] = max_torque[j] = Lanes{};
    push = Lanes{};
  }

  /// Add a place for contact points of a part, and its slot.
  void add_slot(int part) {
    positions.add_place(part);
    const auto n = static_cast<size_t>(positions.n_places[part]);
    if (slots[part].size() < n) slots[part].resize(n);
    slots[part][n - 1] = Slot{};
  }

  /// Apply forces and the impulses of the step before.
  void prepare(const Body& body) {
    for (int p = 0; p < n_parts; ++p) state.vy[p] += kTimeStep * -10.0f;
    for (int p : body.pushed) state.vx[p] += kTimeStep * (body.parts[p].inverse_mass * push);
    each_slot([&](int p, Slot& slot, const Place& place) {
      prepare_slot(slot, place, body.parts[p], state, p);
    });
    each_slot([&](int p, Slot& slot, const Place&) { warm_start(slot, body.parts[p], state, p); });
    unroll<n_joints>([&](auto k) { prepare_joint<Topology::order.joints[k]>(body); });
  }

  /// All iterations of two solvers in turns, which hides the latency of each.
  static void iterate(const Body& body, Solver& one, Solver& two) {
    Velocities u(one.state), v(two.state);
    for (int i = 0; i < kVelocityIterations; ++i) {
      unroll<n_joints>([&](auto k) __attribute__((always_inline)) {
        constexpr int j = Topology::order.joints[k];
        one.template solve_joint<j>(body, u);
        two.template solve_joint<j>(body, v);
      });
      unroll<n_parts>([&](auto k) __attribute__((always_inline)) {
        constexpr int p = Topology::order.parts[k];
        const int n_one = one.positions.n_places[p], n_two = two.positions.n_places[p];
        for (int s = 0; s < n_one || s < n_two; ++s) {
          if (s < n_one) solve_slot(one.slots[p][s], body.parts[p], u.x[p], u.y[p], u.spin[p]);
          if (s < n_two) solve_slot(two.slots[p][s], body.parts[p], v.x[p], v.y[p], v.spin[p]);
        }
      });
    }
    u.store(one.state);
    v.store(two.state);
  }

  /// All iterations of one solver.
  static void iterate(const Body& body, Solver& one) {
    Velocities v(one.state);
    for (int i = 0; i < kVelocityIterations; ++i) {
      unroll<n_joints>([&](auto k) __attribute__((always_inline)) {
        one.template solve_joint<Topology::order.joints[k]>(body, v);
      });
      unroll<n_parts>([&](auto k) __attribute__((always_inline)) {
        constexpr int p = Topology::order.parts[k];
        for (int s = 0; s < one.positions.n_places[p]; ++s) {
          solve_slot(one.slots[p][s], body.parts[p], v.x[p], v.y[p], v.spin[p]);
        }
      });
    }
    v.store(one.state);
  }

  /// Sines and cosines of the positions.
  void turn() {
    for (int p = 0; p < n_parts; ++p) {
      sin_cos(positions.angle[p], state.sine[p], state.cosine[p]);
    }
  }

  /// Move the parts by their velocities, into `positions`.
  void integrate() {
    for (int p = 0; p < n_parts; ++p) {
      const Lanes x = kTimeStep * state.vx[p], y = kTimeStep * state.vy[p];
      const Lanes turn = kTimeStep * state.spin[p], way = x * x + y * y;
      const Mask fast = way > kMaxTranslation * kMaxTranslation;
      for (int i = 0; any(fast) && i < kLanes; ++i) {
        if (!fast[i]) continue;
        const float share = kMaxTranslation / std::sqrt(way[i]);
        lane(state.vx[p], i) *= share;
        lane(state.vy[p], i) *= share;
      }
      const Lanes size = select(turn < 0.0f, -turn, turn);
      const Lanes slower = kMaxRotation / select(size > 0.0f, size, broadcast(1.0f));
      state.spin[p] =
          select(turn * turn > kMaxRotation * kMaxRotation, state.spin[p] * slower, state.spin[p]);
      positions.x[p] = state.x[p] + kTimeStep * state.vx[p];
      positions.y[p] = state.y[p] + kTimeStep * state.vy[p];
      positions.angle[p] = state.angle[p] + kTimeStep * state.spin[p];
    }
    for (int j = 0; j < n_joints; ++j) positions.limit[j] = state.joints[j].limit;
  }

 private:
  struct Velocities {
    Lanes x[n_parts], y[n_parts], spin[n_parts];

    explicit Velocities(const State& state) {
      unroll<n_parts>(
          [&](auto p) { x[p] = state.vx[p], y[p] = state.vy[p], spin[p] = state.spin[p]; });
    }

    void store(State& state) const {
      unroll<n_parts>(
          [&](auto p) { state.vx[p] = x[p], state.vy[p] = y[p], state.spin[p] = spin[p]; });
    }
  };

  /// Call fn(part, slot, place) in the order of the island.
  template <class Fn>
  void each_slot(Fn&& fn) {
    for (int p : Topology::order.parts) {
      for (int s = 0; s < positions.n_places[p]; ++s) fn(p, slots[p][s], positions.places[p][s]);
    }
  }

  template <int j>
  void prepare_joint(const Body& body) {
    constexpr int a = Topology::parent[j], b = Topology::child[j];
    const Joint& joint = body.joints[j];
    const float ma = body.parts[a].inverse_mass, mb = body.parts[b].inverse_mass;
    const float ia = body.parts[a].inverse_inertia, ib = body.parts[b].inverse_inertia;
    JointStep& step = joints_[j];
    auto& memory = state.joints[j];
    const Vec2 pa = joint.parent_arm, pb = joint.child_arm;
    const Lanes ax = step.ax = state.cosine[a] * pa.x - state.sine[a] * pa.y;
    const Lanes ay = step.ay = state.sine[a] * pa.x + state.cosine[a] * pa.y;
    const Lanes bx = step.bx = state.cosine[b] * pb.x - state.sine[b] * pb.y;
    const Lanes by = step.by = state.sine[b] * pb.x + state.cosine[b] * pb.y;
    const Lanes k11 = (ma + mb) + ay * ay * ia + by * by * ib;
    const Lanes k12 = -(ay * ax * ia) - by * bx * ib;
    const Lanes k22 = (ma + mb) + ax * ax * ia + bx * bx * ib;
    const Lanes k13 = step.k13 = -(ay * ia) - by * ib, k23 = step.k23 = ax * ia + bx * ib;
    const float k33 = ia + ib;
    const Lanes c13 = k12 * k23 - k13 * k22, c23 = k12 * k13 - k11 * k23;
    const Lanes c33 = k11 * k22 - k12 * k12;
    const Lanes inverse = 1.0f / (k13 * c13 + k23 * c23 + k33 * c33);
    step.m13 = inverse * c13, step.m23 = inverse * c23, step.m33 = inverse * c33;
    const Lanes inverse2 = 1.0f / c33;
    step.d11 = inverse2 * k22, step.d12 = -(inverse2 * k12), step.d22 = inverse2 * k11;
    step.target = target[j];
    step.max_impulse = kTimeStep * max_torque[j];
    const Lanes angle = state.angle[b] - state.angle[a] - joint.reference;
    const Mask lower = angle <= joint.lower, upper = ~lower & (angle >= joint.upper);
    const Mask limit = lower - upper;  // masks are -1 where set
    memory.iz = select((limit != 0) & (limit == memory.limit), memory.iz, Lanes{});
    memory.limit = limit;
    const Lanes infinity = broadcast(std::numeric_limits<float>::infinity()), zero{};
    step.min_limit = select(limit > 0, -infinity, zero);
    step.max_limit = select(limit < 0, infinity, zero);
    apply(state.vx[a], state.vy[a], state.spin[a], -ma, -ia, ax, ay, memory.ix, memory.iy,
          memory.motor + memory.iz);
    apply(state.vx[b], state.vy[b], state.spin[b], mb, ib, bx, by, memory.ix, memory.iy,
          memory.motor + memory.iz);
  }

  [[gnu::always_inline]] static inline void apply(Lanes& vx, Lanes& vy, Lanes& w, float m,
                                                  float inertia, Lanes arm_x, Lanes arm_y, Lanes ix,
                                                  Lanes iy, Lanes iz) {
    vx += m * ix;
    vy += m * iy;
    w += inertia * ((arm_x * iy - arm_y * ix) + iz);
  }

  template <int j>
  [[gnu::always_inline]] inline void solve_joint(const Body& body, Velocities& v) {
    constexpr int a = Topology::parent[j], b = Topology::child[j];
    const float ma = body.parts[a].inverse_mass, mb = body.parts[b].inverse_mass;
    const float ia = body.parts[a].inverse_inertia, ib = body.parts[b].inverse_inertia;
    const JointStep& step = joints_[j];
    auto& memory = state.joints[j];
    const Lanes motor =
        clamp(memory.motor - body.joints[j].motor_mass * ((v.spin[b] - v.spin[a]) - step.target),
              -step.max_impulse, step.max_impulse);
    const Lanes turn = motor - memory.motor;
    memory.motor = motor;
    v.spin[a] -= ia * turn;
    v.spin[b] += ib * turn;
    const Lanes cx = (v.x[b] - v.spin[b] * step.by) - (v.x[a] - v.spin[a] * step.ay);
    const Lanes cy = (v.y[b] + v.spin[b] * step.bx) - (v.y[a] + v.spin[a] * step.ax);
    // The limit's total impulse first; it only pushes. Then the pin, given the limit.
    const Lanes z = step.m13 * cx + step.m23 * cy + step.m33 * (v.spin[b] - v.spin[a]);
    const Lanes total = clamp(memory.iz - z, step.min_limit, step.max_limit);
    const Lanes iz = total - memory.iz;
    memory.iz = total;
    const Lanes rx = cx + step.k13 * iz, ry = cy + step.k23 * iz;
    const Lanes ix = -(step.d11 * rx + step.d12 * ry), iy = -(step.d12 * rx + step.d22 * ry);
    memory.ix += ix;
    memory.iy += iy;
    apply(v.x[a], v.y[a], v.spin[a], -ma, -ia, step.ax, step.ay, ix, iy, iz);
    apply(v.x[b], v.y[b], v.spin[b], mb, ib, step.bx, step.by, ix, iy, iz);
  }

  JointStep joints_[n_joints];
};

}  // namespace teachenv
