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

/// A hull with four legs of two parts.
struct FourLegs {
  static constexpr int n_parts = 9, n_joints = 8;
  static constexpr int parent[] = {0, 1, 0, 3, 0, 5, 0, 7}, child[] = {1, 2, 3, 4, 5, 6, 7, 8};
  static constexpr IslandOrder<n_parts, n_joints> order{parent, child};
};

static_assert(FourLegs::order.parts == std::array{8, 7, 0, 1, 2, 3, 4, 5, 6});
static_assert(FourLegs::order.joints == std::array{7, 6, 4, 2, 0, 1, 3, 5});

/// A body with four legs of three parts.
struct Spider {
  static constexpr int n_parts = 13, n_joints = 12;
  static constexpr int parent[] = {0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11};
  static constexpr int child[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  static constexpr IslandOrder<n_parts, n_joints> order{parent, child};
};

/// Four bodies in a row, each with two legs of two parts.
struct Millipede {
  static constexpr int n_parts = 20, n_joints = 19;
  static constexpr int parent[] = {0,  1,  0,  3, 5,  6,  5,  8,  0, 10,
                                   11, 10, 13, 5, 15, 16, 15, 18, 10};
  static constexpr int child[] = {1,  2,  3,  4,  6,  7,  8,  9,  5, 11,
                                  12, 13, 14, 10, 16, 17, 18, 19, 15};
  static constexpr IslandOrder<n_parts, n_joints> order{parent, child};
};

/// A head on a torso with two legs of two parts and two arms of five.
struct Chimpanzee {
  static constexpr int n_parts = 16, n_joints = 15;
  static constexpr int parent[] = {0, 1, 2, 1, 4, 1, 6, 7, 8, 9, 1, 11, 12, 13, 14};
  static constexpr int child[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  static constexpr IslandOrder<n_parts, n_joints> order{parent, child};
};

}  // namespace teachenv
