#pragma once
/// Terrains as data and what makes them, teachenv/envs/bipedal/terrain*.py bit for bit. Lengths are
/// in metres, x to the right, y up.

#include <cstdint>
#include <utility>
#include <vector>

#include "draws.hpp"

namespace teachenv {

inline constexpr double kScale = 30.0;
/// Terrain step: the width of a column, and the unit of stump heights.
inline constexpr double kStep = 14.0 / kScale;
/// Columns of terrains made of columns, and length of every track, in terrain steps.
inline constexpr int kLength = 200;
inline constexpr int kGrass = 10;
inline constexpr int kStartPad = 20;
inline constexpr double kGroundY = 400.0 / kScale / 4.0;
inline constexpr double kSpawnX = kStep * kStartPad / 2.0;
inline constexpr double kFinishX = (kLength - kGrass) * kStep;
/// Shortest edge of what the generators build, and least cross product of two neighbouring edges.
inline constexpr double kShortestEdge = 0.005;
inline constexpr double kLeastTurn = 2e-6;
/// Largest horizontal force on the hull during the first step, in newtons.
inline constexpr double kMaxPush = 5.0;

struct Point {
  double x, y;
};

struct Terrain {
  std::vector<Point> ground;                 ///< from left to right
  std::vector<std::vector<Point>> polygons;  ///< convex obstacles
};

/// What a task and a level seed fix.
struct Start {
  Terrain terrain;
  double push;  ///< horizontal force on the hull during the first step, in newtons
};

/// Streams of a level seed.
enum Stream : std::uint64_t {
  kTerrainStream = 0,
  kPushStream = 1,
  kWidthStream = 3,
  kRotationStream = 4,
  kGrassStream = 5
};

/// A level that draws its push by counter.
inline Start with_push(Terrain terrain, std::uint64_t level_seed) {
  return {std::move(terrain), Draws(level_seed, kPushStream).uniform(-kMaxPush, kMaxPush)};
}

inline std::vector<Point> make_rectangle(double left, double bottom, double right, double top) {
  return {{left, bottom}, {right, bottom}, {right, top}, {left, top}};
}

/// A level of Gymnasium's BipedalWalker, as it draws it from
/// `gymnasium.utils.seeding.np_random(level_seed)`; {hardcore}.
Start stock(std::uint64_t level_seed, const double* parameters);
/// {height, spacing, width, rotation, width noise, rotation noise, legacy ground end}
Start stump_tracks(std::uint64_t level_seed, const double* parameters);
/// {height and width of 5 stumps, legacy ground end}
Start stump_sequences(std::uint64_t level_seed, const double* parameters);
/// {dx and dy of 6 vertices}
Start hexagon_tracks(std::uint64_t level_seed, const double* parameters);
/// {roughness, two ends each of pit gap, stump height and stair height, stair steps, exclusive}
Start obstacle_course(std::uint64_t level_seed, const double* parameters);

}  // namespace teachenv
