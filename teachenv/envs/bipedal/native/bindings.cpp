#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_terrain(nb::module_& m);
void bind_geometry(nb::module_& m);
void bind_engine(nb::module_& m);

namespace {

/// The builds that this processor can run, slowest first.
nb::tuple runnable_isas() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2")) {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
      return nb::make_tuple("baseline", "avx2", "avx512");
    }
    return nb::make_tuple("baseline", "avx2");
  }
#endif
  return nb::make_tuple("baseline");
}

}  // namespace

#define TEACHENV_NB_MODULE(name, variable) NB_MODULE(name, variable)  // expands the name

TEACHENV_NB_MODULE(TEACHENV_MODULE, m) {
  m.attr("ISAS") = runnable_isas();
  bind_terrain(m);
  bind_geometry(m);
  bind_engine(m);
}
