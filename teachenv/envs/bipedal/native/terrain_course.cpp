#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "terrain.hpp"

namespace teachenv {
namespace {

enum Kind { kPit, kStump, kStairs };
/// Courses have pits, stumps and stairs if the largest may be this large, in terrain steps.
constexpr double kLeastSize[3] = {0.8, 0.2, 0.2};
constexpr int kDepth = 4;
constexpr int kStairWidth = 4;

struct Range {
  double low, high;
};

/// Builds a course from left to right.
class Course {
 public:
  Course(std::uint64_t level_seed, const double* parameters)
      : draws_(level_seed, kTerrainStream),
        noise_(level_seed, kGrassStream),
        roughness_(parameters[0]) {
    for (int kind = 0; kind < 3; ++kind) {
      const double a = parameters[1 + 2 * kind], b = parameters[2 + 2 * kind];
      ranges_[kind] = {std::min(a, b), std::max(a, b)};
      if (ranges_[kind].high >= kLeastSize[kind]) kinds_[n_kinds_++] = kind;
    }
    const double most_steps = parameters[8] != 0.0 ? parameters[7] - 1.0 : parameters[7];
    most_steps_ = static_cast<int>(std::min<double>(std::max(0.0, most_steps), kLength));
  }

  Terrain build() && {
    grass(kStartPad);
    while (column_ < kLength) {
      const double kind_share = draws_.uniform(0.0, 1.0);
      const double size_share = draws_.uniform(0.0, 1.0);
      const int rise = 2 * draws_.integer(0, 1) - 1;
      const int steps = draws_.integer(0, most_steps_);
      const int stump_columns = draws_.integer(kGrass / 2, kGrass - 1);
      if (n_kinds_ > 0) {
        const int kind = kinds_[static_cast<int>(kind_share * n_kinds_)];
        const auto [low, high] = ranges_[kind];
        const double size = low + (high - low) * size_share;
        if (kind == kPit) pit(size);
        if (kind == kStump) stump(size, stump_columns);
        if (kind == kStairs) stairs(size, rise, steps);
      }
      grass(draws_.integer(kGrass / 2, kGrass - 1));
    }
    return std::move(terrain_);
  }

 private:
  void emit(double y) {
    if (column_ < kLength) terrain_.ground.push_back({column_ * kStep, y});
    ++column_;
  }

  void grass(int columns) {
    emit(y_);
    for (int i = 1; i < columns; ++i) {
      const int direction = (y_ < kGroundY) - (y_ > kGroundY);
      velocity_ = 0.8 * velocity_ + 0.01 * direction;
      if (column_ > kStartPad) velocity_ += noise_.uniform(-1.0, 1.0) / kScale;
      y_ += roughness_ * velocity_;
      emit(y_);
    }
  }

  /// Two walls, `gap` terrain steps apart, and the floor between them.
  void pit(double gap) {
    const double offset = 1.0 + std::min<double>(std::max(0.0, gap), kLength);
    const int first = column_;
    const double left = first * kStep, bottom = y_ - kDepth * kStep;
    for (double x : {left, left + offset * kStep}) {
      terrain_.polygons.push_back(make_rectangle(x, bottom, x + kStep, y_));
    }
    emit(y_);
    for (int i = 0; i < std::ceil(offset); ++i) emit(bottom);
    if (column_ < kLength) {
      const double end = (first + (offset + 1.0)) * kStep;
      if (end - terrain_.ground.back().x < kShortestEdge) terrain_.ground.pop_back();
      terrain_.ground.push_back({end, y_});
    }
    ++column_;
  }

  void stump(double height, int columns) {
    const double x = column_ * kStep;
    if (height * kStep >= kShortestEdge) {
      terrain_.polygons.push_back(make_rectangle(x, y_, x + kStep, y_ + height * kStep));
    }
    for (int i = 0; i < columns; ++i) emit(y_);
  }

  /// Blocks, each `height` above or below the last, and the ground under them.
  void stairs(double height, int rise, int steps) {
    const double x = column_ * kStep, base = y_, block = height * kStep;
    emit(base);
    for (int s = 0; s < steps; ++s) {
      const double top = base + s * rise * block;
      const double left = x + s * kStairWidth * kStep, right = x + (s + 1) * kStairWidth * kStep;
      if (block >= kShortestEdge) {
        terrain_.polygons.push_back(make_rectangle(left, top - block, right, top));
      }
      y_ = rise > 0 ? top : top - block;
      for (int i = 0; i < kStairWidth; ++i) emit(y_);
    }
  }

  Draws draws_, noise_;
  Terrain terrain_;
  std::array<Range, 3> ranges_;
  std::array<int, 3> kinds_;
  int n_kinds_ = 0;
  int most_steps_;
  double roughness_;
  int column_ = 0;
  double y_ = kGroundY, velocity_ = 0.0;
};

}  // namespace

Start obstacle_course(std::uint64_t level_seed, const double* parameters) {
  return with_push(Course(level_seed, parameters).build(), level_seed);
}

}  // namespace teachenv
