#include <cstdint>
#include <utility>
#include <vector>

#include "numpy_rng.hpp"
#include "terrain.hpp"

namespace teachenv {
namespace {

/// State machine over the columns: grass, and in hardcore an obstacle after each stretch.
class StockTrack {
 public:
  StockTrack(NumpyGenerator& rng, bool hardcore) : rng_(rng), hardcore_(hardcore) {}

  Terrain build() && {
    auto kind = Kind::grass;
    bool first = false;
    terrain_.ground.reserve(kLength);
    for (int column = 0; column < kLength; ++column) {
      x_ = column * kStep;
      if (first) {
        begin(kind);
      } else {
        go_on(kind, column);
      }
      terrain_.ground.push_back({x_, y_});
      first = --left_ == 0;
      if (first) {
        left_ = rng_.integers(kGrass / 2, kGrass);
        const bool obstacle = kind == Kind::grass && hardcore_;
        kind = obstacle ? static_cast<Kind>(rng_.integers(1, 4)) : Kind::grass;
      }
    }
    return std::move(terrain_);
  }

 private:
  enum class Kind { grass, stump, stairs, pit };

  void begin(Kind kind) {
    switch (kind) {
      case Kind::grass:
        return;
      case Kind::stump:
        return begin_stump();
      case Kind::stairs:
        return begin_stairs();
      case Kind::pit:
        return begin_pit();
    }
  }

  void go_on(Kind kind, int column) {
    switch (kind) {
      case Kind::grass:
        return grass(column);
      case Kind::stump:
        return;
      case Kind::stairs:
        return on_stairs();
      case Kind::pit:
        return in_pit();
    }
  }

  void grass(int column) {
    const double down = kGroundY - y_;
    const double sign = (down > 0.0) - (down < 0.0);
    velocity_ = 0.8 * velocity_ + 0.01 * sign;
    if (column > kStartPad) velocity_ += rng_.uniform(-1.0, 1.0) / kScale;
    y_ += velocity_;
  }

  void begin_stump() {
    left_ = rng_.integers(1, 3);
    const double size = left_ * kStep;
    terrain_.polygons.push_back(make_rectangle(x_, y_, x_ + size, y_ + size));
  }

  void begin_stairs() {
    rise_ = rng_.random() > 0.5 ? 1 : -1;
    const int count = rng_.integers(3, 5);
    base_ = y_;
    for (int s = 0; s < count; ++s) {
      terrain_.polygons.push_back(
          make_rectangle(x_ + (s * kStair) * kStep, y_ + (-1 + s * rise_) * kStep,
                         x_ + ((1 + s) * kStair) * kStep, y_ + (s * rise_) * kStep));
    }
    stairs_ = left_ = count * kStair;
  }

  void on_stairs() {
    const double climbed = static_cast<double>(stairs_ - left_ - rise_) / kStair;
    y_ = base_ + (climbed * rise_) * kStep;
  }

  void begin_pit() {
    left_ = rng_.integers(3, 5);
    std::vector<Point> wall = make_rectangle(x_, y_ - 4 * kStep, x_ + kStep, y_);
    terrain_.polygons.push_back(wall);
    for (Point& point : wall) point.x += kStep * left_;
    terrain_.polygons.push_back(std::move(wall));
    left_ += 2;
    base_ = y_;
  }

  void in_pit() { y_ = left_ > 1 ? base_ - 4 * kStep : base_; }

  /// Width of a stair, in columns.
  static constexpr int kStair = 4;

  NumpyGenerator& rng_;
  bool hardcore_;
  Terrain terrain_;
  double x_ = 0.0, y_ = kGroundY;  ///< of the current column
  double velocity_ = 0.0;
  int left_ = kStartPad;  ///< columns left of the current stretch
  double base_ = 0.0;     ///< height of the ground where the obstacle began
  int rise_ = 0;          ///< direction of the stairs
  int stairs_ = 0;        ///< columns of the stairs
};

}  // namespace

Start stock(std::uint64_t level_seed, const double* parameters) {
  constexpr int kCloudDraws = kLength / 20 * 11;  // the clouds, which only Gymnasium draws
  NumpyGenerator rng(level_seed);
  Terrain terrain = StockTrack(rng, parameters[0] != 0.0).build();
  for (int i = 0; i < kCloudDraws; ++i) rng.random();
  return {std::move(terrain), rng.uniform(-kMaxPush, kMaxPush)};
}

}  // namespace teachenv
