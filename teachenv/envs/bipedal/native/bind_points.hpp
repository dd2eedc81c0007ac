#pragma once
/// Points as NumPy arrays.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <memory>
#include <utility>
#include <vector>

#include "terrain.hpp"

namespace teachenv {

using PointArray = nanobind::ndarray<nanobind::numpy, double, nanobind::shape<-1, 2>>;

/// An array that owns the points.
inline PointArray to_array(std::vector<Point> points) {
  static_assert(sizeof(Point) == 2 * sizeof(double));
  using Vector = std::vector<Point>;
  auto owned = std::make_unique<Vector>(std::move(points));
  auto* data = reinterpret_cast<double*>(owned->data());
  const size_t count = owned->size();
  nanobind::capsule owner(owned.get(), [](void* p) noexcept { delete static_cast<Vector*>(p); });
  owned.release();
  return PointArray(data, {count, 2}, owner);
}

}  // namespace teachenv
