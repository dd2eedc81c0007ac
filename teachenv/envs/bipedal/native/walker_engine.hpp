#pragma once
/// The engine for one topology. Each is compiled in a file of its own, topology_*.cpp.

#include <algorithm>
#include <optional>
#include <span>

#include "engine.hpp"
#include "group.hpp"
#include "state_io.hpp"
#include "workers.hpp"

namespace teachenv {

template <class Topology>
class WalkerEngine final : public Engine {
 public:
  WalkerEngine(const BodySpec& body, Track track_, int n_envs_, int n_threads)
      : body_(make_body(body)),
        walkers_(static_cast<size_t>(n_envs_)),
        given_(walkers_.size()),
        workers_(std::min(n_threads, (n_envs_ + kLanes - 1) / kLanes)),
        groups_(static_cast<size_t>(workers_.size())) {
    n_envs = n_envs_;
    track = track_;
    n_parts = Topology::n_parts;
    n_joints = Topology::n_joints;
    n_actions = body_.n_actions;
    observation_size = teachenv::observation_size<Topology>(body_);
  }

  void advance(const Batch& batch) override {
    std::vector<int> moving;
    for (int e = 0; e < n_envs; ++e) {
      if (Mode{batch.mode[e]} != Mode::leave) moving.push_back(e);
    }
    const size_t n = moving.size(), n_threads = groups_.size();
    workers_.run([&](int k) {
      const auto first = n * static_cast<size_t>(k) / n_threads;
      const auto end = n * static_cast<size_t>(k + 1) / n_threads;
      for (size_t i = first; i < end; i += kSize) {
        advance_group(groups_[static_cast<size_t>(k)],
                      std::span(moving).subspan(i, std::min<size_t>(kSize, end - i)), batch);
      }
    });
  }

  void set_terrain(int lane, Start start) override { given_[lane] = std::move(start); }

  const Terrain* terrain(int lane) const override {
    const auto& world = walkers_[lane].state().world;
    return world == nullptr ? nullptr : &world->terrain();
  }

  void get_bodies(int lane, float* out) const override {
    for (int p = 0; p < n_parts; ++p) walkers_[lane].get_body(body_, p, out + 6 * p);
  }

  void set_bodies(int lane, const float* values) override {
    for (int p = 0; p < n_parts; ++p) walkers_[lane].set_body(body_, p, values + 6 * p);
  }

  std::string get_state(int lane) override {
    auto& walker = walkers_[lane].state();
    const Terrain& terrain = walker.world->terrain();
    Writer write;
    write(kStateVersion), write(n_parts), write(n_joints);
    write(terrain.ground);
    write(static_cast<uint32_t>(terrain.polygons.size()));
    for (const auto& polygon : terrain.polygons) write(polygon);
    walker.each_piece(write);
    write(static_cast<uint32_t>(walker.contacts.list.size()));
    for (Contact& contact : walker.contacts.list) visit_contact(contact, write);
    return write.out;
  }

  void set_state(int lane, const std::string& state) override {
    Reader read{state};
    Walker<Topology> walker = read_walker(read);
    if (read.at != state.size()) malformed("it is too long");
    walkers_[lane] = std::move(walker);
  }

  size_t memory_bytes() const override {
    size_t bytes = sizeof(*this) + given_.capacity() * sizeof(given_[0]) +
                   groups_.capacity() * sizeof(groups_[0]);
    for (const auto& walker : walkers_) bytes += walker.state().memory_bytes();
    return bytes;
  }

 private:
  static constexpr int kSize = Group<Topology>::kSize;
  static constexpr uint32_t kMaxContacts = 4096;

  Walker<Topology> read_walker(Reader& read) const {
    uint32_t version = 0, count = 0;
    int parts = 0, joints = 0;
    read(version), read(parts), read(joints);
    if (version != kStateVersion || parts != n_parts || joints != n_joints) {
      malformed("it is of another version or body");
    }
    Terrain terrain;
    read(terrain.ground);
    read(count);
    if (count > read.in.size()) malformed("it is too short");
    terrain.polygons.resize(count);
    for (auto& polygon : terrain.polygons) read(polygon);
    check_terrain(terrain);
    Walker<Topology> walker;
    walker.state().each_piece(read);
    walker.set_world(body_, std::make_shared<const World>(std::move(terrain)));
    read(count);
    if (count > kMaxContacts) malformed("it has too many contacts");
    auto& contacts = walker.state().contacts.list;
    contacts.resize(count);
    for (Contact& contact : contacts) {
      visit_contact(contact, read);
      contact.enabled = true;
      const int points = contact.manifold.count;
      if (contact.part < 0 || contact.part >= n_parts || contact.fixture < 0 ||
          contact.fixture >= walker.state().world->size() || points < 0 || points > 2 ||
          contact.touching != (points > 0)) {
        malformed("a contact is impossible");
      }
    }
    return walker;
  }

  void advance_group(Group<Topology>& group, std::span<const int> envs, const Batch& batch) {
    std::array<Walker<Topology>*, kSize> walkers;
    for (size_t i = 0; i < envs.size(); ++i) {
      const int e = envs[i];
      const bool restarts = Mode{batch.mode[e]} == Mode::restart;
      walkers[i] = &walkers_[e];
      if (restarts) restart(e, batch);
      walkers[i]->begin(body_, restarts ? nullptr : batch.actions + e * n_actions);
    }
    group.step(body_, std::span(walkers).first(envs.size()));
    for (size_t i = 0; i < envs.size(); ++i) {
      const int e = envs[i];
      walkers[i]->finish(body_, {batch.observations + e * observation_size, batch.rewards + e,
                                 batch.terminated + e, batch.positions + e});
    }
  }

  void restart(int e, const Batch& batch) {
    if (given_[e]) {
      walkers_[e].restart(body_, *given_[e]);
      given_[e].reset();
    } else {
      walkers_[e].restart(
          body_, make_start(track, batch.tasks + e * task_dim(track), batch.level_seeds[e]));
    }
  }

  Body body_;
  std::vector<Walker<Topology>> walkers_;
  std::vector<std::optional<Start>> given_;
  Workers workers_;
  std::vector<Group<Topology>> groups_;
};

template <class Topology>
std::unique_ptr<Engine> make_walker_engine(const BodySpec& body, Track track, int n_envs,
                                           int n_threads) {
  return std::make_unique<WalkerEngine<Topology>>(body, track, n_envs, n_threads);
}

}  // namespace teachenv
