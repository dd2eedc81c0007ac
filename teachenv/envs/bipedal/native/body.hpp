#pragma once
/// The numbers of a body: sizes, masses, limits. What links to what is its topology.

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "shape.hpp"
#include "terrain.hpp"

namespace teachenv {

constexpr float kTerrainFriction = 2.5f;

/// As in teachenv/envs/bipedal/bodies.py.
struct PartSpec {
  double density, friction;
  std::vector<std::array<double, 2>> outline;  ///< a polygon, or
  std::array<double, 2> half_size;             ///< if the outline is empty, a rectangle
  std::array<double, 2> spawn;
  double angle;
  bool fatal, senses_contact, dead_flag;
};

struct JointSpec {
  int parent, child;
  std::array<double, 2> parent_anchor, child_anchor;
  double lower, upper, speed, observed_offset;  ///< without a motor if the speed is 0
};

struct BodySpec {
  std::vector<PartSpec> parts;
  std::vector<JointSpec> joints;
  double torque, torque_penalty, spawn_height;
  int head;
  std::vector<int> pushed;
  double tilt_penalty;
};

struct Part {
  Shape shape;
  float friction;  ///< with the terrain
  Vec2 center;     ///< of mass
  float radius;    ///< around the centre of mass
  float inverse_mass, inverse_inertia;
  Vec2 spawn;
  float spawn_angle;
  bool fatal, senses_contact, dead_flag;
};

struct Joint {
  Vec2 parent_arm, child_arm;  ///< from the parts' centres of mass to the joint
  float reference;             ///< angle of the child relative to the parent at the start
  float lower, upper, speed;
  float motor_mass;
  double observed_speed, observed_offset;
  int action;  ///< which of the actions commands the motor; -1 for a joint without
};

struct Body {
  std::vector<Part> parts;
  std::vector<Joint> joints;
  double torque, torque_penalty, tilt_penalty;
  int head;                 ///< the part that is observed and rewarded
  std::vector<int> pushed;  ///< parts on which the first step's push acts
  int n_actions;
};

inline Vec2 to_float(const std::array<double, 2>& p) {
  return {static_cast<float>(p[0]), static_cast<float>(p[1])};
}

inline Part make_part(const PartSpec& spec, double spawn_height) {
  Part part{};
  if (spec.outline.empty()) {
    const Vec2 half = to_float(spec.half_size);
    part.shape = make_box(half.x, half.y);
  } else {
    std::vector<Vec2> points;
    for (const auto& p : spec.outline) points.push_back(to_float(p));
    part.shape = make_polygon(points.data(), static_cast<int>(points.size()));
  }
  const MassData mass = compute_mass(part.shape, static_cast<float>(spec.density));
  part.friction = std::sqrt(kTerrainFriction * static_cast<float>(spec.friction));
  part.center = mass.center;
  for (int i = 0; i < part.shape.count; ++i) {
    part.radius = std::max(part.radius, length(part.shape.v[i] - part.center));
  }
  part.inverse_mass = 1.0f / mass.mass;
  part.inverse_inertia = 1.0f / (mass.inertia - mass.mass * dot(mass.center, mass.center));
  part.spawn = {static_cast<float>(kSpawnX + spec.spawn[0]),
                static_cast<float>(kGroundY + spawn_height + spec.spawn[1])};
  part.spawn_angle = static_cast<float>(spec.angle);
  part.fatal = spec.fatal;
  part.senses_contact = spec.senses_contact;
  part.dead_flag = spec.dead_flag;
  return part;
}

inline Body make_body(const BodySpec& spec) {
  Body body{{}, {}, spec.torque, spec.torque_penalty, spec.tilt_penalty, spec.head, spec.pushed, 0};
  for (const PartSpec& part : spec.parts) body.parts.push_back(make_part(part, spec.spawn_height));
  for (const JointSpec& joint : spec.joints) {
    const Part &parent = body.parts[joint.parent], &child = body.parts[joint.child];
    body.joints.push_back({to_float(joint.parent_anchor) - parent.center,
                           to_float(joint.child_anchor) - child.center,
                           child.spawn_angle - parent.spawn_angle, static_cast<float>(joint.lower),
                           static_cast<float>(joint.upper), static_cast<float>(joint.speed),
                           1.0f / (parent.inverse_inertia + child.inverse_inertia), joint.speed,
                           joint.observed_offset, joint.speed > 0.0 ? body.n_actions++ : -1});
  }
  return body;
}

}  // namespace teachenv
