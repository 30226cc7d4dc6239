// Objects in which this process has told somebody to come: its keeper looks whether they came (wait/lapse.h), since
// those who were told may not run. One a process, in its own memory; any thread notes, the keeper takes.
//
//   note():  place the object; then, if the keeper does not look just now, make it (the caller rings it)
//   keeper:  take an object out, then look at it; before it sleeps for long: say so, then take once more
//
// Both sides first write and then read what the other writes, all of it seq_cst: one of them sees the other.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "region/layout.h"

namespace holdfast {

class ToldWatch {
 public:
  // True: the keeper sleeps for long, and has to be rung. Only one caller is told so.
  [[nodiscard]] bool note(ObjectIndex object) {
    place(object);
    return !looking_.load(std::memory_order_seq_cst) &&
           !looking_.exchange(true, std::memory_order_seq_cst);
  }
  void place(ObjectIndex object) {
    const uint32_t value = object + 1;
    for (size_t probe = 0; probe < kProbes; ++probe) {
      auto& slot = slots_[(object + probe) % kSlots];
      uint32_t seen = slot.load(std::memory_order_relaxed);  // the swap decides
      while (seen == 0 || seen == value) {
        // SYNC POINT: told-watch. A swap also where it is noted already: so the keeper, which takes it out after
        // this, sees what was told before.
        if (slot.compare_exchange_weak(seen, value, std::memory_order_seq_cst)) return;
      }
    }
    crowded_.store(true, std::memory_order_seq_cst);
  }

  // On the keeper's thread. Calls `look(object)` for each that was noted, and forgets it before. True: there were more
  // than there is room for, so that any object may be one.
  template <typename Look>
  bool take(Look look) {
    for (auto& slot : slots_) {
      if (slot.load(std::memory_order_seq_cst) == 0) continue;
      const uint32_t value = slot.exchange(0, std::memory_order_seq_cst);  // SYNC POINT: told-watch
      if (value != 0) look(value - 1);
    }
    return crowded_.exchange(false, std::memory_order_seq_cst);
  }
  // The keeper will not look again by itself. False: somebody has noted something meanwhile.
  [[nodiscard]] bool rest() {
    looking_.store(false, std::memory_order_seq_cst);
    bool any = crowded_.load(std::memory_order_seq_cst);
    for (const auto& slot : slots_) any = any || slot.load(std::memory_order_seq_cst) != 0;
    if (any) looking_.store(true, std::memory_order_seq_cst);
    return !any;
  }
  [[nodiscard]] bool looking() const { return looking_.load(std::memory_order_seq_cst); }

 private:
  static constexpr size_t kSlots = 64;
  static constexpr size_t kProbes = 4;

  std::array<std::atomic<uint32_t>, kSlots> slots_{};  // object + 1; 0 none
  std::atomic<bool> crowded_{false};
  std::atomic<bool> looking_{false};
};

}  // namespace holdfast
