#pragma once
/// Range finder: ten rays from the hull, from straight down to 1.35 rad forward, cast side by side.

#include "simd.hpp"
#include "world.hpp"

namespace teachenv {

constexpr int kRays = 10;
/// End points relative to the hull: 16/3 m * (sin, -cos) of 0.15 rad * i.
constexpr double kRayX[kRays] = {0.0,
                                 0.7970033731925291,
                                 1.5761077688604774,
                                 2.3198161819265612,
                                 3.0114265247735217,
                                 3.6354067201244487,
                                 4.177743518013244,
                                 4.62625720316809,
                                 4.97087512515854,
                                 5.203857908408848};
constexpr double kRayY[kRays] = {-5.333333333333333, -5.273445748992225,  -5.095127942003232,
                                 -4.802384545880943, -4.401789946184951,  -3.9023406339937114,
                                 -3.31525316411021,  -2.6537122554225436, -1.9325746905422592,
                                 -1.1680356644962213};

class Lidar {
 public:
  /// Cast all rays from a point; write the fraction of each before its first hit, 1 for none.
  void scan(const World& world, Vec2 from, float* fractions) {
    from_ = from;
    for (int r = 0; r < kChunks * kLanes; ++r) {
      // Rays beyond the last repeat it.
      const int i = r < kRays ? r : kRays - 1;
      const Vec2 to{static_cast<float>(from.x + kRayX[i]), static_cast<float>(from.y + kRayY[i])};
      lane(along_x_[r / kLanes], r % kLanes) = to.x - from.x;
      lane(along_y_[r / kLanes], r % kLanes) = to.y - from.y;
    }
    for (Lanes& hit : hits_) hit = broadcast(1.0f);
    const auto& ground = world.ground();
    const int edges = static_cast<int>(ground.size()) - 1;
    for (int i = world.edge_at(from.x - kMargin); i < edges && ground[i].x <= reach(); ++i) {
      cast_at_edge(ground[i], ground[i + 1], world.ground_normals()[i]);
    }
    world.each_polygon(from.x - kMargin, reach(),
                       [&](int i) { cast_at_polygon(world.polygons()[i]); });
    for (int r = 0; r < kRays; ++r) fractions[r] = lane(hits_[r / kLanes], r % kLanes);
  }

 private:
  static constexpr int kChunks = (kRays + kLanes - 1) / kLanes;
  static constexpr float kMargin = 1e-3f;

  /// How far right the rays get.
  float reach() const {
    float most = 0.0f;
    for (int k = 0; k < kChunks; ++k) {
      const Lanes way = hits_[k] * along_x_[k];
      for (int i = 0; i < kLanes; ++i) most = lane(way, i) > most ? lane(way, i) : most;
    }
    return from_.x + most + kMargin;
  }

  void cast_at_edge(Vec2 a, Vec2 b, Vec2 normal) {
    const float gap = dot(normal, a - from_);
    const Vec2 side = b - a;
    const float size = dot(side, side);
    for (int k = 0; k < kChunks; ++k) {
      const Lanes dx = along_x_[k], dy = along_y_[k];
      const Lanes towards = normal.x * dx + normal.y * dy;
      const Lanes t = gap / towards;
      const Lanes px = (from_.x + t * dx) - a.x, py = (from_.y + t * dy) - a.y;
      const Lanes place = (px * side.x + py * side.y) / size;
      const Mask hit =
          (towards != 0.0f) & (t >= 0.0f) & (t < hits_[k]) & (place >= 0.0f) & (place <= 1.0f);
      hits_[k] = select(hit, t, hits_[k]);
    }
  }

  void cast_at_polygon(const Shape& polygon) {
    for (int k = 0; k < kChunks; ++k) {
      const Lanes dx = along_x_[k], dy = along_y_[k];
      Lanes enter = broadcast(0.0f), leave = broadcast(1.0f);
      Mask entered{}, missed{};
      for (int i = 0; i < polygon.count; ++i) {
        const float gap = dot(polygon.n[i], polygon.v[i] - from_);
        const Lanes towards = polygon.n[i].x * dx + polygon.n[i].y * dy;
        const Lanes t = gap / towards;
        const Mask in = (towards < 0.0f) & (gap < enter * towards);
        const Mask out = (towards > 0.0f) & (gap < leave * towards);
        missed |= (towards == 0.0f) & (broadcast(gap) < 0.0f);
        enter = select(in, t, enter);
        entered |= in;
        leave = select(out, t, leave);
        missed |= leave < enter;
      }
      const Mask hit = entered & ~missed & (enter < hits_[k]);
      hits_[k] = select(hit, enter, hits_[k]);
    }
  }

  Vec2 from_;
  Lanes along_x_[kChunks], along_y_[kChunks], hits_[kChunks];
};

}  // namespace teachenv
