#include "terrain.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

#include "draws.hpp"
#include "numpy_rng.hpp"

namespace teachenv {
namespace {

/// Streams of a level seed: what the ground looks like, and the push at the start.
enum Stream : std::uint64_t { kTerrainStream = 0, kPushStream = 1 };

std::vector<Point> box(double left, double bottom, double right, double top) {
  return {{left, bottom}, {right, bottom}, {right, top}, {left, top}};
}

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
    terrain_.polygons.push_back(box(x_, y_, x_ + size, y_ + size));
  }

  void begin_stairs() {
    rise_ = rng_.random() > 0.5 ? 1 : -1;
    const int count = rng_.integers(3, 5);
    base_ = y_;
    for (int s = 0; s < count; ++s) {
      terrain_.polygons.push_back(box(x_ + (s * kStair) * kStep, y_ + (-1 + s * rise_) * kStep,
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
    std::vector<Point> wall = box(x_, y_ - 4 * kStep, x_ + kStep, y_);
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

Start stump_tracks(double height, double spacing, std::uint64_t level_seed) {
  Draws draws(level_seed, kTerrainStream);
  const double gap = std::max(0.01, spacing);
  double x = kStartPad * kStep;
  Terrain terrain{{{0.0, kGroundY}, {x, kGroundY}}, {}};
  while (x < kLength * kStep) {
    const double top = kGroundY + std::max(0.05, draws.normal(height, 0.1)) * kStep;
    const double right = x + kStep;
    terrain.polygons.push_back(box(x, kGroundY, right, top));
    x = right + gap;
    terrain.ground.push_back({right, kGroundY});
    terrain.ground.push_back({x, kGroundY});
  }
  return {std::move(terrain), Draws(level_seed, kPushStream).uniform(-kMaxPush, kMaxPush)};
}

Start stock(std::uint64_t level_seed, bool hardcore) {
  constexpr int kCloudDraws = kLength / 20 * 11;  // the clouds, which only Gymnasium draws
  NumpyGenerator rng(level_seed);
  Terrain terrain = StockTrack(rng, hardcore).build();
  for (int i = 0; i < kCloudDraws; ++i) rng.random();
  return {std::move(terrain), rng.uniform(-kMaxPush, kMaxPush)};
}

Track parse_track(std::string_view name) {
  if (name == "stock") return Track::stock;
  if (name == "stump_tracks") return Track::stump_tracks;
  throw std::invalid_argument("track: expected 'stock' or 'stump_tracks', got '" +
                              std::string(name) + "'");
}

void check_level(Track track, std::span<const double> task, std::uint64_t level_seed) {
  const auto dim = static_cast<std::size_t>(task_dim(track));
  if (task.size() != dim) {
    throw std::invalid_argument("task: expected " + std::to_string(dim) + " numbers, got " +
                                std::to_string(task.size()));
  }
  for (double number : task) {
    if (!std::isfinite(number)) {
      throw std::invalid_argument("task: expected finite numbers, got " + std::to_string(number));
    }
  }
  if (level_seed >= kMaxLevelSeed) {
    throw std::invalid_argument("level_seed: expected a whole number in [0, 2**53), got " +
                                std::to_string(level_seed));
  }
}

Start make_start(Track track, const double* task, std::uint64_t level_seed) {
  if (track == Track::stock) return stock(level_seed, task[0] != 0.0);
  return stump_tracks(task[0], task[1], level_seed);
}

}  // namespace teachenv
