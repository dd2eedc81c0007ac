#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "terrain.hpp"

namespace teachenv {
namespace {

constexpr double kNoise = 0.1;   ///< of heights, and of the widths of sequences
constexpr double kLeast = 0.05;  ///< height and width
constexpr double kSequenceSpacing = 8.0;
constexpr double kTrackEnd = kLength * kStep;
constexpr double kTwoPi = 6.283185307179586;

double drawn(Draws& draws, double mean, double noise) {
  return noise == 0.0 ? mean : draws.normal(mean, noise);
}

/// A rectangle on the ground, turned about the middle of its base.
std::vector<Point> turned(double left, double right, double height, double angle) {
  if (angle == 0.0) return make_rectangle(left, kGroundY, right, kGroundY + height);
  const auto [s, c] = exact_sin_cos(angle);
  const double middle = 0.5 * (left + right), half = 0.5 * (right - left);
  std::vector<Point> corners{{-half, 0.0}, {half, 0.0}, {half, height}, {-half, height}};
  for (auto& [x, y] : corners) {
    const double right_by = x * c - y * s, up_by = x * s + y * c;
    x = middle + right_by;
    y = kGroundY + up_by;
  }
  return corners;
}

/// Flat ground, up to where the published code ends it if `legacy_end`.
std::vector<Point> flat_ground(const std::vector<double>& xs, bool legacy_end) {
  std::vector<Point> ground;
  for (double x : xs) {
    if (!legacy_end || x < kTrackEnd) ground.push_back({x, kGroundY});
  }
  return ground;
}

}  // namespace

Start stump_tracks(std::uint64_t level_seed, const double* parameters) {
  Draws heights(level_seed, kTerrainStream), widths(level_seed, kWidthStream);
  Draws rotations(level_seed, kRotationStream);
  const double gap = std::max(0.01, parameters[1]);
  double x = kStartPad * kStep;
  std::vector<double> xs{0.0, x};
  Terrain terrain;
  while (x < kTrackEnd) {
    const double height = std::max(kLeast, heights.normal(parameters[0], kNoise)) * kStep;
    const double right = x + std::max(kLeast, drawn(widths, parameters[2], parameters[4])) * kStep;
    const double angle = drawn(rotations, parameters[3], parameters[5]);
    terrain.polygons.push_back(turned(x, right, height, std::min(std::max(0.0, angle), kTwoPi)));
    x = right + gap;
    xs.push_back(right);
    xs.push_back(x);
  }
  terrain.ground = flat_ground(xs, parameters[6] != 0.0);
  return with_push(std::move(terrain), level_seed);
}

Start stump_sequences(std::uint64_t level_seed, const double* parameters) {
  constexpr int kStumps = 5;
  Draws draws(level_seed, kTerrainStream);
  double x = kStartPad * kStep;
  std::vector<double> xs{0.0, x};
  Terrain terrain;
  while (x < kTrackEnd) {
    for (int i = 0; i < kStumps; ++i) {
      const double height = std::max(kLeast, draws.normal(parameters[2 * i], kNoise)) * kStep;
      const double right = x + std::max(kLeast, draws.normal(parameters[2 * i + 1], kNoise));
      terrain.polygons.push_back(make_rectangle(x, kGroundY, right, kGroundY + height));
      x = right;
    }
    xs.push_back(x);
    x = x + kSequenceSpacing;
    xs.push_back(x);
  }
  terrain.ground = flat_ground(xs, parameters[2 * kStumps] != 0.0);
  return with_push(std::move(terrain), level_seed);
}

}  // namespace teachenv
