#pragma once
/// Convex polygons and edges: how they are made, their mass and bounds, as Box2D 2.3.0
/// (Erin Catto, box2d.org) defines them.

#include "settings.hpp"

namespace teachenv {

constexpr int kMaxVertices = 8;

/// A convex polygon, counter-clockwise, or an edge (count 2). n[i] is the outer unit normal of the
/// side from v[i] to v[i + 1]; the two of an edge are opposite.
struct Shape {
  int count;
  Vec2 v[kMaxVertices];
  Vec2 n[kMaxVertices];
  Vec2 centroid;
};

constexpr int next_index(int i, int count) { return i + 1 < count ? i + 1 : 0; }
constexpr int previous_index(int i, int count) { return (i > 0 ? i : count) - 1; }

/// Put the convex hull of points into shape.v: from the right-most point (the lowest of several),
/// counter-clockwise, by wrapping.
inline void wrap_hull(const Vec2* points, int count, Shape& shape) {
  int start = 0;
  for (int i = 1; i < count; ++i) {
    const Vec2 p = points[i], best = points[start];
    if (p.x > best.x || (p.x == best.x && p.y < best.y)) start = i;
  }
  shape.count = 0;
  int last = start;
  do {
    shape.v[shape.count++] = points[last];
    int next = 0;
    for (int i = 1; i < count; ++i) {
      if (next == last) {
        next = i;
        continue;
      }
      const Vec2 guess = points[next] - points[last], other = points[i] - points[last];
      const float turn = cross(guess, other);
      if (turn < 0.0f || (turn == 0.0f && dot(other, other) > dot(guess, guess))) next = i;
    }
    last = next;
  } while (last != start && shape.count < kMaxVertices);
}

/// The convex hull of 3 to kMaxVertices points that are not all on one line.
inline Shape make_polygon(const Vec2* points, int count) {
  Shape shape{};
  wrap_hull(points, count, shape);
  constexpr float kThird = 1.0f / 3.0f;
  float area = 0.0f;
  for (int i = 0; i < shape.count; ++i) {
    const Vec2 a = shape.v[i], b = shape.v[next_index(i, shape.count)];
    shape.n[i] = normalized(turned_right(b - a));
    const float triangle = 0.5f * cross(a, b);  // with the origin
    area += triangle;
    shape.centroid += (triangle * kThird) * (a + b);
  }
  shape.centroid = (1.0f / area) * shape.centroid;
  return shape;
}

/// A rectangle around the origin, of half width hx and half height hy.
inline Shape make_box(float hx, float hy) {
  return {4,
          {{-hx, -hy}, {hx, -hy}, {hx, hy}, {-hx, hy}},
          {{0.0f, -1.0f}, {1.0f, 0.0f}, {0.0f, 1.0f}, {-1.0f, 0.0f}},
          {0.0f, 0.0f}};
}

inline Shape make_edge(Vec2 a, Vec2 b) {
  const Vec2 right = turned_right(normalized(b - a));
  return {2, {a, b}, {right, -right}, 0.5f * (a + b)};
}

struct MassData {
  float mass;
  Vec2 center;
  float inertia;  ///< about the shape's origin
};

/// Mass of a polygon, from its triangles around the mean of the vertices.
inline MassData compute_mass(const Shape& shape, float density) {
  constexpr float kThird = 1.0f / 3.0f;
  Vec2 mean{0.0f, 0.0f}, center{0.0f, 0.0f};
  for (int i = 0; i < shape.count; ++i) mean += shape.v[i];
  mean = (1.0f / static_cast<float>(shape.count)) * mean;
  float area = 0.0f, inertia = 0.0f;
  for (int i = 0; i < shape.count; ++i) {
    const Vec2 a = shape.v[i] - mean, b = shape.v[next_index(i, shape.count)] - mean;
    const float twice = cross(a, b), triangle = 0.5f * twice;
    area += triangle;
    center += (triangle * kThird) * (a + b);
    const float xx = a.x * a.x + b.x * a.x + b.x * b.x;
    const float yy = a.y * a.y + b.y * a.y + b.y * b.y;
    inertia += (0.25f * kThird * twice) * (xx + yy);
  }
  const float mass = density * area;
  center = (1.0f / area) * center;
  const Vec2 from_origin = center + mean;
  inertia = density * inertia + mass * (dot(from_origin, from_origin) - dot(center, center));
  return {mass, from_origin, inertia};
}

/// An upright rectangle.
struct Box {
  Vec2 lo, hi;
};

/// The least box around a shape and its skin.
inline Box compute_box(const Shape& shape, const Pose& pose) {
  Vec2 lo = to_world(pose, shape.v[0]), hi = lo;
  for (int i = 1; i < shape.count; ++i) {
    const Vec2 p = to_world(pose, shape.v[i]);
    lo = min(lo, p);
    hi = max(hi, p);
  }
  const Vec2 skin{kSkin, kSkin};
  return {lo - skin, hi + skin};
}

}  // namespace teachenv
