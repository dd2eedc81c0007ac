#pragma once
/// Topologies: which parts a body has and which joints link them, at compile time, so that the
/// solver's loops over them unroll. The numbers of a body (sizes, masses, limits) are data.

#include <array>

namespace teachenv {

/// In which order the solver visits parts and joints: Box2D's depth-first walk through the island
/// from the part made last, along the joints made last first.
template <int n_parts, int n_joints>
struct IslandOrder {
  std::array<int, n_parts> parts{};
  std::array<int, n_joints> joints{};

  constexpr IslandOrder(const int (&parent)[n_joints], const int (&child)[n_joints]) {
    int stack[n_parts] = {n_parts - 1}, depth = 1, visited = 0, linked = 0;
    bool seen_part[n_parts] = {}, seen_joint[n_joints] = {};
    seen_part[n_parts - 1] = true;
    while (depth > 0) {
      const int part = stack[--depth];
      parts[visited++] = part;
      for (int j = n_joints - 1; j >= 0; --j) {
        if (seen_joint[j] || (parent[j] != part && child[j] != part)) continue;
        seen_joint[j] = true;
        joints[linked++] = j;
        const int other = parent[j] == part ? child[j] : parent[j];
        if (seen_part[other]) continue;
        seen_part[other] = true;
        stack[depth++] = other;
      }
    }
  }
};

/// A hull with two legs of two parts.
struct TwoLegs {
  static constexpr int n_parts = 5, n_joints = 4;
  static constexpr int parent[] = {0, 1, 0, 3}, child[] = {1, 2, 3, 4};
  static constexpr IslandOrder<n_parts, n_joints> order{parent, child};
};

static_assert(TwoLegs::order.parts == std::array{4, 3, 0, 1, 2});
static_assert(TwoLegs::order.joints == std::array{3, 2, 0, 1});

}  // namespace teachenv
