#pragma once
/// Geometry of the engine: shapes, contact manifolds, times of impact and ray casts.

#include "impact.hpp"
#include "manifold.hpp"
#include "shape.hpp"
#include "vec.hpp"
