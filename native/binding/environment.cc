#include "binding/environment.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "region/data_file.h"
#include "sync/lock.h"
#include "sync/lock_word.h"
#include "sync/rwlock.h"
#include "wait/queue.h"
#include "wait/reaper.h"
#include "wait/stay.h"

namespace holdfast::binding {
namespace {

// Some agent that holds of an object which is no lock; 0 if none is seen. For a message: looks without the guard.
AgentSlot any_holder(Region& region, ObjectIndex object) {
  const uint32_t count = Region::count(region.header().tickets);
  for (TicketIndex i = 0; i < count; ++i) {
    const TicketRecord* ticket = region.ticket(i);
    if (ticket == nullptr || ticket->object.load(std::memory_order_relaxed) != object) continue;
    const AgentSlot agent = ticket->agent.load(std::memory_order_acquire);
    if (agent != 0 && (ticket->held != 0 || state_of(*ticket) == TicketState::Granted)) {
      return agent;
    }
  }
  return 0;
}

// What an agent of this thread holds by this handle: of a lock 1, else as its ticket has it. Without the guard: only
// this thread takes it and gives it back.
uint32_t held_by(const Handle& open) {
  if (!is_lock(open.kind)) return open.seat.ticket->held;
  // relaxed: another's agent may stand there meanwhile, but none of this thread comes or goes.
  const uint32_t word = open.seat.object->word.load(std::memory_order_relaxed);
  return lock_word::owner(word) == open.seat.agent ? 1 : 0;
}

// The realms of this thread that are agents.
thread_local Environment* realms_of_thread = nullptr;

}  // namespace

Environment::Environment(napi_env env) : env_(env), loop_(&Environment::deliver, this) {}

Environment::~Environment() {
  if (notifier_ != nullptr) {
    static_cast<void>(napi_remove_env_cleanup_hook(env_, &Environment::leave, this));
    end();
    drop_notifier();
  }
  if (on_ready_ != nullptr) static_cast<void>(napi_delete_reference(env_, on_ready_));
  if (entrance_ != nullptr) static_cast<void>(napi_delete_reference(env_, entrance_));
}

Status Environment::join(const std::string& name_space, mode_t mode, uint32_t thread,
                         napi_value on_ready) {
  if (agent_ != 0) return Status::Exists;
  if (const Status status = make_notifier(on_ready); status != Status::Ok) return status;
  AgentSlot agent = 0;
  Status status = Runtime::get().join(name_space, mode, thread, &agent, &detail);
  if (status == Status::Ok) {
    agent_ = agent;
    next_ = std::exchange(realms_of_thread, this);
    Runtime::get().keeper().add_loop(loop_);
    // After the notifier was made: hooks run last in, first out, so the keeper forgets this loop before the
    // notifier goes.
    if (napi_add_env_cleanup_hook(env_, &Environment::leave, this) == napi_ok) return Status::Ok;
    end();
    status = Status::Ended;
  }
  drop_notifier();
  return status;
}

// It knows nothing of JavaScript: a reference to `on_ready` in it would keep the realm for ever.
Status Environment::make_notifier(napi_value on_ready) {
  napi_value name;
  if (on_ready_ != nullptr) static_cast<void>(napi_delete_reference(env_, on_ready_));
  on_ready_ = nullptr;
  if (napi_create_reference(env_, on_ready, 0, &on_ready_) != napi_ok ||
      napi_create_string_utf8(env_, "holdfast", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env_, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this,
                                      &Environment::take_up, &notifier_) != napi_ok) {
    return Status::Ended;
  }
  // An idle object does not keep the loop alive; pending waits do (keep_alive).
  static_cast<void>(napi_unref_threadsafe_function(env_, notifier_));
  return Status::Ok;
}

// What is still on its way to the loop arrives without an environment.
void Environment::drop_notifier() {
  static_cast<void>(
      napi_release_threadsafe_function(std::exchange(notifier_, nullptr), napi_tsfn_abort));
}

Status Environment::make_entrance() {
  napi_value source;
  napi_value nothing;
  const bool ok =
      napi_create_string_utf8(env_, "(() => {})", NAPI_AUTO_LENGTH, &source) == napi_ok &&
      napi_run_script(env_, source, &nothing) == napi_ok &&
      napi_create_reference(env_, nothing, 1, &entrance_) == napi_ok;
  return ok ? Status::Ok : Status::System;
}

bool Environment::may_go_on() {
  napi_handle_scope scope;
  is_stopped_ = true;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return false;
  napi_value nothing;
  napi_value receiver;
  napi_value result;
  // An exception is left pending: it is JavaScript's, which learns of it when the wait returns.
  is_stopped_ = napi_get_reference_value(env_, entrance_, &nothing) != napi_ok ||
                napi_get_undefined(env_, &receiver) != napi_ok ||
                napi_call_function(env_, receiver, nothing, 0, nullptr, &result) != napi_ok;
  static_cast<void>(napi_close_handle_scope(env_, scope));
  return !is_stopped_;
}

// Not here and now: what a look took nobody would know of.
void Environment::tear_off(Handle& handle, OrElse what) {
  handle.if_torn = what;
  handle.wanted.mode = WaitMode::Async;
  watch(handle);
  Runtime::get().keeper().send(handle.wait);
}

// The thread ends, orderly or by terminate(): whatever it still holds is abandoned.
void Environment::leave(void* environment) {
  auto& self = *static_cast<Environment*>(environment);
  self.end();
  self.notifier_ = nullptr;  // its own hook comes next
}

void Environment::end() {
  const AgentSlot agent = std::exchange(agent_, 0);
  if (agent == 0) return;
  Environment** link = &realms_of_thread;
  while (*link != this) link = &(*link)->next_;
  *link = std::exchange(next_, nullptr);
  // In a forked child nothing is its own: the agent is the parent's, and so may be the keeper's lock, for ever.
  if (Runtime::get().usable() != Status::Ok) return;
  Runtime::get().keeper().remove_loop(loop_);
  // Where there is nothing to give back any more, nor anybody to give it to.
  if (check_region() != Status::Ok) return;
  if (!reap_agent(region(), agent)) Runtime::get().keeper().reap_later(agent);
}

// Gives back what a look has taken and nobody will hear of: no abandonment, as no JavaScript has run under it.
void Environment::give_back(Handle& open, Outcome outcome) {
  const bool untold = outcome == Outcome::TakenAbandoned;
  if (outcome != Outcome::Taken && !untold) return;
  if (is_lock(open.kind)) {
    static_cast<void>(
        lock::release(region(), open.seat, untold ? lock::Release::Untold : lock::Release::Plain));
    return;
  }
  if (open.kind != Kind::RWLock) return;  // the others mark nothing: the reaper gives back
  Action action = untold ? Action::ReleaseUntold : Action::Release;
  if (open.wanted.role == rwlock::kRead) action = Action::Release;
  if (open.wanted.role == rwlock::kUpgrade) {
    action = untold ? Action::DowngradeUntold : Action::Downgrade;
  }
  static_cast<void>(act(region(), open.home->seat, nullptr, action, open.wanted.role));
}

Handle* Environment::handle(uint32_t index) {
  if (agent_ == 0 || index >= handles_.size()) return nullptr;
  return handles_[index].get();
}

// Who has lost its name goes on with what it has.
Status Environment::check_region() {
  const Status status = region().check_file(&detail);
  return status == Status::Gone ? Status::Ok : status;
}

Status Environment::open(const std::string& name, Kind kind, Registry::OpenOptions options,
                         uint32_t* handle) {
  if (agent_ == 0) return Status::BadHandle;
  Seat seat;
  // Whoever removed the file's name has split the namespace: a lock opened here would exclude nobody there.
  if (const Status status = region().check_file(&detail); status != Status::Ok) return status;
  // What only the dead had open is no more.
  if (!options.create) settle_deaths(region());
  if (const Status status = Registry(region()).open(agent_, name, kind, options, &seat, &detail);
      status != Status::Ok) {
    return status;
  }
  const auto known = handle_of_.find(seat.object_index);
  if (known != handle_of_.end()) {
    *handle = known->second;
    ++handles_[*handle]->opens;
    static_cast<void>(give_up(seat));
    return Status::Ok;
  }
  *handle = add_handle(seat, kind);
  handle_of_.emplace(seat.object_index, *handle);
  return Status::Ok;
}

Status Environment::open_memory(const std::string& name, Kind kind, MemoryOptions options,
                                uint32_t* index) {
  std::memcpy(&options.common.value, options.initial.data(),
              std::min(options.initial.size(), sizeof options.common.value));
  if (kind == Kind::SharedValue) return open(name, kind, options.common, index);
  constexpr int kAttempts = 100;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    UnnamedFile data;
    options.common.data = nullptr;
    if (agent_ != 0 && options.common.create && !Registry(region()).knows(name)) {
      // Outside of the guard, as it may take a while. The name may be known by then, or be free again.
      if (const Status status = make_memory(data, options); status != Status::Ok) return status;
      options.common.data = &data;
    }
    Status status = open(name, kind, options.common, index);
    if (status == Status::NotFound && options.common.create) continue;  // gone since we looked
    if (status != Status::Ok) return status;
    status = map_memory(*handle(*index));
    if (status == Status::Ok) return status;
    static_cast<void>(close(*index));
    if (status != Status::NotFound || !options.common.create) return status;
  }
  detail = "again and again, while it was opened";
  return Status::Unlinked;
}

Status Environment::make_memory(UnnamedFile& data, const MemoryOptions& options) {
  const uint64_t bytes = data_bytes(options.common.parameters);
  if (const Status status = data.make(region().mode(), bytes); status != Status::Ok) return status;
  if (!data.is_admitted(region().owner(), region().mode())) {
    detail = "this process has other ids than when it joined";
    return Status::Access;
  }
  if (options.initial.empty()) return Status::Ok;
  if (options.initial.size() > bytes) return Status::BadArgument;
  std::shared_ptr<Mapping> memory;
  if (const Status status = data.map(&memory); status != Status::Ok) return status;
  std::memcpy(memory->base(), options.initial.data(), options.initial.size());
  return Status::Ok;
}

// Corrupt: somebody cut it.
Status Environment::check_length(const std::string& file, uint64_t wanted) {
  struct stat found{};
  if (::lstat((kShmFolder + file).c_str(), &found) != 0) return Status::Ok;  // unlinked
  if (static_cast<uint64_t>(found.st_size) >= wanted) return Status::Ok;
  detail = "its file was cut to " + std::to_string(found.st_size) + " bytes";
  return Status::Corrupt;
}

// NotFound: the object is over, whether or not it was before. What only this process cannot open is its own error.
Status Environment::map_memory(Handle& open) {
  const Parameters& parameters = open.seat.parameters;
  if (element_bytes(parameters.first) == 0) return Status::Corrupt;
  const uint32_t generation = open.seat.generation;
  const std::string file = data_file_name(region(), open.seat.object_index, generation);
  if (open.memory != nullptr) return check_length(file, open.memory->bytes());
  const auto admits = [this](const struct stat& found) {
    return region().owner().admits(found, region().mode());
  };
  const Status status = Mapping::open(file, {data_bytes(parameters), admits}, &open.memory);
  if (status == Status::Ok) return status;
  detail = kShmFolder + file;
  if (status == Status::Corrupt) {
    static_cast<void>(check_length(file, data_bytes(parameters)));
  }
  if (status != Status::NotFound) return status;
  if (!data_file_is_gone(region(), open.seat.object_index, generation)) {
    if (!region().has_its_name()) return Status::Gone;
    return failed(Status::System, "open", ENOENT, detail);
  }
  // Unlinked just now; or its file was removed by hand, and then its users must not go on without us.
  static_cast<void>(unlink_object(region(), open.seat));
  static_cast<void>(Registry(region()).unlink(open.seat.object_index));
  return status;
}

Status Environment::open_waiter(uint32_t home, uint32_t* index) {
  Handle* object = handle(home);
  if (object == nullptr || object->home != nullptr) return Status::BadHandle;
  if (const Status status = check_region(); status != Status::Ok) return status;
  Seat seat;
  if (const Status status = Registry(region()).open_another(object->seat, &seat);
      status != Status::Ok) {
    return status;
  }
  *index = add_handle(seat, object->kind);
  handles_[*index]->home = object;
  ++object->waiters;
  return Status::Ok;
}

uint32_t Environment::add_handle(const Seat& seat, Kind kind) {
  if (vacant_.empty()) {
    vacant_.push_back(static_cast<uint32_t>(handles_.size()));
    handles_.emplace_back();
  }
  const uint32_t index = vacant_.back();
  vacant_.pop_back();
  auto made = std::make_unique<Handle>();
  made->seat = seat;
  made->wait.seat = &made->seat;
  made->wait.handle = index;
  made->kind = kind;
  made->opens = 1;
  handles_[index] = std::move(made);
  return index;
}

Status Environment::close(uint32_t index) {
  Handle* open = handle(index);
  if (open == nullptr) return Status::BadHandle;
  if (open->opens > 1) {
    --open->opens;
    return Status::Ok;
  }
  if (check_region() == Status::Ok) {
    if (const Status status = let_go(*open); status != Status::Ok) return status;
    if (const Status status = give_up(open->seat); status != Status::Ok) return status;
  } else {
    unwatch(*open);
  }
  if (open->home != nullptr) {
    --open->home->waiters;
  } else {
    handle_of_.erase(open->seat.object_index);
  }
  handles_[index].reset();
  vacant_.push_back(index);
  return Status::Ok;
}

// Whether the seat may be given up: it holds nothing. A lock's wait ends with it.
Status Environment::let_go(Handle& open) {
  Seat& seat = open.seat;
  if (!is_lock(open.kind)) {
    const bool idle = state_of(*seat.ticket) == TicketState::None && seat.ticket->held == 0;
    return idle && open.waiters == 0 ? Status::Ok : Status::InUse;
  }
  if (!open.wait.listed) {
    const AgentSlot owner = lock_word::owner(seat.object->word.load(std::memory_order_acquire));
    return owner == agent_ ? Status::InUse : Status::Ok;
  }
  unwatch(open);
  const Outcome outcome = lock::last_look(region(), seat);
  if (outcome == Outcome::Taken || outcome == Outcome::TakenAbandoned) {
    const bool abandoned = outcome == Outcome::TakenAbandoned;
    static_cast<void>(
        lock::release(region(), seat, abandoned ? lock::Release::Untold : lock::Release::Plain));
  }
  return Status::Ok;
}

Status Environment::unlink(uint32_t index) {
  Handle* open = handle(index);
  if (open == nullptr) return Status::BadHandle;
  if (const Status status = check_region(); status != Status::Ok) return status;
  AgentSlot holder = 0;
  const Status status = is_lock(open->kind) ? lock::unlink(region(), open->seat, &holder)
                                            : unlink_object(region(), open->seat);
  if (status == Status::InUse) {
    if (holder == 0) holder = any_holder(region(), open->seat.object_index);
    const ProcessRecord* process = region().process_of(holder);
    detail = process != nullptr ? std::to_string(process->pid.load(std::memory_order_relaxed))
                                : std::string("unknown");
    return status;
  }
  if (status != Status::Ok) return status;
  return Registry(region()).unlink(open->seat.object_index);
}

Status Environment::give_up(Seat& seat) {
  if (const Status status = retire_seat(region(), seat); status != Status::Ok) return status;
  return Registry(region()).close(agent_, seat.ticket_index);
}

Status Environment::keep_alive(bool on) {
  if (notifier_ == nullptr || agent_ == 0) return Status::BadHandle;
  if (on == is_kept_alive_) return Status::Ok;
  const napi_status done = on ? napi_ref_threadsafe_function(env_, notifier_)
                              : napi_unref_threadsafe_function(env_, notifier_);
  const napi_status kept = on ? napi_reference_ref(env_, on_ready_, nullptr)
                              : napi_reference_unref(env_, on_ready_, nullptr);
  if (done != napi_ok || kept != napi_ok) return Status::Ended;
  is_kept_alive_ = on;
  return Status::Ok;
}

uint32_t Environment::held_by_other_realms(const Handle& handle) const {
  uint32_t held = 0;
  for (const Environment* other = realms_of_thread; other != nullptr; other = other->next_) {
    const auto known = other->handle_of_.find(handle.seat.object_index);
    if (other == this || known == other->handle_of_.end()) continue;
    held += held_by(*other->handles_[known->second]);
  }
  return held;
}

bool Environment::is_idle() const {
  return std::all_of(handles_.begin(), handles_.end(), [](const auto& open) {
    return open == nullptr || (!open->wait.listed && held_by(*open) == 0);
  });
}

uint32_t Environment::realms(bool* idle) const {
  uint32_t count = 0;
  *idle = true;
  for (const Environment* one = realms_of_thread; one != nullptr; one = one->next_) {
    ++count;
    if (one != this && !one->is_idle()) *idle = false;
  }
  return count;
}

bool Environment::deliver(void* environment) {
  return napi_call_threadsafe_function(static_cast<Environment*>(environment)->notifier_, nullptr,
                                       napi_tsfn_nonblocking) == napi_ok;
}

void Environment::take_up(napi_env env, napi_value, void* environment, void*) {
  // The environment is going down, or the realm is gone, and `environment` with it.
  if (env == nullptr || Runtime::get().usable() != Status::Ok) return;
  auto& self = *static_cast<Environment*>(environment);
  napi_value on_ready = nullptr;
  // What a look took nobody would hear of.
  if (self.agent_ == 0 || !self.may_go_on() ||
      napi_get_reference_value(env, self.on_ready_, &on_ready) != napi_ok || on_ready == nullptr) {
    return;
  }
  self.look_at_waits(env, on_ready);
}

Outcome Environment::look_again(Handle& open) {
  const bool gives_up = std::exchange(open.if_torn, OrElse::Leave) == OrElse::Cancel;
  if (is_lock(open.kind)) {
    return gives_up ? lock::last_look(region(), open.seat)
                    : lock::look(region(), open.seat, WaitMode::Async);
  }
  open.wanted.or_else = gives_up ? OrElse::Cancel : OrElse::Queue;
  return attempt(region(), open.wanted);
}

// The loop's own thread competes for what it was told of, so that a busy loop does not sit on a lock.
void Environment::look_at_waits(napi_env env, napi_value on_ready) {
  Runtime::get().keeper().take_up(loop_, &due_);
  batch_.clear();
  for (AsyncWait* wait : due_) {
    Handle& open = *handles_[wait->handle];
    if (open.if_torn == OrElse::Leave && !wait->worth_a_look()) continue;
    const Outcome outcome = look_again(open);
    if (outcome == Outcome::Pending) continue;
    unwatch(open);
    batch_.push_back(static_cast<int32_t>(wait->handle));
    batch_.push_back(static_cast<int32_t>(outcome));
  }
  if (batch_.empty()) return;
  napi_value batch;
  napi_value value;
  napi_value receiver;
  napi_value result;
  bool ok = napi_create_array_with_length(env, batch_.size(), &batch) == napi_ok &&
            napi_get_undefined(env, &receiver) == napi_ok;
  for (uint32_t i = 0; ok && i < batch_.size(); ++i) {
    ok = napi_create_int32(env, batch_[i], &value) == napi_ok &&
         napi_set_element(env, batch, i, value) == napi_ok;
  }
  if (ok && napi_call_function(env, receiver, on_ready, 1, &batch, &result) == napi_ok) return;
  bool pending = false;
  napi_value error;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok) {
    static_cast<void>(napi_fatal_exception(env, error));
    return;
  }
  // JavaScript may not run any more, the clean-up hook comes next.
  for (size_t i = 0; i + 1 < batch_.size(); i += 2) {
    Handle* open = handle(static_cast<uint32_t>(batch_[i]));
    if (open != nullptr) give_back(*open, static_cast<Outcome>(batch_[i + 1]));
  }
}

}  // namespace holdfast::binding
