#pragma once
/// The state of a walker as bytes: what get_state returns and set_state takes.

#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "contacts.hpp"
#include "terrain.hpp"

namespace teachenv {

constexpr uint32_t kStateVersion = 1;

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

[[noreturn]] inline void malformed(const char* what) {
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

}  // namespace teachenv
