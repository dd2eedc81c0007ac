#pragma once
/// Families of levels, and how Python names them.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "terrain.hpp"

namespace teachenv {

/// Level seeds are below this.
inline constexpr std::uint64_t kMaxLevelSeed = std::uint64_t{1} << 53;

/// A generator with its parameters: some are the task, the others fixed.
class Track {
 public:
  static constexpr int kMost = 12;
  static const Track stock;

  Track() = default;

  /// The track of a name "kind", or "kind parameter parameter=value ...": parameters without a
  /// value are the task, in this order; those without a default if there are none. Throws
  /// std::invalid_argument for others.
  static Track parse(std::string_view name);

  int dim() const { return dim_; }
  /// The start of a level: `dim()` finite numbers and a seed below `kMaxLevelSeed`.
  Start start(const double* task, std::uint64_t level_seed) const;

 private:
  int kind_ = 0;
  int dim_ = 1;
  std::array<int, kMost> places_{};         ///< which parameter each number of the task is
  std::array<double, kMost> parameters_{};  ///< values of those that are no task
};

inline const Track Track::stock{};

inline int task_dim(const Track& track) { return track.dim(); }
inline Track parse_track(std::string_view name) { return Track::parse(name); }
inline Start make_start(const Track& track, const double* task, std::uint64_t level_seed) {
  return track.start(task, level_seed);
}

/// Throws std::invalid_argument unless `make_start` can build this level.
void check_level(const Track& track, std::span<const double> task, std::uint64_t level_seed);

}  // namespace teachenv
