#pragma once
/// Which part touches which fixture of the terrain: contacts are made when extended boxes overlap
/// and live until they no longer do, in the order in which Box2D makes and visits them.

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "body.hpp"
#include "manifold.hpp"
#include "world.hpp"

namespace teachenv {

struct Contact {
  int part, fixture;
  bool touching;
  Manifold manifold;
  // For continuous collision, within a step:
  bool enabled, timed;
  float time;  ///< of impact, as a share of the step; valid while timed
  int events;
};

/// The contacts of one lane, oldest first; the engine visits them newest first.
template <int n_parts>
struct Contacts {
  std::vector<Contact> list;
  std::array<Box, n_parts> fat;       ///< extended boxes of the parts
  std::array<bool, n_parts> touched;  ///< what the last begin or end event of a part was
  bool fallen;                        ///< whether a fatal part has touched

  /// Forget everything; extended boxes are made from the tight ones.
  void restart(const std::array<Box, n_parts>& boxes) {
    list.clear();
    touched.fill(false);
    fallen = false;
    for (int p = 0; p < n_parts; ++p) fat[p] = extended(boxes[p], kFat);
  }

  /// Note that a part has moved; its extended box follows if it must.
  /// @param box Least box around both its poses.
  /// @return Whether the extended box changed.
  bool move(int part, const Box& box, Vec2 displacement) {
    if (contains(fat[part], box)) return false;
    Box& fatter = fat[part] = extended(box, kFat);
    const Vec2 ahead = 2.0f * displacement;
    (ahead.x < 0.0f ? fatter.lo.x : fatter.hi.x) += ahead.x;
    (ahead.y < 0.0f ? fatter.lo.y : fatter.hi.y) += ahead.y;
    return true;
  }

  /// Make the contacts of the parts whose extended boxes changed.
  void find(const World& world, const bool (&moved)[n_parts]) {
    static thread_local std::vector<std::pair<int, int>> pairs;
    pairs.clear();
    for (int p = 0; p < n_parts; ++p) {
      if (!moved[p]) continue;
      world.each_near(fat[p], [&](int fixture) {
        if (!known(p, fixture)) pairs.emplace_back(fixture, p);
      });
    }
    std::sort(pairs.begin(), pairs.end());
    for (auto [fixture, part] : pairs) {
      Contact contact{};
      contact.part = part, contact.fixture = fixture, contact.enabled = true;
      list.push_back(contact);
    }
  }

  /// Recompute a contact's manifold, keeping the impulses of points that persist.
  void update(Contact& contact, const World& world, const Body& body, const Pose& pose) {
    const Part& part = body.parts[contact.part];
    const Manifold old = contact.manifold;
    contact.enabled = true;
    collide(world.shape(contact.fixture), part.shape, pose, contact.manifold);
    for (int i = 0; i < contact.manifold.count; ++i) {
      ManifoldPoint& point = contact.manifold.points[i];
      for (int k = 0; k < old.count; ++k) {
        if (old.points[k].id != point.id) continue;
        point.normal_impulse = old.points[k].normal_impulse;
        point.tangent_impulse = old.points[k].tangent_impulse;
        break;
      }
    }
    set_touching(contact, contact.manifold.count > 0, part.fatal);
  }

  /// Drop contacts whose boxes parted and update the others, before a step.
  /// @param boxes Least boxes around the parts, by which most contacts need no manifold.
  void update_all(const World& world, const Body& body, const Pose (&poses)[n_parts],
                  const std::array<Box, n_parts>& boxes) {
    bool dropped = false;
    for (size_t i = list.size(); i-- > 0;) {
      Contact& contact = list[i];
      const Box box = world.box(contact.fixture);
      if (!overlap(extended(box, kFat), fat[contact.part])) {
        set_touching(contact, false, false);
        contact.part = -1;
        dropped = true;
      } else if (overlap(extended(box, kBoxMargin), boxes[contact.part])) {
        update(contact, world, body, poses[contact.part]);
      } else {
        contact.enabled = true;
        contact.manifold.count = 0;
        set_touching(contact, false, false);
      }
    }
    if (dropped) std::erase_if(list, [](const Contact& contact) { return contact.part < 0; });
  }

 private:
  static constexpr float kBoxMargin = 1e-3f;  ///< far above rounding: boxes this apart never touch

  bool known(int part, int fixture) const {
    for (const Contact& contact : list) {
      if (contact.part == part && contact.fixture == fixture) return true;
    }
    return false;
  }

  void set_touching(Contact& contact, bool touching, bool fatal) {
    if (touching != contact.touching) {
      touched[contact.part] = touching;
      fallen = fallen || (touching && fatal);
    }
    contact.touching = touching;
  }
};

}  // namespace teachenv
