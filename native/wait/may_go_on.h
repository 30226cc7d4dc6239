// What a blocking wait asks after each sleep, before it looks again: a look may take what nobody wants any more.
#pragma once

namespace holdfast {

struct MayGoOn {
  bool (*ask)(void* context) = nullptr;  // on the waiting thread, outside of every guard
  void* context = nullptr;

  bool operator()() const { return ask == nullptr || ask(context); }
};

}  // namespace holdfast
