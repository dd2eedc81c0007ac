#include "track.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>

namespace teachenv {
namespace {

constexpr double kTask = std::numeric_limits<double>::quiet_NaN();

struct Parameter {
  std::string_view name;
  double value = kTask;  ///< unless the track's name says otherwise; NaN: part of the task
};

struct Kind {
  std::string_view name;
  std::span<const Parameter> parameters;
  Start (*generate)(std::uint64_t level_seed, const double* parameters);
};

constexpr Parameter kStock[] = {{"course"}};
constexpr Parameter kStumpTracks[] = {{"stump_height"},          {"stump_spacing"},
                                      {"stump_width", 1.0},      {"stump_rotation", 0.0},
                                      {"width_noise", 0.0},      {"rotation_noise", 0.0},
                                      {"legacy_ground_end", 0.0}};
constexpr Parameter kStumpSequences[] = {
    {"stump1_height"}, {"stump1_width"}, {"stump2_height"},         {"stump2_width"},
    {"stump3_height"}, {"stump3_width"}, {"stump4_height"},         {"stump4_width"},
    {"stump5_height"}, {"stump5_width"}, {"legacy_ground_end", 0.0}};
constexpr Parameter kHexagonTracks[] = {
    {"vertex1_dx"}, {"vertex1_dy"}, {"vertex2_dx"}, {"vertex2_dy"}, {"vertex3_dx"}, {"vertex3_dy"},
    {"vertex4_dx"}, {"vertex4_dy"}, {"vertex5_dx"}, {"vertex5_dy"}, {"vertex6_dx"}, {"vertex6_dy"}};
constexpr Parameter kObstacleCourse[] = {
    {"roughness"},           {"pit_gap_a"},        {"pit_gap_b"},
    {"stump_height_a"},      {"stump_height_b"},   {"stair_height_a", 0.0},
    {"stair_height_b", 0.0}, {"stair_steps", 1.0}, {"stair_steps_exclusive", 0.0}};

constexpr Kind kKinds[] = {{"stock", kStock, stock},
                           {"stump_tracks", kStumpTracks, stump_tracks},
                           {"stump_sequences", kStumpSequences, stump_sequences},
                           {"hexagon_tracks", kHexagonTracks, hexagon_tracks},
                           {"obstacle_course", kObstacleCourse, obstacle_course}};

[[noreturn]] void refuse(const std::string& text) { throw std::invalid_argument("track: " + text); }

int find_kind(const std::string& name) {
  std::string known;
  for (std::size_t k = 0; k < std::size(kKinds); ++k) {
    if (kKinds[k].name == name) return static_cast<int>(k);
    known += (k == 0 ? "'" : ", '") + std::string(kKinds[k].name) + "'";
  }
  refuse("expected one of " + known + ", got '" + name + "'");
}

double read_number(const std::string& text, const std::string& word) {
  std::istringstream in(text);
  in.imbue(std::locale::classic());
  double value = 0.0;
  if (!(in >> value) || !in.eof() || !std::isfinite(value)) {
    refuse("expected a finite number in '" + word + "'");
  }
  return value;
}

}  // namespace

Track Track::parse(std::string_view name) {
  std::istringstream words{std::string(name)};
  std::string word;
  words >> word;
  Track track;
  track.kind_ = find_kind(word);
  track.dim_ = 0;
  const auto parameters = kKinds[track.kind_].parameters;
  std::array<bool, kMost> given{};
  for (std::size_t i = 0; i < parameters.size(); ++i) track.parameters_[i] = parameters[i].value;
  while (words >> word) {
    const std::size_t end = word.find('=');
    const std::string key = word.substr(0, end);
    const auto found = std::find_if(parameters.begin(), parameters.end(),
                                    [&](const Parameter& p) { return p.name == key; });
    if (found == parameters.end()) {
      refuse("no parameter '" + key + "' in '" + std::string(name) + "'");
    }
    const auto i = static_cast<std::size_t>(found - parameters.begin());
    if (given[i]) refuse("'" + key + "' is given twice");
    given[i] = true;
    if (end == std::string::npos) {
      track.places_[track.dim_++] = static_cast<int>(i);
    } else {
      track.parameters_[i] = read_number(word.substr(end + 1), word);
    }
  }
  const bool none = track.dim_ == 0;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (given[i] || !std::isnan(parameters[i].value)) continue;
    if (!none) refuse("'" + std::string(parameters[i].name) + "' is missing");
    track.places_[track.dim_++] = static_cast<int>(i);
  }
  return track;
}

Start Track::start(const double* task, std::uint64_t level_seed) const {
  std::array<double, kMost> parameters = parameters_;
  for (int i = 0; i < dim_; ++i) parameters[places_[i]] = task[i];
  return kKinds[kind_].generate(level_seed, parameters.data());
}

void check_level(const Track& track, std::span<const double> task, std::uint64_t level_seed) {
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

}  // namespace teachenv
