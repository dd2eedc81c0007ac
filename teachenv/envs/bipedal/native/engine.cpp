#include "engine.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <type_traits>

#include "group.hpp"
#include "topology.hpp"
#include "workers.hpp"

namespace teachenv {
namespace {

constexpr uint32_t kStateVersion = 1;
constexpr double kMaxCoordinate = 1000.0, kMinEdge = 0.004;

/// Appends values to a string.
struct Writer {
  std::string out;

  template <class T>
  void operator()(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    out.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }

  void operator()(const std::vector<Point>& points) {
    (*this)(static_cast<uint32_t>(points.size()));
    for (const Point& p : points) (*this)(p);
  }
};

[[noreturn]] void malformed(const char* what) {
  throw std::invalid_argument(std::string("state: expected what get_state returned; ") + what);
}

/// Takes values off a string and refuses bad ones.
struct Reader {
  const std::string& in;
  size_t at = 0;

  template <class T>
  void operator()(T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (in.size() - at < sizeof(T)) malformed("it is too short");
    if constexpr (std::is_same_v<T, bool>) {
      if (static_cast<unsigned char>(in[at]) > 1) malformed("a flag is neither 0 nor 1");
    }
    std::memcpy(&value, in.data() + at, sizeof(T));
    at += sizeof(T);
    check(value);
  }

  void operator()(std::vector<Point>& points) {
    uint32_t n = 0;
    (*this)(n);
    if (n > (in.size() - at) / sizeof(Point)) malformed("it is too short");
    points.resize(n);
    for (Point& p : points) (*this)(p);
  }

  static void finite(double value) {
    if (!(std::abs(value) < 1e6)) malformed("a number is out of range");
  }
  static void check(float value) { finite(value); }
  static void check(double value) { finite(value); }
  static void check(const Point& p) { finite(p.x), finite(p.y); }
  static void check(const Box& b) {
    finite(b.lo.x), finite(b.lo.y), finite(b.hi.x), finite(b.hi.y);
  }
  template <class T>
  static void check(const T&) {}  ///< every bit pattern is fine
};

/// Whether the corners span an area, so that they have a convex hull with sides.
bool has_area(const std::vector<Point>& polygon) {
  const Point &a = polygon[0], &b = polygon[1];
  double most = 0.0;
  for (const Point& p : polygon) {
    most = std::max(most, std::abs((b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x)));
  }
  return most > 1e-6;
}

template <class Visitor>
void visit_contact(Contact& contact, Visitor&& visit) {
  Manifold& manifold = contact.manifold;
  visit(contact.part), visit(contact.fixture), visit(contact.touching), visit(manifold.count);
  auto face = static_cast<uint8_t>(manifold.face);
  visit(face);
  manifold.face = face == 0 ? Face::terrain : Face::part;
  for (Vec2* v : {&manifold.local_normal, &manifold.local_point}) visit(v->x), visit(v->y);
  for (ManifoldPoint& point : manifold.points) {
    visit(point.local.x), visit(point.local.y);
    visit(point.normal_impulse), visit(point.tangent_impulse), visit(point.id);
  }
}

}  // namespace

void check_terrain(const Terrain& terrain) {
  const auto inside = [](const Point& p) {
    return std::abs(p.x) <= kMaxCoordinate && std::abs(p.y) <= kMaxCoordinate;
  };
  const auto& ground = terrain.ground;
  bool fine = ground.size() >= 2 && std::all_of(ground.begin(), ground.end(), inside);
  for (size_t i = 0; fine && i + 1 < ground.size(); ++i) {
    fine = ground[i + 1].x - ground[i].x >= kMinEdge;
  }
  if (!fine) {
    throw std::invalid_argument(
        "terrain: expected 2 or more vertices of ground, each at least 0.004 m to the right of the "
        "one before, within 1000 m");
  }
  for (const auto& polygon : terrain.polygons) {
    if (polygon.size() < 3 || polygon.size() > kMaxVertices ||
        !std::all_of(polygon.begin(), polygon.end(), inside) || !has_area(polygon)) {
      throw std::invalid_argument(
          "terrain: expected polygons of 3 to 8 vertices with an area, within 1000 m");
    }
  }
}

namespace {

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
    observation_size = 4 + 2 * n_joints + kRays;
    for (const JointSpec& joint : body.joints) {
      observation_size += body.parts[static_cast<size_t>(joint.child)].senses_contact ? 1 : 0;
    }
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
    const auto& world = walkers_[lane].world();
    return world == nullptr ? nullptr : &world->terrain();
  }

  void get_bodies(int lane, float* out) const override {
    for (int p = 0; p < n_parts; ++p) walkers_[lane].get_body(body_, p, out + 6 * p);
  }

  void set_bodies(int lane, const float* values) override {
    for (int p = 0; p < n_parts; ++p) walkers_[lane].set_body(body_, p, values + 6 * p);
  }

  std::string get_state(int lane) override {
    auto& walker = walkers_[lane];
    const Terrain& terrain = walker.world()->terrain();
    Writer write;
    write(kStateVersion), write(n_parts), write(n_joints);
    write(terrain.ground);
    write(static_cast<uint32_t>(terrain.polygons.size()));
    for (const auto& polygon : terrain.polygons) write(polygon);
    walker.each_piece(write);
    write(static_cast<uint32_t>(walker.contacts().size()));
    for (Contact& contact : walker.contacts()) visit_contact(contact, write);
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
    for (const auto& walker : walkers_) bytes += walker.memory_bytes();
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
    walker.each_piece(read);
    walker.set_world(body_, std::make_shared<const World>(std::move(terrain)));
    read(count);
    if (count > kMaxContacts) malformed("it has too many contacts");
    walker.contacts().resize(count);
    for (Contact& contact : walker.contacts()) {
      visit_contact(contact, read);
      contact.enabled = true;
      const int points = contact.manifold.count;
      if (contact.part < 0 || contact.part >= n_parts || contact.fixture < 0 ||
          contact.fixture >= walker.world()->size() || points < 0 || points > 2 ||
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
      walkers[i]->begin(body_, restarts ? nullptr : batch.actions + e * n_joints);
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
bool has_topology(const BodySpec& body) {
  if (body.parts.size() != Topology::n_parts || body.joints.size() != Topology::n_joints) {
    return false;
  }
  for (size_t j = 0; j < body.joints.size(); ++j) {
    if (body.joints[j].parent != Topology::parent[j]) return false;
    if (body.joints[j].child != Topology::child[j]) return false;
  }
  return true;
}

}  // namespace

std::unique_ptr<Engine> make_engine(const BodySpec& body, Track track, int n_envs, int n_threads) {
  if (has_topology<TwoLegs>(body)) {
    return std::make_unique<WalkerEngine<TwoLegs>>(body, track, n_envs, n_threads);
  }
  throw std::invalid_argument("body: no topology of the native engine has these parts and joints");
}

}  // namespace teachenv
