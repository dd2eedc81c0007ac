#pragma once
/// What one walker observes, and its reward.

#include <algorithm>

#include "lidar.hpp"
#include "walker_state.hpp"

namespace teachenv {

/// Where one walker's outputs go.
struct Outputs {
  float* observation;
  double* reward;
  bool* terminated;
  double* position;
};

template <class Topology>
int observation_size(const Body& body) {
  int size = 4 + 2 * body.n_actions + kRays;
  for (int j = 0; j < Topology::n_joints; ++j) {
    const bool seen = body.joints[j].action >= 0 && body.parts[Topology::child[j]].senses_contact;
    size += seen ? 1 : 0;
  }
  return size;
}

template <class Topology>
double shaping(const Body& body, const WalkerState<Topology>& walker) {
  const double x = walker.pose(body, body.head).p.x, angle = walker.parts[body.head].angle;
  return 130.0 * x / kScale - body.tilt_penalty * (angle < 0.0 ? -angle : angle);
}

template <class Topology>
void observe(const Body& body, const WalkerState<Topology>& walker, Vec2 head, float* out) {
  constexpr double kFps = 50.0, kWidth = 600.0 / kScale, kHeight = 400.0 / kScale;
  const auto& first = walker.parts[body.head];
  *out++ = first.angle;
  *out++ = static_cast<float>(2.0 * first.spin / kFps);
  *out++ = static_cast<float>(0.3 * first.velocity.x * kWidth / kFps);
  *out++ = static_cast<float>(0.3 * first.velocity.y * kHeight / kFps);
  for (int j = 0; j < Topology::n_joints; ++j) {
    const Joint& joint = body.joints[j];
    if (joint.action < 0) continue;
    const int b = Topology::child[j];
    const auto &parent = walker.parts[Topology::parent[j]], &child = walker.parts[b];
    const float angle = child.angle - parent.angle - joint.reference;
    const float speed = child.spin - parent.spin;
    *out++ = static_cast<float>(angle + joint.observed_offset);
    *out++ = static_cast<float>(speed / joint.observed_speed);
    if (!body.parts[b].senses_contact) continue;
    *out++ = walker.contacts.touched[b] && !body.parts[b].dead_flag ? 1.0f : 0.0f;
  }
  Lidar().scan(*walker.world, head, out);
}

/// Write observation, reward, end and position after a step.
/// @param actions What was done; null in the step without torque, which is not rewarded.
template <class Topology>
void sense(const Body& body, WalkerState<Topology>& walker, const float* actions,
           const Outputs& out) {
  const Vec2 head = walker.pose(body, body.head).p;
  const double now = shaping(body, walker), before = walker.shaping;
  walker.shaping = now;
  observe(body, walker, head, out.observation);
  *out.position = head.x;
  *out.terminated = false;
  *out.reward = 0.0;
  if (actions == nullptr) return;
  double effort = 0.0;
  for (int i = 0; i < body.n_actions; ++i) {
    const double size = actions[i] < 0.0f ? -actions[i] : actions[i];
    effort += std::min(size, 1.0);
  }
  const bool failed = walker.contacts.fallen || head.x < 0.0f;
  *out.reward = failed ? -100.0 : now - before - body.torque_penalty * effort;
  *out.terminated = failed || head.x > kFinishX;
}

}  // namespace teachenv
