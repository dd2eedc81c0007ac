#pragma once
/// A batch of walkers, shared out among threads.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "body.hpp"
#include "terrain.hpp"
#include "track.hpp"

namespace teachenv {

/// What to do with a walker in a call.
enum class Mode : uint8_t { leave = 0, step = 1, restart = 2 };

/// Arrays of one call, one row per environment.
struct Batch {
  const uint8_t* mode;  ///< a Mode each
  const float* actions;
  const double* tasks;
  const uint64_t* level_seeds;
  float* observations;
  double* rewards;
  bool* terminated;
  double* positions;
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual void advance(const Batch& batch) = 0;
  /// Play this in the next restart instead of the level.
  virtual void set_terrain(int lane, Start start) = 0;
  /// Null before the first restart.
  virtual const Terrain* terrain(int lane) const = 0;
  virtual void get_bodies(int lane, float* out) const = 0;
  virtual void set_bodies(int lane, const float* values) = 0;
  virtual std::string get_state(int lane) = 0;
  /// Throws std::invalid_argument for anything that get_state did not write.
  virtual void set_state(int lane, const std::string& state) = 0;
  virtual size_t memory_bytes() const = 0;

  int n_envs = 0, n_parts = 0, n_joints = 0, n_actions = 0, observation_size = 0;
  Track track = Track::stock;
};

/// Throws std::invalid_argument unless a terrain can be walked on.
void check_terrain(const Terrain& terrain);

/// Compiled in topology_*.cpp, one for each topology.
template <class Topology>
std::unique_ptr<Engine> make_walker_engine(const BodySpec& body, Track track, int n_envs,
                                           int n_threads);

/// Throws std::invalid_argument for bodies of a topology that is not compiled in.
std::unique_ptr<Engine> make_engine(const BodySpec& body, Track track, int n_envs, int n_threads);

}  // namespace teachenv
