#pragma once
/// The terrain of one lane as shapes: the polygons in their order, then the edges of the ground.

#include <algorithm>
#include <utility>
#include <vector>

#include "shape.hpp"
#include "terrain.hpp"

namespace teachenv {

inline Box extended(const Box& box, float by) {
  return {{box.lo.x - by, box.lo.y - by}, {box.hi.x + by, box.hi.y + by}};
}

inline bool overlap(const Box& a, const Box& b) {
  return !(b.lo.x - a.hi.x > 0.0f || b.lo.y - a.hi.y > 0.0f || a.lo.x - b.hi.x > 0.0f ||
           a.lo.y - b.hi.y > 0.0f);
}

inline bool contains(const Box& outer, const Box& inner) {
  return outer.lo.x <= inner.lo.x && outer.lo.y <= inner.lo.y && inner.hi.x <= outer.hi.x &&
         inner.hi.y <= outer.hi.y;
}

inline Box united(const Box& a, const Box& b) { return {min(a.lo, b.lo), max(a.hi, b.hi)}; }

/// A fixture is one of the shapes; its index is its place in the order of creation, on which the
/// order of contacts depends.
class World {
 public:
  explicit World(Terrain terrain) : terrain_(std::move(terrain)) {
    for (const auto& polygon : terrain_.polygons) {
      Vec2 points[kMaxVertices];
      int n = 0;
      for (const Point& p : polygon) points[n++] = narrow(p);
      polygons_.push_back(make_polygon(points, n));
      boxes_.push_back(compute_box(polygons_.back(), kHere));
    }
    for (const Point& p : terrain_.ground) ground_.push_back(narrow(p));
    for (size_t i = 0; i + 1 < ground_.size(); ++i) {
      normals_.push_back(turned_right(normalized(ground_[i + 1] - ground_[i])));
    }
    by_left_.resize(polygons_.size());
    for (size_t i = 0; i < by_left_.size(); ++i) by_left_[i] = static_cast<int>(i);
    std::stable_sort(by_left_.begin(), by_left_.end(),
                     [&](int a, int b) { return boxes_[a].lo.x < boxes_[b].lo.x; });
    for (const Box& box : boxes_) widest_ = std::max(widest_, box.hi.x - box.lo.x);
  }

  const Terrain& terrain() const { return terrain_; }
  int size() const { return static_cast<int>(polygons_.size() + normals_.size()); }
  const std::vector<Vec2>& ground() const { return ground_; }
  const std::vector<Vec2>& ground_normals() const { return normals_; }
  const std::vector<Shape>& polygons() const { return polygons_; }

  Shape shape(int fixture) const {
    const int n = static_cast<int>(polygons_.size());
    if (fixture < n) return polygons_[fixture];
    const int i = fixture - n;
    const Vec2 a = ground_[i], b = ground_[i + 1], normal = normals_[i];
    Shape edge;
    edge.count = 2;
    edge.v[0] = a, edge.v[1] = b;
    edge.n[0] = normal, edge.n[1] = -normal;
    edge.centroid = 0.5f * (a + b);
    return edge;
  }

  /// The least box around a fixture and its skin.
  Box box(int fixture) const {
    const int n = static_cast<int>(polygons_.size());
    if (fixture < n) return boxes_[fixture];
    const Vec2 a = ground_[fixture - n], b = ground_[fixture - n + 1];
    const Vec2 skin{kSkin, kSkin};
    return {min(a, b) - skin, max(a, b) + skin};
  }

  /// First ground edge that may reach beyond x, at most size of the ground - 1.
  int edge_at(float x) const {
    const auto right = std::upper_bound(ground_.begin() + 1, ground_.end(), x,
                                        [](float value, Vec2 p) { return value < p.x; });
    return static_cast<int>(right - ground_.begin()) - 1;
  }

  /// Call fn(index) for each polygon whose box may reach into [left, right], from left to right.
  template <class Fn>
  void each_polygon(float left, float right, Fn&& fn) const {
    auto i = std::lower_bound(by_left_.begin(), by_left_.end(), left - widest_ - kSkin,
                              [&](int k, float value) { return boxes_[k].lo.x < value; });
    for (; i != by_left_.end() && boxes_[*i].lo.x <= right; ++i) fn(*i);
  }

  /// Call fn(fixture) for each fixture whose extended box overlaps a place.
  template <class Fn>
  void each_near(const Box& place, Fn&& fn) const {
    const float reach = kFat + 2.0f * kSkin, left = place.lo.x - reach, right = place.hi.x + reach;
    each_polygon(left, right, [&](int i) {
      if (overlap(extended(boxes_[i], kFat), place)) fn(i);
    });
    const int n = static_cast<int>(polygons_.size()), edges = static_cast<int>(normals_.size());
    for (int i = edge_at(left); i < edges && ground_[i].x <= right; ++i) {
      if (overlap(extended(box(n + i), kFat), place)) fn(n + i);
    }
  }

  size_t memory_bytes() const {
    size_t bytes = terrain_.ground.capacity() * sizeof(Point) + boxes_.capacity() * sizeof(Box) +
                   polygons_.capacity() * sizeof(Shape) + by_left_.capacity() * sizeof(int) +
                   (ground_.capacity() + normals_.capacity()) * sizeof(Vec2);
    for (const auto& polygon : terrain_.polygons) bytes += polygon.capacity() * sizeof(Point);
    return bytes;
  }

 private:
  static constexpr Pose kHere{{0.0f, 0.0f}, {0.0f, 1.0f}};
  static Vec2 narrow(const Point& p) { return {static_cast<float>(p.x), static_cast<float>(p.y)}; }

  Terrain terrain_;
  std::vector<Shape> polygons_;
  std::vector<Box> boxes_;
  std::vector<int> by_left_;
  float widest_ = 0.0f;
  std::vector<Vec2> ground_, normals_;
};

}  // namespace teachenv
