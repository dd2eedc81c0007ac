#pragma once
/// Continuous collision: parts that would sink into the terrain within a step are stopped at their
/// first touch and given a step of their own from there, as b2World::SolveTOI of Box2D 2.3.0 does.

#include "event_solver.hpp"
#include "impact.hpp"

namespace teachenv {

/// Handle all touches of one walker within a step.
template <int n_parts>
class Events {
 public:
  /// @param swept Boxes around the parts at both ends of the step.
  Events(const World& world, const Body& body, Contacts<n_parts>& contacts,
         Motion (&motions)[n_parts], std::array<Box, n_parts>& swept)
      : world_(world), body_(body), contacts_(contacts), motions_(motions), swept_(swept) {}

  /// Whether a contact surely sees no touch in the step, by the boxes.
  static bool far(const World& world, const Part& part, const Contact& contact, const Box& swept,
                  float turn) {
    // Between the ends, a part leaves their boxes by at most radius * turn^2 / 8.
    const float margin = kTouchMargin + 0.125f * part.radius * (turn * turn);
    return !overlap(extended(world.box(contact.fixture), margin), swept);
  }

  /// Contacts that are `timed` see no touch unless their part is stopped by another.
  /// @return Mask of the parts that were stopped: bit p for part p.
  uint32_t run() {
    uint32_t stopped = 0;
    for (;;) {
      Contact* first = nullptr;
      float time = 1.0f;
      for (size_t i = contacts_.list.size(); i-- > 0;) {
        Contact& contact = contacts_.list[i];
        if (!contact.enabled || contact.events > kMaxEvents) continue;
        if (!contact.timed) set_time(contact);
        if (contact.time < time) {
          first = &contact;
          time = contact.time;
        }
      }
      if (first == nullptr || 1.0f - 10.0f * FLT_EPSILON < time) return stopped;
      const int part = first->part;
      if (handle(*first, time)) stopped |= 1u << part;
    }
  }

 private:
  static constexpr int kMaxEvents = 8;          ///< of one contact in a step
  static constexpr float kTouchMargin = 0.01f;  ///< above the distance at which parts touch

  void set_time(Contact& contact) {
    Sweep& sweep = motions_[contact.part].sweep;
    const Part& part = body_.parts[contact.part];
    contact.timed = true;
    contact.time = 1.0f;
    const float start = sweep.alpha0 > terrain_alpha_ ? sweep.alpha0 : terrain_alpha_;
    terrain_alpha_ = start;
    if (far(world_, part, contact, swept_[contact.part], sweep.a - sweep.a0)) return;
    const Shape shape = world_.shape(contact.fixture);
    if (surely_apart(shape, part.shape, pose_at(sweep, 0.0f), pose_at(sweep, 1.0f),
                     sweep.a - sweep.a0, part.radius)) {
      return;
    }
    if (sweep.alpha0 < start) advance(sweep, start);
    const Impact impact = time_of_impact(shape, part.shape, sweep);
    if (!impact.touching) return;
    const float time = start + (1.0f - start) * impact.t;
    contact.time = time < 1.0f ? time : 1.0f;
  }

  bool handle(Contact& first, float time) {
    Motion& motion = motions_[first.part];
    const Motion before = motion;
    const float terrain_before = terrain_alpha_;
    advance(motion.sweep, time);
    motion.sweep.c = motion.sweep.c0;
    motion.sweep.a = motion.sweep.a0;
    terrain_alpha_ = time;
    const Pose pose = final_pose(motion.sweep);
    contacts_.update(first, world_, body_, pose);
    first.timed = false;
    ++first.events;
    if (!first.touching) {
      first.enabled = false;
      motion = before;
      terrain_alpha_ = terrain_before;
      return false;
    }
    const int part = first.part;
    EventSolver solver(body_.parts[part], motion);
    solver.add(first);
    for (size_t i = contacts_.list.size(); i-- > 0;) {
      Contact& contact = contacts_.list[i];
      if (contact.part != part || &contact == &first) continue;
      if (solver.full()) break;
      contacts_.update(contact, world_, body_, pose);
      if (contact.touching) solver.add(contact);
    }
    solver.solve((1.0f - time) * kTimeStep);
    follow(part);
    return true;
  }

  /// Let boxes and contacts follow a part that was moved.
  void follow(int part) {
    const Sweep& sweep = motions_[part].sweep;
    const Shape& shape = body_.parts[part].shape;
    const Pose from = initial_pose(sweep), to = final_pose(sweep);
    for (Contact& contact : contacts_.list) {
      if (contact.part == part) contact.timed = false;
    }
    swept_[part] = united(compute_box(shape, from), compute_box(shape, to));
    if (!contacts_.move(part, swept_[part], to.p - from.p)) return;
    bool moved[n_parts] = {};
    moved[part] = true;
    contacts_.find(world_, moved);
  }

  const World& world_;
  const Body& body_;
  Contacts<n_parts>& contacts_;
  Motion (&motions_)[n_parts];
  std::array<Box, n_parts>& swept_;
  float terrain_alpha_ = 0.0f;
};

}  // namespace teachenv
