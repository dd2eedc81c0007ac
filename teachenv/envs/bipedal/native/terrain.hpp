#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

/// Terrains as data, and what makes them from a task and a level seed:
/// teachenv/envs/bipedal/terrain.py, bit for bit. Lengths are in metres, x to the right, y up.
namespace teachenv {

inline constexpr double kScale = 30.0;
/// Terrain step: the width of a column, and the unit of stump heights.
inline constexpr double kStep = 14.0 / kScale;
/// Columns of the stock terrain, and length of every track, in terrain steps.
inline constexpr int kLength = 200;
inline constexpr int kGrass = 10;
inline constexpr int kStartPad = 20;
inline constexpr double kGroundY = 400.0 / kScale / 4.0;
inline constexpr double kSpawnX = kStep * kStartPad / 2.0;
inline constexpr double kFinishX = (kLength - kGrass) * kStep;
/// Largest horizontal force on the hull during the first step, in newtons.
inline constexpr double kMaxPush = 5.0;
/// Level seeds are below this.
inline constexpr std::uint64_t kMaxLevelSeed = std::uint64_t{1} << 53;

struct Point {
  double x, y;
};

struct Terrain {
  std::vector<Point> ground;                 ///< from left to right
  std::vector<std::vector<Point>> polygons;  ///< convex obstacles
};

/// What a task and a level seed fix.
struct Start {
  Terrain terrain;
  double push;  ///< horizontal force on the hull during the first step, in newtons
};

/// Flat ground with stumps of mean `height` (terrain steps), `spacing` metres apart.
Start stump_tracks(double height, double spacing, std::uint64_t level_seed);

/// A level of Gymnasium's BipedalWalker, as it draws it from
/// `gymnasium.utils.seeding.np_random(level_seed)`.
Start stock(std::uint64_t level_seed, bool hardcore);

/// Kind of terrain; task vectors: stock {course: 0 | 1}, stump_tracks {height, spacing}.
enum class Track : int { stock = 0, stump_tracks = 1 };

constexpr int task_dim(Track track) { return track == Track::stock ? 1 : 2; }

/// The track of that name; throws std::invalid_argument where there is none.
Track parse_track(std::string_view name);

/// Throws std::invalid_argument unless `make_start` can build this level.
void check_level(Track track, std::span<const double> task, std::uint64_t level_seed);

/// The start of a level: `task_dim(track)` finite numbers and a seed below `kMaxLevelSeed`.
Start make_start(Track track, const double* task, std::uint64_t level_seed);

}  // namespace teachenv
