#pragma once
/// Contact manifolds between terrain at rest and a part: b2CollidePolygons, and
/// b2CollideEdgeAndPolygon for an edge without neighbours, of Box2D 2.3.0.

#include <cstdint>

#include "shape.hpp"

namespace teachenv {

/// Which shape gives the reference side.
enum class Face : uint8_t { terrain, part };

/// A contact point. Its place is in the coordinates of the shape that is not the reference.
struct ManifoldPoint {
  Vec2 local;
  float normal_impulse, tangent_impulse;
  uint32_t id;  ///< which features meet here; contacts keep their impulses by it
};

/// Up to two contact points; the normal and a point of the reference side are in the coordinates
/// of the reference shape.
struct Manifold {
  Face face;
  int count;  ///< 0: no contact
  Vec2 local_normal, local_point;
  ManifoldPoint points[2];
};

namespace detail {

constexpr float kTouch = 2.0f * kSkin;                            ///< outlines this close touch
constexpr float kPreference = 0.98f, kPreferenceOffset = 0.001f;  ///< for the terrain's sides

enum class Feature : uint8_t { vertex, side };

/// The features that make a contact point: one of the reference shape, one of the other.
struct Features {
  uint8_t reference, other;
  Feature reference_kind, other_kind;
};

constexpr uint32_t make_id(Features f, Face face) {
  const auto reference = f.reference | static_cast<uint32_t>(f.reference_kind) << 16;
  const auto other = f.other | static_cast<uint32_t>(f.other_kind) << 16;
  return face == Face::terrain ? reference | other << 8 : other | reference << 8;
}

struct ClipPoint {
  Vec2 v;
  Features features;
};

/// Cut the part with dot(normal, v) > offset off a segment. The new end lies on a vertex of the
/// reference shape.
/// @return Whether two points are left.
inline bool clip(ClipPoint segment[2], Vec2 normal, float offset, int vertex) {
  const float d0 = dot(normal, segment[0].v) - offset;
  const float d1 = dot(normal, segment[1].v) - offset;
  if (d0 <= 0.0f && d1 <= 0.0f) return true;
  if (!(d0 * d1 < 0.0f)) return false;
  const float share = d0 / (d0 - d1);
  const ClipPoint cut{
      segment[0].v + share * (segment[1].v - segment[0].v),
      {static_cast<uint8_t>(vertex), segment[0].features.other, Feature::vertex, Feature::side}};
  if (d0 > 0.0f) segment[0] = segment[1];
  segment[1] = cut;
  return true;
}

/// The outline of a shape in world coordinates.
struct Outline {
  int count;
  const Vec2* v;
  const Vec2* n;
  Vec2 centroid;
};

/// The distance of the nearest vertex of the other outline from side i.
inline float separation(const Outline& outline, int i, const Outline& other) {
  const Vec2 normal = outline.n[i];
  float least = dot(normal, other.v[0]);
  Vec2 nearest = other.v[0];
  for (int j = 1; j < other.count; ++j) {
    const float projection = dot(normal, other.v[j]);
    if (projection < least) {
      least = projection;
      nearest = other.v[j];
    }
  }
  return dot(nearest - outline.v[i], normal);
}

struct Side {
  int index;
  float separation;
};

/// A side that separates best, found by walking from the one that looks at the other's centre
/// while it gets better. Ends early at any side that keeps the outlines from touching.
inline Side best_side(const Outline& outline, const Outline& other) {
  const Vec2 towards = other.centroid - outline.centroid;
  int start = 0;
  float most = -FLT_MAX;
  for (int i = 0; i < outline.count; ++i) {
    const float facing = dot(outline.n[i], towards);
    if (facing > most) {
      most = facing;
      start = i;
    }
  }
  Side best{start, separation(outline, start, other)};
  if (best.separation > kTouch) return best;
  const int before = previous_index(start, outline.count), after = next_index(start, outline.count);
  const Side back{before, separation(outline, before, other)};
  const Side forth{after, separation(outline, after, other)};
  const bool backwards = back.separation > best.separation && back.separation > forth.separation;
  if (!backwards && !(forth.separation > best.separation)) return best;
  best = backwards ? back : forth;
  while (!(best.separation > kTouch)) {
    const int next = backwards ? previous_index(best.index, outline.count)
                               : next_index(best.index, outline.count);
    const Side guess{next, separation(outline, next, other)};
    if (!(guess.separation > best.separation)) break;
    best = guess;
  }
  return best;
}

/// The side of an outline that faces most against a normal.
inline int incident_side(const Outline& outline, Vec2 normal) {
  int index = 0;
  float least = dot(normal, outline.n[0]);
  for (int i = 1; i < outline.count; ++i) {
    const float facing = dot(normal, outline.n[i]);
    if (facing < least) {
      least = facing;
      index = i;
    }
  }
  return index;
}

/// Points of a clipped segment within reach of the reference side, as contact points. The side
/// lies at an offset from a point along the normal.
inline void keep_touching(const ClipPoint segment[2], Vec2 normal, Vec2 from, float offset,
                          const Pose& pose, Manifold& out) {
  for (int i = 0; i < 2; ++i) {
    if (!(dot(normal, segment[i].v - from) - offset <= kTouch)) continue;
    const Vec2 v = segment[i].v;
    out.points[out.count++] = {out.face == Face::terrain ? to_local(pose, v) : v, 0.0f, 0.0f,
                               make_id(segment[i].features, out.face)};
  }
}

inline void collide_polygon(const Shape& terrain, const Shape& part, const Outline& moved,
                            const Pose& pose, Manifold& out) {
  const Outline still{terrain.count, terrain.v, terrain.n, terrain.centroid};
  const Side side_a = best_side(still, moved);
  if (side_a.separation > kTouch) return;
  const Side side_b = best_side(moved, still);
  if (side_b.separation > kTouch) return;
  const bool flip = side_b.separation > kPreference * side_a.separation + kPreferenceOffset;
  const Outline &reference = flip ? moved : still, &other = flip ? still : moved;
  const Shape& shape = flip ? part : terrain;
  const int i1 = flip ? side_b.index : side_a.index, i2 = next_index(i1, reference.count);
  const int j1 = incident_side(other, reference.n[i1]), j2 = next_index(j1, other.count);
  const auto face = static_cast<uint8_t>(i1);
  ClipPoint segment[2] = {
      {other.v[j1], {face, static_cast<uint8_t>(j1), Feature::side, Feature::vertex}},
      {other.v[j2], {face, static_cast<uint8_t>(j2), Feature::side, Feature::vertex}}};
  const Vec2 local_tangent = normalized(shape.v[i2] - shape.v[i1]);
  const Vec2 tangent = flip ? rotate(pose.q, local_tangent) : local_tangent;
  const Vec2 v1 = reference.v[i1], v2 = reference.v[i2], normal = turned_right(tangent);
  if (!clip(segment, -tangent, -dot(tangent, v1) + kTouch, i1)) return;
  if (!clip(segment, tangent, dot(tangent, v2) + kTouch, i2)) return;
  out.face = flip ? Face::part : Face::terrain;
  out.local_normal = turned_right(local_tangent);
  out.local_point = 0.5f * (shape.v[i1] + shape.v[i2]);
  keep_touching(segment, normal, {0.0f, 0.0f}, dot(normal, v1), pose, out);
}

/// The part's side that separates it best from an edge; early as in best_side.
inline Side best_side_against_edge(const Outline& moved, const Shape& edge) {
  Side best{0, -FLT_MAX};
  for (int i = 0; i < moved.count; ++i) {
    const float d0 = dot(moved.n[i], edge.v[0] - moved.v[i]);
    const float d1 = dot(moved.n[i], edge.v[1] - moved.v[i]);
    const float least = d0 < d1 ? d0 : d1;
    if (least > best.separation) best = {i, least};
    if (least > kTouch) break;
  }
  return best;
}

inline void collide_edge(const Shape& edge, const Shape& part, const Outline& moved,
                         const Pose& pose, Manifold& out) {
  const int front = dot(edge.n[0], moved.centroid - edge.v[0]) >= 0.0f ? 0 : 1;
  const Vec2 edge_normal = edge.n[front];
  float side_a = FLT_MAX;
  for (int i = 0; i < moved.count; ++i) {
    const float d = dot(edge_normal, moved.v[i] - edge.v[0]);
    if (d < side_a) side_a = d;
  }
  if (side_a > kTouch) return;
  const Side side_b = best_side_against_edge(moved, edge);
  if (side_b.separation > kTouch) return;
  ClipPoint segment[2];
  Vec2 v1, v2, normal;
  int i1, i2;
  if (side_b.separation > kPreference * side_a + kPreferenceOffset) {
    out.face = Face::part;
    i1 = side_b.index, i2 = next_index(i1, moved.count);
    v1 = moved.v[i1], v2 = moved.v[i2], normal = moved.n[i1];
    out.local_normal = part.n[i1];
    out.local_point = part.v[i1];
    // Both ends carry the id of the side, as in Box2D.
    const Features features{0, static_cast<uint8_t>(i1), Feature::vertex, Feature::side};
    segment[0] = {edge.v[0], features};
    segment[1] = {edge.v[1], features};
  } else {
    out.face = Face::terrain;
    i1 = front, i2 = 1 - front;
    v1 = edge.v[i1], v2 = edge.v[i2], normal = edge_normal;
    out.local_normal = normal;
    out.local_point = v1;
    const int j1 = incident_side(moved, normal), j2 = next_index(j1, moved.count);
    segment[0] = {moved.v[j1], {0, static_cast<uint8_t>(j1), Feature::side, Feature::vertex}};
    segment[1] = {moved.v[j2], {0, static_cast<uint8_t>(j2), Feature::side, Feature::vertex}};
  }
  const Vec2 tangent = turned_left(normal);
  if (!clip(segment, -tangent, -dot(tangent, v1), i1)) return;
  if (!clip(segment, tangent, dot(tangent, v2), i2)) return;
  keep_touching(segment, normal, v1, 0.0f, pose, out);
}

}  // namespace detail

/// Contact points between terrain (an edge or a polygon, at rest at the origin) and a part.
inline void collide(const Shape& terrain, const Shape& part, const Pose& pose, Manifold& out) {
  Vec2 vertices[kMaxVertices], normals[kMaxVertices];
  for (int i = 0; i < part.count; ++i) {
    vertices[i] = to_world(pose, part.v[i]);
    normals[i] = rotate(pose.q, part.n[i]);
  }
  const detail::Outline moved{part.count, vertices, normals, to_world(pose, part.centroid)};
  out.count = 0;
  if (terrain.count == 2) {
    detail::collide_edge(terrain, part, moved, pose, out);
  } else {
    detail::collide_polygon(terrain, part, moved, pose, out);
  }
}

}  // namespace teachenv
