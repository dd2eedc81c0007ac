#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <atomic>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bind_points.hpp"
#include "engine.hpp"
#include "shape.hpp"
#include "simd.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace teachenv {
namespace {

#define TEACHENV_TEXT(name) #name
#define TEACHENV_NAME(name) TEACHENV_TEXT(name)

template <class T>
using Row = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Table = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Corners = nb::ndarray<const double, nb::shape<-1, 2>, nb::c_contig, nb::device::cpu>;

/// Keeps a second thread out of an engine.
class Turn {
 public:
  explicit Turn(std::atomic_flag& busy) : busy_(busy) {
    if (busy_.test_and_set()) throw std::runtime_error("engine: another thread is using it");
  }
  ~Turn() { busy_.clear(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  std::atomic_flag& busy_;
};

/// Item i of a tuple of a Body; nanobind does not check the index.
nb::handle item(const nb::tuple& items, size_t i) {
  if (i >= items.size()) throw nb::value_error("body: expected all numbers of a Body");
  return items[i];
}

BodySpec read_body(const nb::tuple& body) {
  BodySpec spec;
  for (nb::handle entry : nb::cast<nb::tuple>(item(body, 0))) {
    const auto p = nb::cast<nb::tuple>(entry);
    PartSpec part{};
    part.density = nb::cast<double>(item(p, 1));
    part.friction = nb::cast<double>(item(p, 2));
    part.outline = nb::cast<std::vector<std::array<double, 2>>>(item(p, 3));
    if (!item(p, 4).is_none()) part.half_size = nb::cast<std::array<double, 2>>(item(p, 4));
    part.spawn = nb::cast<std::array<double, 2>>(item(p, 5));
    part.angle = nb::cast<double>(item(p, 6));
    part.fatal = nb::cast<bool>(item(p, 7));
    part.senses_contact = nb::cast<bool>(item(p, 8));
    part.dead_flag = nb::cast<bool>(item(p, 9));
    if (part.outline.size() > kMaxVertices)
      throw nb::value_error("body: a part has over 8 corners");
    spec.parts.push_back(part);
  }
  for (nb::handle entry : nb::cast<nb::tuple>(item(body, 1))) {
    const auto j = nb::cast<nb::tuple>(entry);
    using Pair = std::array<double, 2>;
    spec.joints.push_back({nb::cast<int>(item(j, 0)), nb::cast<int>(item(j, 1)),
                           nb::cast<Pair>(item(j, 2)), nb::cast<Pair>(item(j, 3)),
                           nb::cast<double>(item(j, 4)), nb::cast<double>(item(j, 5)),
                           nb::cast<double>(item(j, 6)), nb::cast<double>(item(j, 7))});
  }
  spec.torque = nb::cast<double>(item(body, 2));
  spec.torque_penalty = nb::cast<double>(item(body, 3));
  spec.spawn_height = nb::cast<double>(item(body, 4));
  spec.head = nb::cast<int>(item(body, 5));
  spec.pushed = nb::cast<std::vector<int>>(item(body, 6));
  spec.tilt_penalty = nb::cast<double>(item(body, 7));
  return spec;
}

template <class Array>
void expect_shape(const Array& array, const char* name, size_t rows, size_t columns) {
  const bool fine = array.shape(0) == rows && (array.ndim() == 1 || array.shape(1) == columns);
  if (fine) return;
  std::string text = std::string(name) + ": expected shape (" + std::to_string(rows);
  text += array.ndim() == 2 ? ", " + std::to_string(columns) + ")" : ",)";
  throw nb::value_error(text.c_str());
}

std::vector<Point> read_points(const Corners& corners) {
  std::vector<Point> points(corners.shape(0));
  for (size_t i = 0; i < points.size(); ++i) points[i] = {corners(i, 0), corners(i, 1)};
  return points;
}

/// The engine as Python sees it: arguments are checked here.
class BoundEngine {
 public:
  BoundEngine(const nb::tuple& body, const std::string& track, int n_envs, int n_threads) {
    if (n_envs < 1) throw nb::value_error("num_envs: expected a positive number");
    if (n_threads < 1) throw nb::value_error("num_threads: expected a positive number");
    engine_ = make_engine(read_body(body), parse_track(track), n_envs, n_threads);
  }

  void advance(const Row<const uint8_t>& mode, const Table<const float>& actions,
               const Table<const double>& tasks, const Row<const uint64_t>& level_seeds,
               const Table<float>& observations, const Row<double>& rewards,
               const Row<bool>& terminated, const Row<double>& positions) {
    const Turn turn(busy_);
    const auto n = static_cast<size_t>(engine_->n_envs);
    const auto dim = static_cast<size_t>(task_dim(engine_->track));
    expect_shape(mode, "mode", n, 0);
    expect_shape(actions, "actions", n, static_cast<size_t>(engine_->n_actions));
    expect_shape(tasks, "tasks", n, dim);
    expect_shape(level_seeds, "level_seeds", n, 0);
    expect_shape(observations, "observations", n, static_cast<size_t>(engine_->observation_size));
    expect_shape(rewards, "rewards", n, 0);
    expect_shape(terminated, "terminated", n, 0);
    expect_shape(positions, "positions", n, 0);
    for (size_t i = 0; i < n; ++i) check_lane(i, mode(i), actions, tasks, level_seeds(i), dim);
    const Batch batch{mode.data(),         actions.data(), tasks.data(),      level_seeds.data(),
                      observations.data(), rewards.data(), terminated.data(), positions.data()};
    const nb::gil_scoped_release release;
    engine_->advance(batch);
  }

  void set_terrain(int lane, const Corners& ground, const std::vector<Corners>& polygons,
                   double push) {
    const Turn turn(busy_);
    check_index(lane);
    Start start{{read_points(ground), {}}, push};
    for (const Corners& polygon : polygons) start.terrain.polygons.push_back(read_points(polygon));
    check_terrain(start.terrain);
    if (!(std::abs(push) <= 1000.0)) throw nb::value_error("push: expected at most 1000 N");
    engine_->set_terrain(lane, std::move(start));
  }

  nb::tuple get_terrain(int lane) {
    const Turn turn(busy_);
    check_started(lane);
    const Terrain& terrain = *engine_->terrain(lane);
    nb::list polygons;
    for (const auto& polygon : terrain.polygons) polygons.append(to_array(polygon));
    return nb::make_tuple(to_array(terrain.ground), polygons);
  }

  auto get_bodies(int lane) {
    const Turn turn(busy_);
    check_started(lane);
    const auto parts = static_cast<size_t>(engine_->n_parts);
    auto* values = new float[parts * 6];
    nb::capsule owner(values, [](void* p) noexcept { delete[] static_cast<float*>(p); });
    engine_->get_bodies(lane, values);
    return nb::ndarray<nb::numpy, float, nb::ndim<2>>(values, {parts, 6}, owner);
  }

  void set_bodies(int lane, const Table<const float>& bodies) {
    const Turn turn(busy_);
    check_started(lane);
    expect_shape(bodies, "bodies", static_cast<size_t>(engine_->n_parts), 6);
    for (size_t k = 0; k < bodies.size(); ++k) {
      if (!(std::abs(bodies.data()[k]) < 1e6f)) throw nb::value_error("bodies: not finite");
    }
    engine_->set_bodies(lane, bodies.data());
  }

  nb::bytes get_state(int lane) {
    const Turn turn(busy_);
    check_started(lane);
    const std::string state = engine_->get_state(lane);
    return nb::bytes(state.data(), state.size());
  }

  void set_state(int lane, const nb::bytes& state) {
    const Turn turn(busy_);
    check_index(lane);
    engine_->set_state(lane, std::string(state.c_str(), state.size()));
  }

  size_t memory_bytes() {
    const Turn turn(busy_);
    return engine_->memory_bytes();
  }

  const Engine& engine() const { return *engine_; }

 private:
  void check_index(int lane) const {
    if (lane < 0 || lane >= engine_->n_envs) {
      throw nb::index_error(("lane: expected 0 to " + std::to_string(engine_->n_envs - 1)).c_str());
    }
  }

  void check_started(int lane) const {
    check_index(lane);
    if (engine_->terrain(lane) == nullptr) {
      throw std::runtime_error("lane " + std::to_string(lane) + ": restart it first");
    }
  }

  void check_lane(size_t i, uint8_t mode, const Table<const float>& actions,
                  const Table<const double>& tasks, uint64_t level_seed, size_t dim) const {
    const auto where = [&](const char* what) {
      return std::string(what) + " (lane " + std::to_string(i) + ")";
    };
    if (mode > static_cast<uint8_t>(Mode::restart)) {
      throw nb::value_error(where("mode: expected 0, 1 or 2").c_str());
    }
    if (Mode{mode} == Mode::step) {
      if (engine_->terrain(static_cast<int>(i)) == nullptr) {
        throw std::runtime_error(where("mode: restart the lane first"));
      }
      const float* action = actions.data() + i * static_cast<size_t>(engine_->n_actions);
      for (int j = 0; j < engine_->n_actions; ++j) {
        if (!std::isnan(action[j])) continue;
        throw nb::value_error(where("actions: expected numbers, got NaN").c_str());
      }
    }
    if (Mode{mode} == Mode::restart) {
      check_level(engine_->track, {tasks.data() + i * dim, dim}, level_seed);
    }
  }

  std::unique_ptr<Engine> engine_;
  std::atomic_flag busy_;
};

}  // namespace
}  // namespace teachenv

/// Adds `Engine` to the module.
void bind_engine(nb::module_& m) {
  using teachenv::BoundEngine;
  nb::class_<BoundEngine>(m, "Engine", "A batch of walkers; see `_native_baseline.pyi`.")
      .def(nb::init<const nb::tuple&, const std::string&, int, int>(), "body"_a, "track"_a,
           "num_envs"_a, "num_threads"_a)
      .def("advance", &BoundEngine::advance, "mode"_a.noconvert(), "actions"_a.noconvert(),
           "tasks"_a.noconvert(), "level_seeds"_a.noconvert(), "observations"_a.noconvert(),
           "rewards"_a.noconvert(), "terminated"_a.noconvert(), "positions"_a.noconvert())
      .def("set_terrain", &BoundEngine::set_terrain, "lane"_a, "ground"_a, "polygons"_a, "push"_a)
      .def("get_terrain", &BoundEngine::get_terrain, "lane"_a)
      .def("get_bodies", &BoundEngine::get_bodies, "lane"_a)
      .def("set_bodies", &BoundEngine::set_bodies, "lane"_a, "bodies"_a)
      .def("get_state", &BoundEngine::get_state, "lane"_a)
      .def("set_state", &BoundEngine::set_state, "lane"_a, "state"_a)
      .def("memory_bytes", &BoundEngine::memory_bytes)
      .def_prop_ro("num_joints", [](const BoundEngine& e) { return e.engine().n_joints; })
      .def_prop_ro("num_actions", [](const BoundEngine& e) { return e.engine().n_actions; })
      .def_prop_ro("observation_size",
                   [](const BoundEngine& e) { return e.engine().observation_size; })
      .def_prop_ro("task_dim",
                   [](const BoundEngine& e) { return teachenv::task_dim(e.engine().track); })
      .def_prop_ro("isa", [](const BoundEngine&) { return TEACHENV_NAME(TEACHENV_ISA); });
}
