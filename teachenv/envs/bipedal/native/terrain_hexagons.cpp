#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "terrain.hpp"

namespace teachenv {
namespace {

/// Vertices that a task deforms, clockwise from the lower left, in terrain steps.
constexpr Point kBase[6] = {{-0.5, 0.0}, {-0.5, 0.25}, {-0.25, 0.5},
                            {0.25, 0.5}, {0.5, 0.25},  {0.5, 0.0}};
constexpr double kNoise = 0.1;
constexpr double kWidth = 1.0, kSpacing = 8.0;

/// Cross product of the edges a-b and b-c, positive for a turn to the left.
double turn(const Point& a, const Point& b, const Point& c) {
  return (b.x - a.x) * (c.y - b.y) - (b.y - a.y) * (c.x - b.x);
}

/// The vertices of a chain that turn to the left, and its first end.
template <class Iterator>
void append_left_turns(Iterator first, Iterator last, std::vector<Point>& hull) {
  std::vector<Point> chain;
  for (; first != last; ++first) {
    while (chain.size() > 1 && !(turn(chain[chain.size() - 2], chain.back(), *first) > 0.0)) {
      chain.pop_back();
    }
    chain.push_back(*first);
  }
  hull.insert(hull.end(), chain.begin(), chain.end() - 1);
}

bool is_needed(const Point& before, const Point& here, const Point& after) {
  constexpr double kMinEdgeSquared = 1.01 * kShortestEdge * kShortestEdge;
  constexpr double kMinTurn = 1.01 * kLeastTurn;
  const double dx = here.x - before.x, dy = here.y - before.y;
  return !(dx * dx + dy * dy < kMinEdgeSquared) && turn(before, here, after) > kMinTurn;
}

/// Convex hull, counter-clockwise, without vertices that hardly matter.
std::vector<Point> convex_hull(std::vector<Point> points) {
  std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
    return a.x < b.x || (a.x == b.x && a.y < b.y);
  });
  std::vector<Point> hull;
  append_left_turns(points.begin(), points.end(), hull);
  append_left_turns(points.rbegin(), points.rend(), hull);
  std::size_t i = 0;
  while (i < hull.size() && hull.size() > 2) {
    const std::size_t n = hull.size();
    if (is_needed(hull[(i + n - 1) % n], hull[i], hull[(i + 1) % n])) {
      ++i;
    } else {
      hull.erase(hull.begin() + static_cast<std::ptrdiff_t>(i));
      i = 0;
    }
  }
  return hull;
}

}  // namespace

Start hexagon_tracks(std::uint64_t level_seed, const double* parameters) {
  Draws draws(level_seed, kTerrainStream);
  double x = kStartPad * kStep;
  Terrain terrain{{{0.0, kGroundY}, {x, kGroundY}}, {}};
  while (x < kLength * kStep) {
    std::vector<Point> points;
    for (int i = 0; i < 6; ++i) {
      const double dx = draws.normal(parameters[2 * i], kNoise);
      double dy = draws.normal(parameters[2 * i + 1], kNoise);
      if (i == 0 || i == 5) dy = 0.0;
      points.push_back({x + (kBase[i].x + dx) * kStep, kGroundY + (kBase[i].y + dy) * kStep});
    }
    std::vector<Point> hull = convex_hull(std::move(points));
    if (hull.size() > 2) terrain.polygons.push_back(std::move(hull));
    terrain.ground.push_back({x + kWidth, kGroundY});
    x = x + kWidth + kSpacing;
    terrain.ground.push_back({x, kGroundY});
  }
  return with_push(std::move(terrain), level_seed);
}

}  // namespace teachenv
