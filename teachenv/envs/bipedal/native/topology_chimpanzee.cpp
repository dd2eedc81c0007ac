#include "topology.hpp"
#include "walker_engine.hpp"

namespace teachenv {

template std::unique_ptr<Engine> make_walker_engine<Chimpanzee>(const BodySpec&, Track, int, int);

}  // namespace teachenv
