#pragma once
/// The time step, and the constants of Box2D 2.3.0 (b2Settings.h); metres, seconds and radians.

#include "vec.hpp"

namespace teachenv {

constexpr float kTimeStep = 1.0f / 50.0f;
constexpr int kVelocityIterations = 180, kPositionIterations = 60;
constexpr float kMaxTranslation = 2.0f, kMaxRotation = 0.5f * kPi;  ///< of a part in a step

constexpr float kSlop = 0.005f;        ///< overlap or gap that counts as none
constexpr float kSkin = 2.0f * kSlop;  ///< every shape reaches this far beyond its outline
constexpr float kAngularSlop = 2.0f / 180.0f * kPi;
constexpr float kFat = 0.1f;  ///< by which boxes are extended, so that they change rarely
/// Most that one iteration corrects.
constexpr float kMaxCorrection = 0.2f, kMaxAngularCorrection = 8.0f / 180.0f * kPi;

}  // namespace teachenv
