// What a process has once, for all its JavaScript threads: its keeper, and through it the region. Made at the
// first join, never destroyed: the keeper thread uses it until the process ends. For the same reason the addon
// is linked with -z nodelete.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <string>

#include "region/registry.h"
#include "status.h"
#include "wait/keeper.h"

namespace holdfast::binding {

class Runtime {
 public:
  static Runtime& get();

  // Joins the process (first call) and a thread of it. Configured: it is in another namespace, named in
  // `detail`. Blocks until the process is in.
  Status join(const std::string& name_space, mode_t mode, uint32_t thread, AgentSlot* agent,
              std::string* detail);

  // Ok while the region can be used by this process.
  Status usable();
  // Only after a join.
  [[nodiscard]] Keeper& keeper() { return *keeper_; }
  [[nodiscard]] Region& region() { return keeper_->region(); }

  // InUse where this process has more agents in it than `own`.
  Status unlink_namespace(const std::string& name_space, mode_t mode, uint32_t own,
                          std::string* detail);

 private:
  Runtime();

  std::mutex mutex_;          // joining and leaving
  Keeper* keeper_ = nullptr;  // mutex_; read-only once a join has returned
  bool gone_ = false;         // mutex_
};

}  // namespace holdfast::binding
