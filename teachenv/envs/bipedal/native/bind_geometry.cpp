#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "engine.hpp"
#include "impact.hpp"
#include "lidar.hpp"
#include "manifold.hpp"
#include "shape.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace teachenv {
namespace {

using Pair = std::array<float, 2>;
using Placement = std::array<float, 4>;  // x, y, sine, cosine
using Motion = std::array<float, 8>;     // centre in the part, centre before and after, angles
using Points = nb::ndarray<const float, nb::shape<-1, 2>, nb::c_contig, nb::device::cpu>;
using Floats = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<nb::numpy, float, nb::shape<-1, 2>>;

Vec2 vec(Pair p) { return {p[0], p[1]}; }
Pair pair(Vec2 v) { return {v.x, v.y}; }
Pose pose(const Placement& p) { return {{p[0], p[1]}, {p[2], p[3]}}; }

Sweep sweep(const Motion& m) {
  return {{m[0], m[1]}, {m[2], m[3]}, {m[4], m[5]}, m[6], m[7], 0.0f};
}

Shape polygon(const Points& points) {
  const auto count = points.shape(0);
  if (count < 3 || count > kMaxVertices) {
    throw nb::value_error("points: expected float32[n, 2] with n from 3 to 8");
  }
  Vec2 list[kMaxVertices];
  for (size_t i = 0; i < count; ++i) list[i] = {points(i, 0), points(i, 1)};
  return make_polygon(list, static_cast<int>(count));
}

nb::list as_list(const Vec2* values, int count) {
  nb::list result;
  for (int i = 0; i < count; ++i) result.append(nb::make_tuple(values[i].x, values[i].y));
  return result;
}

nb::tuple mass(const Shape& shape, float density) {
  const MassData data = compute_mass(shape, density);
  return nb::make_tuple(data.mass, pair(data.center), data.inertia);
}

nb::tuple bounds(const Shape& shape, const Placement& placement) {
  const Box box = compute_box(shape, pose(placement));
  return nb::make_tuple(pair(box.lo), pair(box.hi));
}

nb::tuple manifold(const Shape& terrain, const Shape& part, const Placement& placement) {
  Manifold m{};
  collide(terrain, part, pose(placement), m);
  nb::list points;
  for (int i = 0; i < m.count; ++i) {
    points.append(nb::make_tuple(pair(m.points[i].local), m.points[i].id));
  }
  return nb::make_tuple(m.face == Face::part, pair(m.local_normal), pair(m.local_point), points);
}

nb::tuple impact(const Shape& terrain, const Shape& part, const Motion& motion) {
  const Impact result = time_of_impact(terrain, part, sweep(motion));
  return nb::make_tuple(result.touching, result.t);
}

std::array<float, kRays> scan(const Points& ground, const std::vector<Points>& polygons,
                              Pair from) {
  const auto read = [](const Points& points) {
    std::vector<Point> list;
    for (size_t i = 0; i < points.shape(0); ++i) list.push_back({points(i, 0), points(i, 1)});
    return list;
  };
  Terrain terrain{read(ground), {}};
  for (const Points& polygon : polygons) terrain.polygons.push_back(read(polygon));
  check_terrain(terrain);
  std::array<float, kRays> fractions{};
  Lidar().scan(World(std::move(terrain)), vec(from), fractions.data());
  return fractions;
}

Table sines_and_cosines(const Floats& angles) {
  const size_t count = angles.shape(0);
  auto* values = new float[2 * count];
  nb::capsule owner(values, [](void* p) noexcept { delete[] static_cast<float*>(p); });
  for (size_t i = 0; i < count; ++i) sin_cos(angles(i), values[2 * i], values[2 * i + 1]);
  return Table(values, {count, 2}, owner);
}

}  // namespace
}  // namespace teachenv

/// Adds the geometry, under private names, for the tests that compare it with Box2D.
void bind_geometry(nb::module_& m) {
  using namespace teachenv;
  nb::class_<Shape>(m, "_Shape")
      .def_static("polygon", &polygon, "points"_a)
      .def_static("box", &make_box, "half_width"_a, "half_height"_a)
      .def_static(
          "edge", [](Pair a, Pair b) { return make_edge(vec(a), vec(b)); }, "a"_a, "b"_a)
      .def_prop_ro("vertices", [](const Shape& s) { return as_list(s.v, s.count); })
      .def_prop_ro("normals", [](const Shape& s) { return as_list(s.n, s.count); })
      .def_prop_ro("centroid", [](const Shape& s) { return pair(s.centroid); })
      .def("mass", &mass, "density"_a)
      .def("bounds", &bounds, "placement"_a);
  m.def("_collide", &manifold, "terrain"_a, "part"_a, "placement"_a);
  m.def("_time_of_impact", &impact, "terrain"_a, "part"_a, "motion"_a);
  m.def(
      "_surely_apart",
      [](const Shape& terrain, const Shape& part, const Motion& motion) {
        const Sweep way = sweep(motion);
        float radius = 0.0f;
        for (int i = 0; i < part.count; ++i) {
          radius = std::max(radius, length(part.v[i] - way.local_center));
        }
        return surely_apart(terrain, part, pose_at(way, 0.0f), pose_at(way, 1.0f), way.a - way.a0,
                            radius);
      },
      "terrain"_a, "part"_a, "motion"_a);
  m.def("_scan", &scan, "ground"_a, "polygons"_a, "start"_a);
  m.def("_sines_and_cosines", &sines_and_cosines, "angles"_a);
}
