#pragma once
/// Threads that wait for work and share it.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace teachenv {

/// Runs one function on several threads at a time, the caller's included. Which thread does what is
/// fixed, so nothing depends on timing.
class Workers {
 public:
  explicit Workers(int n_threads) : Workers() {  // so that what was started ends if one fails to
    for (int k = 1; k < n_threads; ++k) threads_.emplace_back([this, k] { serve(k); });
  }

  ~Workers() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int size() const { return static_cast<int>(threads_.size()) + 1; }

  /// Call task(0) ... task(size() - 1) and wait for all. Tasks must not throw.
  void run(const std::function<void(int)>& task) noexcept {
    if (!threads_.empty()) {
      const std::lock_guard lock(mutex_);
      task_ = &task;
      pending_ = static_cast<int>(threads_.size());
      ++call_;
    }
    wake_.notify_all();
    task(0);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return pending_ == 0; });
  }

 private:
  Workers() = default;

  void serve(int k) {
    long served = 0;
    for (;;) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || call_ != served; });
      if (stopping_) return;
      served = call_;
      lock.unlock();
      (*task_)(k);
      lock.lock();
      if (--pending_ == 0) done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(int)>* task_ = nullptr;
  long call_ = 0;
  int pending_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace teachenv
