#pragma once
/// Stepping many walkers together: those whose parts touch the terrain in the same way share the
/// lanes of a solver, and those whose positions take long to correct are gathered once more.

#include <algorithm>
#include <array>
#include <span>

#include "walker.hpp"

namespace teachenv {

/// Lanes whose positions were not corrected by the first iterations, side by side.
template <class Topology>
class Stragglers {
 public:
  /// Iterations after which most walkers are done.
  static constexpr int kFirstIterations = 2;

  void add(const Body& body, Solver<Topology>& solver, Mask& open, int k) {
    positions_.take(n_, solver.positions, k);
    from_[n_++] = {&solver, &open, k};
    if (n_ == kLanes) correct(body);
  }

  /// Correct those that were added; their positions and masks are updated.
  void correct(const Body& body) {
    if (n_ == 0) return;
    Mask used{};
    for (int k = 0; k < n_; ++k) lane(used, k) = -1;
    const Mask open = positions_.correct(body, used, kPositionIterations - kFirstIterations);
    for (int k = 0; k < n_; ++k) {
      positions_.give(k, from_[k].solver->positions, from_[k].k);
      lane(*from_[k].open, from_[k].k) = lane(open, k);
    }
    n_ = 0;
    positions_.clear();
  }

 private:
  struct From {
    Solver<Topology>* solver;
    Mask* open;
    int k;
  };

  Positions<Topology> positions_{};
  std::array<From, kLanes> from_;
  int n_ = 0;
};

/// The working memory of one thread. What it computes does not depend on who is stepped with whom.
template <class Topology>
class Group {
 public:
  /// Walkers stepped together: few enough for the cache, enough to find alike ones.
  static constexpr int kSize = 256;

  /// Step up to kSize walkers that have begun.
  void step(const Body& body, std::span<Walker<Topology>*> walkers) {
    const int n = static_cast<int>(walkers.size()), n_solvers = (n + kLanes - 1) / kLanes;
    std::array<uint64_t, kSize> order;
    for (int i = 0; i < n; ++i) order[i] = walkers[i]->pattern() * kSize + static_cast<uint64_t>(i);
    std::sort(order.begin(), order.begin() + n);
    const auto walker = [&](int i) { return walkers[order[i] % kSize]; };
    for (int b = 0; b < n_solvers; ++b) {
      solvers_[b].clear();
      for (int i = b * kLanes; i < std::min(n, (b + 1) * kLanes); ++i) {
        walker(i)->load(body, solvers_[b], i % kLanes);
      }
      solvers_[b].prepare(body);
    }
    for (int b = 0; b + 1 < n_solvers; b += 2) {
      Solver<Topology>::iterate(body, solvers_[b], solvers_[b + 1]);
    }
    if (n_solvers % 2 == 1) Solver<Topology>::iterate(body, solvers_[n_solvers - 1]);
    for (int b = 0; b < n_solvers; ++b) move(body, b, std::min(kLanes, n - b * kLanes));
    stragglers_.correct(body);
    for (int b = 0; b < n_solvers; ++b) {
      solvers_[b].turn();
      for (int i = b * kLanes; i < std::min(n, (b + 1) * kLanes); ++i) {
        walker(i)->store(solvers_[b], i % kLanes, lane(open_[b], i % kLanes) == 0);
      }
    }
  }

 private:
  /// Motion, and the first iterations of the position correction, of a solver's first n lanes.
  void move(const Body& body, int b, int n) {
    Mask used{};
    for (int k = 0; k < n; ++k) lane(used, k) = -1;
    solvers_[b].integrate();
    open_[b] = solvers_[b].positions.correct(body, used, Stragglers<Topology>::kFirstIterations);
    for (int k = 0; k < n; ++k) {
      if (lane(open_[b], k)) stragglers_.add(body, solvers_[b], open_[b], k);
    }
  }

  static constexpr int kSolvers = (kSize + kLanes - 1) / kLanes;

  std::array<Solver<Topology>, kSolvers> solvers_{};
  std::array<Mask, kSolvers> open_;
  Stragglers<Topology> stragglers_;
};

}  // namespace teachenv
