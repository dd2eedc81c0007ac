#pragma once
/// The closest features of terrain at rest and a part: the GJK algorithm (Gilbert, Johnson and
/// Keerthi, 1988) with the starts, ties and ends of Box2D 2.3.0's b2Distance.

#include "shape.hpp"

namespace teachenv::detail {

/// A vertex of the difference part - terrain.
struct Corner {
  int still, moved;            ///< indices of the vertices
  Vec2 on_still, on_moved, w;  ///< in world coordinates, and their difference
  float weight;                ///< in the point nearest to the origin
};

struct Simplex {
  int count = 0;
  Corner corners[3];
};

/// Index of the vertex that lies farthest along a direction in the shape's coordinates.
inline int support(const Shape& shape, Vec2 direction) {
  int index = 0;
  float most = dot(shape.v[0], direction);
  for (int i = 1; i < shape.count; ++i) {
    const float projection = dot(shape.v[i], direction);
    if (projection > most) {
      most = projection;
      index = i;
    }
  }
  return index;
}

inline Corner make_corner(const Shape& terrain, const Shape& part, const Pose& pose, int still,
                          int moved) {
  const Vec2 a = terrain.v[still], b = to_world(pose, part.v[moved]);
  return {still, moved, a, b, b - a, 1.0f};
}

/// Length or twice the area, by which two poses of a simplex are compared.
inline float extent(const Simplex& simplex) {
  const Corner* c = simplex.corners;
  if (simplex.count == 2) return length(c[0].w - c[1].w);
  return simplex.count == 3 ? cross(c[1].w - c[0].w, c[2].w - c[0].w) : 0.0f;
}

/// Move the simplex of another pose along, or start afresh if it became another one.
inline void restart(Simplex& simplex, const Shape& terrain, const Shape& part, const Pose& pose) {
  const float before = extent(simplex);
  for (int i = 0; i < simplex.count; ++i) {
    const Corner c = simplex.corners[i];
    simplex.corners[i] = make_corner(terrain, part, pose, c.still, c.moved);
  }
  if (simplex.count > 1) {
    const float now = extent(simplex);
    if (now < 0.5f * before || 2.0f * before < now || now < FLT_EPSILON) simplex.count = 0;
  }
  if (simplex.count == 0) {
    simplex.corners[0] = make_corner(terrain, part, pose, 0, 0);
    simplex.count = 1;
  }
}

inline void keep_corner(Simplex& simplex, int i) {
  simplex.corners[0] = simplex.corners[i];
  simplex.corners[0].weight = 1.0f;
  simplex.count = 1;
}

/// Keep sides i and j, weighted; replaces the corner that is left out.
inline void keep_side(Simplex& simplex, int i, int j, float weight_i, float weight_j) {
  const float scale = 1.0f / (weight_i + weight_j);
  simplex.corners[i].weight = weight_i * scale;
  simplex.corners[j].weight = weight_j * scale;
  if (j == 2) simplex.corners[i == 0 ? 1 : 0] = simplex.corners[2];
  simplex.count = 2;
}

/// Reduce a side to the corners nearest to the origin.
inline void reduce_side(Simplex& simplex) {
  const Vec2 w0 = simplex.corners[0].w, w1 = simplex.corners[1].w, along = w1 - w0;
  const float weight1 = -dot(w0, along), weight0 = dot(w1, along);
  if (weight1 <= 0.0f) return keep_corner(simplex, 0);
  if (weight0 <= 0.0f) return keep_corner(simplex, 1);
  keep_side(simplex, 0, 1, weight0, weight1);
}

/// Reduce a triangle to the corners nearest to the origin, by the Voronoi region it lies in.
inline void reduce_triangle(Simplex& simplex) {
  const Vec2 w0 = simplex.corners[0].w, w1 = simplex.corners[1].w, w2 = simplex.corners[2].w;
  const Vec2 e01 = w1 - w0, e02 = w2 - w0, e12 = w2 - w1;
  const float s01_1 = -dot(w0, e01), s01_0 = dot(w1, e01);
  const float s02_2 = -dot(w0, e02), s02_0 = dot(w2, e02);
  const float s12_2 = -dot(w1, e12), s12_1 = dot(w2, e12);
  const float turn = cross(e01, e02);
  const float inside0 = turn * cross(w1, w2);
  const float inside1 = turn * cross(w2, w0);
  const float inside2 = turn * cross(w0, w1);
  if (s01_1 <= 0.0f && s02_2 <= 0.0f) return keep_corner(simplex, 0);
  if (s01_0 > 0.0f && s01_1 > 0.0f && inside2 <= 0.0f) {
    return keep_side(simplex, 0, 1, s01_0, s01_1);
  }
  if (s02_0 > 0.0f && s02_2 > 0.0f && inside1 <= 0.0f) {
    return keep_side(simplex, 0, 2, s02_0, s02_2);
  }
  if (s01_0 <= 0.0f && s12_2 <= 0.0f) return keep_corner(simplex, 1);
  if (s02_0 <= 0.0f && s12_1 <= 0.0f) return keep_corner(simplex, 2);
  if (s12_1 > 0.0f && s12_2 > 0.0f && inside0 <= 0.0f) {
    return keep_side(simplex, 1, 2, s12_1, s12_2);
  }
  const float scale = 1.0f / (inside0 + inside1 + inside2);
  simplex.corners[0].weight = inside0 * scale;
  simplex.corners[1].weight = inside1 * scale;
  simplex.corners[2].weight = inside2 * scale;
}

/// From the simplex towards the origin.
inline Vec2 search_direction(const Simplex& simplex) {
  const Vec2 w0 = simplex.corners[0].w;
  if (simplex.count == 1) return -w0;
  const Vec2 along = simplex.corners[1].w - w0;
  return cross(along, -w0) > 0.0f ? turned_left(along) : turned_right(along);
}

/// Distance of the outlines. The simplex is where the search starts (see restart), and then the
/// features that are closest.
inline float distance(const Shape& terrain, const Shape& part, const Pose& pose, Simplex& simplex) {
  constexpr int kMaxIterations = 20;
  restart(simplex, terrain, part, pose);
  for (int iteration = 0; iteration < kMaxIterations; ++iteration) {
    int seen[3][2];
    const int seen_count = simplex.count;
    for (int i = 0; i < seen_count; ++i) {
      seen[i][0] = simplex.corners[i].still;
      seen[i][1] = simplex.corners[i].moved;
    }
    if (simplex.count == 2) reduce_side(simplex);
    if (simplex.count == 3) {
      reduce_triangle(simplex);
      if (simplex.count == 3) return 0.0f;
    }
    const Vec2 direction = search_direction(simplex);
    if (dot(direction, direction) < FLT_EPSILON * FLT_EPSILON) break;
    const int still = support(terrain, -direction);
    const int moved = support(part, unrotate(pose.q, direction));
    simplex.corners[simplex.count] = make_corner(terrain, part, pose, still, moved);
    bool repeated = false;
    for (int i = 0; i < seen_count; ++i) {
      repeated = repeated || (seen[i][0] == still && seen[i][1] == moved);
    }
    if (repeated) break;
    ++simplex.count;
  }
  const Corner* c = simplex.corners;
  if (simplex.count == 1) return length(c[0].on_still - c[0].on_moved);
  if (simplex.count == 3) return 0.0f;
  const Vec2 a = c[0].weight * c[0].on_still + c[1].weight * c[1].on_still;
  const Vec2 b = c[0].weight * c[0].on_moved + c[1].weight * c[1].on_moved;
  return length(a - b);
}

}  // namespace teachenv::detail
