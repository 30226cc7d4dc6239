// Named points at which a test kills or stops this process: the places between two stores of a state
// change, where a real SIGKILL would hurt most. The names are those of the steps in ARCHITECTURE.md and
// model/lock.pml. A release build has none of them.
//
// With HOLDFAST_NAPS=N in the environment a thread also sleeps at one pass in N, as where the machine has other things to
// do: `HOLDFAST_NAPS=256 npm run test:native`. The addon gets the points by CXXFLAGS=-DHOLDFAST_FAULT_POINTS=1.
#pragma once

#if HOLDFAST_FAULT_POINTS

#include <cstdlib>

namespace holdfast {

enum class FaultAction { Kill, Stop };
// What else happens meanwhile: called on the thread that passes the point.
using FaultHook = void (*)(void* context);

// Arms one point for this process: the `nth` pass (1 = the first) acts. nullptr disarms.
void arm_fault(const char* point, FaultAction action, int nth = 1);
void arm_fault(const char* point, FaultHook hook, void* context);
void fault_point(const char* point);

}  // namespace holdfast

#define HOLDFAST_POINT(name) ::holdfast::fault_point(name)
// What no caller may leave out. In tests alone: a release build does not stop its host.
#define HOLDFAST_CHECK(condition) ((condition) ? static_cast<void>(0) : ::std::abort())
#else
#define HOLDFAST_POINT(name) static_cast<void>(0)
#define HOLDFAST_CHECK(condition) static_cast<void>(condition)
#endif
