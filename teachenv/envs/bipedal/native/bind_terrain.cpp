#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string_view.h>

#include <cstdint>
#include <string_view>
#include <utility>

#include "bind_points.hpp"
#include "track.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace teachenv {
namespace {

using Task = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

/// Any Python integer as a level seed; those beyond 64 bits become one that is out of range.
std::uint64_t to_level_seed(nb::handle value) {
  const auto index = nb::steal(PyNumber_Index(value.ptr()));
  if (!index.is_valid()) throw nb::python_error();
  int overflow = 0;
  const long long seed = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
  if (overflow != 0 || seed < 0) {
    throw nb::value_error("level_seed: expected a whole number in [0, 2**53)");
  }
  return static_cast<std::uint64_t>(seed);
}

nb::tuple terrain(std::string_view track_name, const Task& task, nb::handle level_seed) {
  const Track track = parse_track(track_name);
  const std::uint64_t seed = to_level_seed(level_seed);
  check_level(track, {task.data(), task.size()}, seed);
  Start start = make_start(track, task.data(), seed);
  nb::list polygons;
  for (auto& polygon : start.terrain.polygons) polygons.append(to_array(std::move(polygon)));
  return nb::make_tuple(to_array(std::move(start.terrain.ground)), polygons, start.push);
}

}  // namespace
}  // namespace teachenv

/// Adds `terrain` to the module.
void bind_terrain(nb::module_& m) {
  m.def("terrain", &teachenv::terrain, "track"_a, "task"_a.noconvert(), "level_seed"_a,
        nb::sig("def terrain(track: str, task: numpy.typing.NDArray[numpy.float64], "
                "level_seed: int) -> tuple[numpy.typing.NDArray[numpy.float64], "
                "list[numpy.typing.NDArray[numpy.float64]], float]"),
        "Return ground, obstacles and push of a level, as ``teachenv.envs.bipedal.terrain`` makes "
        "them.\n\n"
        "Args:\n"
        "    track: ``Track.name`` of ``teachenv.envs.bipedal.tracks``: \"kind\", or \"kind "
        "parameter parameter=value ...\" where those without a value are the task.\n"
        "    task: float64, one number for each parameter that is part of the task.\n"
        "    level_seed: A whole number in [0, 2**53).\n\n"
        "Raises:\n"
        "    ValueError: for an unknown track, a task of another length or not finite, or a seed "
        "out of range.\n"
        "    TypeError: for arguments of other types.");
}
