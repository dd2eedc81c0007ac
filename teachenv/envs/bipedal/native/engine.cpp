#include "engine.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "topology.hpp"

namespace teachenv {
namespace {

constexpr double kMaxCoordinate = 1000.0, kMinEdge = 0.004;

/// Whether the corners span an area, so that they have a convex hull with sides.
bool has_area(const std::vector<Point>& polygon) {
  const Point &a = polygon[0], &b = polygon[1];
  double most = 0.0;
  for (const Point& p : polygon) {
    most = std::max(most, std::abs((b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x)));
  }
  return most > 1e-6;
}

template <class Topology>
bool has_topology(const BodySpec& body) {
  if (body.parts.size() != Topology::n_parts || body.joints.size() != Topology::n_joints) {
    return false;
  }
  for (size_t j = 0; j < body.joints.size(); ++j) {
    if (body.joints[j].parent != Topology::parent[j]) return false;
    if (body.joints[j].child != Topology::child[j]) return false;
  }
  return true;
}

/// The engine of the first of the topologies that the body has; null if it has none.
template <class First, class... Others>
std::unique_ptr<Engine> make_of(const BodySpec& body, Track track, int n_envs, int n_threads) {
  if (has_topology<First>(body)) {
    return make_walker_engine<First>(body, track, n_envs, n_threads);
  }
  if constexpr (sizeof...(Others) > 0) return make_of<Others...>(body, track, n_envs, n_threads);
  return nullptr;
}

}  // namespace

void check_terrain(const Terrain& terrain) {
  const auto inside = [](const Point& p) {
    return std::abs(p.x) <= kMaxCoordinate && std::abs(p.y) <= kMaxCoordinate;
  };
  const auto& ground = terrain.ground;
  bool fine = ground.size() >= 2 && std::all_of(ground.begin(), ground.end(), inside);
  for (size_t i = 0; fine && i + 1 < ground.size(); ++i) {
    fine = ground[i + 1].x - ground[i].x >= kMinEdge;
  }
  if (!fine) {
    throw std::invalid_argument(
        "terrain: expected 2 or more vertices of ground, each at least 0.004 m to the right of the "
        "one before, within 1000 m");
  }
  for (const auto& polygon : terrain.polygons) {
    if (polygon.size() < 3 || polygon.size() > kMaxVertices ||
        !std::all_of(polygon.begin(), polygon.end(), inside) || !has_area(polygon)) {
      throw std::invalid_argument(
          "terrain: expected polygons of 3 to 8 vertices with an area, within 1000 m");
    }
  }
}

std::unique_ptr<Engine> make_engine(const BodySpec& body, Track track, int n_envs, int n_threads) {
  const auto is_part = [&](int p) { return p >= 0 && p < static_cast<int>(body.parts.size()); };
  if (!is_part(body.head) || !std::all_of(body.pushed.begin(), body.pushed.end(), is_part)) {
    throw std::invalid_argument("body: its head or what is pushed is none of its parts");
  }
  auto engine =
      make_of<TwoLegs, FourLegs, Spider, Millipede, Chimpanzee>(body, track, n_envs, n_threads);
  if (!engine) {
    throw std::invalid_argument(
        "body: no topology of the native engine has these parts and joints");
  }
  return engine;
}

}  // namespace teachenv
