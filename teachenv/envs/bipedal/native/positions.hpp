#pragma once
/// Position correction of kLanes environments at once, after a step's motion: parts out of the
/// terrain, joints together, as Box2D 2.3.0 does it. A lane is done once all is within tolerance.

#include <vector>

#include "body.hpp"
#include "simd.hpp"

namespace teachenv {

/// Where up to two contact points of one part are, in each lane.
struct Place {
  Mask used, second;  ///< has points; has two
  Mask still;         ///< the terrain gives the reference side
  Lanes local_nx, local_ny, local_px, local_py;
  Lanes local_x[2], local_y[2];
};

/// A contact point in the world, as in witness().
struct Reach {
  Lanes nx, ny, x, y, distance;
};

inline Reach reach(const Place& place, int i, Vec2 center, Lanes s, Lanes c, Lanes x, Lanes y) {
  const Lanes lx = select(place.still, place.local_x[i], place.local_px) - center.x;
  const Lanes ly = select(place.still, place.local_y[i], place.local_py) - center.y;
  const Lanes turned_x = (c * lx - s * ly) + x, turned_y = (s * lx + c * ly) + y;
  const Lanes nx = select(place.still, place.local_nx, c * place.local_nx - s * place.local_ny);
  const Lanes ny = select(place.still, place.local_ny, s * place.local_nx + c * place.local_ny);
  const Lanes at_x = select(place.still, turned_x, place.local_x[i]);
  const Lanes at_y = select(place.still, turned_y, place.local_y[i]);
  const Lanes plane_x = select(place.still, place.local_px, turned_x);
  const Lanes plane_y = select(place.still, place.local_py, turned_y);
  return {nx, ny, at_x, at_y, (at_x - plane_x) * nx + (at_y - plane_y) * ny};
}

template <class Topology>
class Positions {
 public:
  static constexpr int n_parts = Topology::n_parts, n_joints = Topology::n_joints;

  Lanes x[n_parts], y[n_parts], angle[n_parts];  ///< of the centres of mass
  Mask limit[n_joints];                          ///< as in LanesState
  std::vector<Place> places[n_parts];
  int n_places[n_parts] = {};

  void clear() {
    for (int& n : n_places) n = 0;
  }

  /// Iterate over the lanes of a mask.
  /// @return Those that are still not within tolerance.
  Mask correct(const Body& body, Mask open, int iterations) {
    for (int i = 0; i < iterations && any(open); ++i) {
      Mask fine = Mask{} - 1;
      unroll<n_parts>([&](auto k) __attribute__((always_inline)) {
        constexpr int p = Topology::order.parts[k];
        for (int s = 0; s < n_places[p]; ++s) {
          fine &= push_out(places[p][s], body.parts[p], open, x[p], y[p], angle[p]);
        }
      });
      unroll<n_joints>([&](auto k) __attribute__((always_inline)) {
        fine &= pull_together<Topology::order.joints[k]>(body, open);
      });
      open &= ~fine;
    }
    return open;
  }

  /// Add an empty place for contact points of a part, in all lanes.
  void add_place(int part) {
    auto& list = places[part];
    const auto n = static_cast<size_t>(n_places[part]++);
    if (n == list.size()) list.emplace_back();
    list[n] = Place{};
  }

  /// Copy lane i of other to lane k.
  void take(int k, const Positions& other, int i) {
    for (int p = 0; p < n_parts; ++p) {
      lane(x[p], k) = lane(other.x[p], i);
      lane(y[p], k) = lane(other.y[p], i);
      lane(angle[p], k) = lane(other.angle[p], i);
      for (int s = 0; s < other.n_places[p] && lane(other.places[p][s].used, i); ++s) {
        if (s == n_places[p]) add_place(p);
        copy_lane(places[p][s], k, other.places[p][s], i);
      }
    }
    for (int j = 0; j < n_joints; ++j) lane(limit[j], k) = lane(other.limit[j], i);
  }

  /// Copy where the parts of lane k are to lane i of other.
  void give(int k, Positions& other, int i) const {
    for (int p = 0; p < n_parts; ++p) {
      lane(other.x[p], i) = lane(x[p], k);
      lane(other.y[p], i) = lane(y[p], k);
      lane(other.angle[p], i) = lane(angle[p], k);
    }
  }

 private:
  static void copy_lane(Place& to, int k, const Place& from, int i) {
    static_assert(sizeof(Place) % sizeof(Lanes) == 0);
    auto* target = reinterpret_cast<char*>(&to) + 4 * k;
    const auto* source = reinterpret_cast<const char*>(&from) + 4 * i;
    for (size_t at = 0; at < sizeof(Place); at += sizeof(Lanes)) {
      std::memcpy(target + at, source + at, 4);
    }
  }

  /// Move a part out of the terrain; returns the lanes in which it was not too deep.
  [[gnu::always_inline]] static inline Mask push_out(const Place& place, const Part& part,
                                                     Mask open, Lanes& x, Lanes& y, Lanes& angle) {
    const float m = part.inverse_mass, inertia = part.inverse_inertia;
    Mask fine = Mask{} - 1;
    for (int i = 0; i < (any(place.second) ? 2 : 1); ++i) {
      const Mask has = i == 0 ? place.used : place.second;
      Lanes s, c;
      sin_cos(angle, s, c);
      const Reach at = reach(place, i, part.center, s, c, x, y);
      const Lanes nx = select(place.still, at.nx, -at.nx), ny = select(place.still, at.ny, -at.ny);
      const Lanes separation = at.distance - 2.0f * kSkin;
      fine &= ~has | (separation >= -3.0f * kSlop);
      const Lanes depth = clamp(0.2f * (separation + kSlop), broadcast(-kMaxCorrection), Lanes{});
      const Lanes lever = (at.x - x) * ny - (at.y - y) * nx;
      const Lanes impulse = select(has & open, -depth / (m + inertia * lever * lever), Lanes{});
      x += (m * impulse) * nx;
      y += (m * impulse) * ny;
      angle += (inertia * lever) * impulse;
    }
    return fine;
  }

  /// Correct a joint's limit and pin; returns the lanes in which both were within tolerance.
  template <int j>
  [[gnu::always_inline]] inline Mask pull_together(const Body& body, Mask open) {
    constexpr int a = Topology::parent[j], b = Topology::child[j];
    const Joint& joint = body.joints[j];
    const float ma = body.parts[a].inverse_mass, mb = body.parts[b].inverse_mass;
    const float ia = body.parts[a].inverse_inertia, ib = body.parts[b].inverse_inertia;
    const Mask at = limit[j];
    const Lanes bend = angle[b] - angle[a] - joint.reference;
    const Lanes below = bend - joint.lower, above = bend - joint.upper, zero{};
    const Lanes most = broadcast(kMaxAngularCorrection);
    const Lanes back = select(at < 0, clamp(below + kAngularSlop, -most, zero),
                              clamp(above - kAngularSlop, zero, most));
    const Lanes turn = select((at != 0) & open, -joint.motor_mass * back, zero);
    const Mask turned_fine =
        (at == 0) | ((at < 0) & (-below <= kAngularSlop)) | ((at > 0) & (above <= kAngularSlop));
    angle[a] -= ia * turn;
    angle[b] += ib * turn;
    Lanes sa, ca, sb, cb;
    sin_cos(angle[a], sa, ca);
    sin_cos(angle[b], sb, cb);
    const Vec2 pa = joint.parent_arm, pb = joint.child_arm;
    const Lanes ax = ca * pa.x - sa * pa.y, ay = sa * pa.x + ca * pa.y;
    const Lanes bx = cb * pb.x - sb * pb.y, by = sb * pb.x + cb * pb.y;
    const Lanes cx = ((x[b] + bx) - x[a]) - ax;
    const Lanes cy = ((y[b] + by) - y[a]) - ay;
    const Lanes k11 = (ma + mb) + ia * ay * ay + ib * by * by;
    const Lanes k12 = -(ia * ax * ay) - ib * bx * by;
    const Lanes k22 = (ma + mb) + ia * ax * ax + ib * bx * bx;
    const Lanes inverse = select(open, 1.0f / (k11 * k22 - k12 * k12), zero);
    const Lanes ix = -(inverse * (k22 * cx - k12 * cy)), iy = -(inverse * (k11 * cy - k12 * cx));
    x[a] -= ma * ix;
    y[a] -= ma * iy;
    angle[a] -= ia * (ax * iy - ay * ix);
    x[b] += mb * ix;
    y[b] += mb * iy;
    angle[b] += ib * (bx * iy - by * ix);
    return turned_fine & (cx * cx + cy * cy <= kSlop * kSlop);
  }
};

}  // namespace teachenv
