// The registry: names and what they are found by, seats and what goes with the last of them,
// unlinking, agents.
#include "region/registry.h"

#include <map>
#include <vector>

#include "fixture.h"
#include "sync/lock.h"
#include "sync/lock_word.h"

namespace {

using namespace holdfast;
using fixture::close_seat;
using fixture::Member;
using fixture::NameSpace;
using fixture::seat_at;

constexpr Registry::OpenOptions kExisting{.create = false};
constexpr Registry::OpenOptions kAnonymous{.create = true, .anonymous = true};

// A member of a region of its own, with one agent.
struct One {
  NameSpace name_space;
  Member member{name_space.name()};
  Region& region = member.region();
  AgentSlot agent = member.claim_agent();

  Seat seat(std::string_view name, Registry::OpenOptions options = {}) {
    return seat_at(region, agent, name, options);
  }
  Status open(std::string_view name, Registry::OpenOptions options, Seat* seat = nullptr) {
    Seat unused;
    return fixture::open_seat(region, agent, name, seat != nullptr ? seat : &unused, options);
  }
  Status open_as(Kind kind, std::string_view name, std::string* detail) {
    Seat unused;
    return Registry(region).open(agent, name, kind, {}, &unused, detail);
  }
  ObjectState state(const Seat& seat) const { return seat.object->state.load(); }
  // As Environment::unlink: first the object, then its name.
  void unlink(Seat& seat) {
    AgentSlot holder = 0;
    CHECK_EQ(lock::unlink(region, seat, &holder), Status::Ok);
    static_cast<void>(Registry(region).unlink(seat.object_index));
  }
};

std::string_view name_of(const ObjectRecord& object) { return {object.name, object.name_bytes}; }

}  // namespace

// ---- Names ----

TEST(names__of_1_to_255_bytes_are_kept_whole) {
  One one;
  for (const size_t bytes : {size_t{1}, size_t{2}, size_t{64}, size_t{254}, size_t{255}}) {
    const std::string name(bytes, 'n');
    const Seat seat = one.seat(name);
    CHECK(name_of(*seat.object) == name);
    CHECK_EQ(one.open(name, kExisting), Status::Ok);
  }
}

TEST(names__empty_or_over_255_bytes__are_refused) {
  One one;
  CHECK_EQ(one.open("", {}), Status::BadArgument);
  CHECK_EQ(one.open(std::string(256, 'n'), {}), Status::BadArgument);
  CHECK_EQ(one.open(std::string(100'000, 'n'), {}), Status::BadArgument);
}

TEST(names__that_differ_in_one_byte_anywhere__are_apart) {
  One one;
  const std::string base(255, 'n');
  const Seat seat = one.seat(base);
  for (const size_t at : {size_t{0}, size_t{100}, size_t{254}}) {
    std::string other = base;
    other[at] = 'm';
    CHECK_EQ(one.open(other, kExisting), Status::NotFound);
    CHECK(one.seat(other).object_index != seat.object_index);
  }
  CHECK_EQ(one.open(base.substr(0, 254), kExisting), Status::NotFound);
  CHECK_EQ(one.open("N" + base.substr(1), kExisting), Status::NotFound);
}

TEST(names__are_bytes__with_zeros_and_utf_8) {
  One one;
  using namespace std::string_view_literals;
  for (const std::string_view name :
       {"a\0b"sv, "a\0c"sv, "a"sv, "\0"sv, "Schlo\xc3\x9f"sv, "\xff\xfe"sv}) {
    CHECK_EQ(one.open(name, kExisting), Status::NotFound);
    CHECK(name_of(*one.seat(name).object) == name);
    CHECK_EQ(one.open(name, kExisting), Status::Ok);
  }
}

TEST(names__thousands__each_found_again_by_another_process) {
  constexpr int kNames = 5000;
  One one;
  const Member other(one.name_space.name());
  const AgentSlot agent = other.claim_agent();
  std::vector<ObjectIndex> objects;
  for (int i = 0; i < kNames; ++i)
    objects.push_back(one.seat("name-" + std::to_string(i)).object_index);
  for (int i = kNames - 1; i >= 0; --i) {
    const Seat seat = seat_at(other.region(), agent, "name-" + std::to_string(i), kExisting);
    CHECK_EQ(seat.object_index, objects[static_cast<size_t>(i)]);
  }
  Seat seat;
  CHECK_EQ(fixture::open_seat(other.region(), agent, "name-5000", &seat, kExisting),
           Status::NotFound);
}

// As many names as it takes for a bucket to have several: found, unlinked from any place in the
// chain, made again.
TEST(names__that_share_a_bucket) {
  One one;
  std::map<uint64_t, std::vector<Seat>> buckets;
  std::vector<Seat> chain;
  for (int i = 0; chain.empty() && i < 100'000; ++i) {
    const Seat seat = one.seat("bucket-" + std::to_string(i));
    std::vector<Seat>& bucket = buckets[seat.object->name_hash % kBuckets];
    bucket.push_back(seat);
    if (bucket.size() == 5) chain = bucket;
  }
  REQUIRE(chain.size() == 5);
  std::vector<std::string> names;
  for (const Seat& seat : chain) names.emplace_back(name_of(*seat.object));
  const auto check_found = [&](const std::vector<bool>& there) {
    for (size_t i = 0; i < there.size(); ++i) {
      Seat seat;
      CHECK_EQ(one.open(names[i], kExisting, &seat), there[i] ? Status::Ok : Status::NotFound);
      if (there[i]) CHECK_EQ(seat.object_index, chain[i].object_index);
    }
  };
  check_found({true, true, true, true, true});
  one.unlink(chain[2]);  // from the middle
  check_found({true, true, false, true, true});
  one.unlink(chain[0]);  // the first in, last in the chain
  check_found({false, true, false, true, true});
  one.unlink(chain[4]);  // the head
  check_found({false, true, false, true, false});
  chain[2] = one.seat(names[2]);
  check_found({false, true, true, true, false});
  one.unlink(chain[1]);
  one.unlink(chain[2]);
  one.unlink(chain[3]);
  check_found({false, false, false, false, false});
}

// Two names of one hash: as good as impossible by chance, so by hand.
TEST(names__that_share_a_hash__are_told_apart_by_their_bytes) {
  One one;
  const Seat first = one.seat("first");
  const Seat second = one.seat("second");
  std::memcpy(first.object->name, "other", 5);  // "other" with the hash of "first"
  CHECK_EQ(one.open("first", kExisting), Status::NotFound);
  const Seat made = one.seat("first");
  CHECK(made.object_index != first.object_index);
  CHECK_EQ(made.object->name_hash, first.object->name_hash);
  CHECK_EQ(one.seat("first").object_index, made.object_index);
  CHECK_EQ(one.seat("second").object_index, second.object_index);
}

// ---- Kinds ----

TEST(kinds__of_another_kind__is_a_mismatch_that_says_which) {
  One one;
  std::string detail;
  one.seat("lock");
  CHECK_EQ(one.open_as(Kind::RLock, "lock", &detail), Status::KindMismatch);
  CHECK_EQ(detail, "Lock");
  CHECK_EQ(one.open_as(Kind::RLock, "rlock", &detail), Status::Ok);
  CHECK_EQ(one.open_as(Kind::Lock, "rlock", &detail), Status::KindMismatch);
  CHECK_EQ(detail, "RLock");
  CHECK_EQ(std::string(kind_name(Kind::None)), "unknown");
}

TEST(kinds__a_mismatch__takes_no_seat) {
  One one;
  const Seat seat = one.seat("lock");
  std::string detail;
  for (int i = 0; i < 3; ++i) {
    CHECK_EQ(one.open_as(Kind::RLock, "lock", &detail), Status::KindMismatch);
  }
  CHECK_EQ(seat.object->tickets, 1u);
}

TEST(kinds__after_unlinking__the_name_may_be_of_another_kind) {
  One one;
  Seat seat = one.seat("x");
  one.unlink(seat);
  std::string detail;
  CHECK_EQ(one.open_as(Kind::RLock, "x", &detail), Status::Ok);
}

// ---- Opening and closing ----

TEST(open__missing_and_not_to_be_made__is_not_found_and_makes_nothing) {
  One one;
  CHECK_EQ(one.open("x", kExisting), Status::NotFound);
  CHECK_EQ(one.open("x", kExisting), Status::NotFound);
}

TEST(open__each_time_a_new_seat_at_the_same_object) {
  One one;
  const Seat first = one.seat("x");
  const Seat second = one.seat("x");
  CHECK_EQ(first.object_index, second.object_index);
  CHECK(first.ticket_index != second.ticket_index);
  CHECK_EQ(first.object->tickets, 2u);
  CHECK_EQ(first.ticket->agent.load(), one.agent);
  CHECK_EQ(first.ticket->object.load(), first.object_index);
  CHECK_EQ(first.ticket->state.load(), static_cast<uint32_t>(TicketState::None));
}

TEST(open__a_new_object__is_blank) {
  One one;
  const Seat seat = one.seat("x");
  CHECK_EQ(seat.object->word.load(), 0u);
  CHECK_EQ(seat.object->depth, 0u);
  CHECK_EQ(seat.object->token, 0.0);
  CHECK_EQ(seat.object->queue_head, kNone);
  CHECK_EQ(seat.object->queue_tail, kNone);
  CHECK_EQ(one.state(seat), ObjectState::Live);
  CHECK_EQ(seat.object->kind, Kind::Lock);
}

TEST(close__a_named_object__outlives_its_last_seat) {
  One one;
  Seat seat = one.seat("x");
  seat.object->token = 41;
  close_seat(one.region, seat);
  CHECK_EQ(one.state(seat), ObjectState::Live);
  const Seat again = one.seat("x", kExisting);
  CHECK_EQ(again.object_index, seat.object_index);
  CHECK_EQ(again.object->token, 41.0);
}

TEST(close__an_anonymous_object__goes_with_its_last_seat) {
  One one;
  Seat first = one.seat("x", kAnonymous);
  Seat second = one.seat("x", kExisting);
  CHECK_EQ(first.object_index, second.object_index);
  close_seat(one.region, first);
  CHECK_EQ(one.state(second), ObjectState::Live);
  CHECK_EQ(one.open("x", kExisting), Status::Ok);  // a third seat
  Seat third = one.seat("x", kExisting);
  close_seat(one.region, second);
  close_seat(one.region, third);
  CHECK_EQ(one.state(first), ObjectState::Live);  // the nameless third's is still there
  reap_agent(one.region, one.agent);
  CHECK_EQ(one.state(first), ObjectState::Free);
}

TEST(close__an_anonymous_object__its_name_is_free_again) {
  One one;
  Seat seat = one.seat("x", kAnonymous);
  const uint32_t generation = seat.object->generation;
  close_seat(one.region, seat);
  CHECK_EQ(one.open("x", kExisting), Status::NotFound);
  one.region.header().objects.hint.store(seat.object_index);
  const Seat again = one.seat("x");
  CHECK_EQ(again.object_index, seat.object_index);
  CHECK_EQ(again.object->generation, generation + 1);
}

TEST(close__in_any_order__leaves_nothing_of_anonymous_objects) {
  for (int order = 0; order < 6; ++order) {
    One one;
    Seat seats[3] = {one.seat("x", kAnonymous), one.seat("x"), one.seat("x")};
    const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int i = 0; i < 3; ++i) {
      CHECK_EQ(one.state(seats[0]), ObjectState::Live);
      close_seat(one.region, seats[orders[order][i]]);
    }
    CHECK_EQ(one.state(seats[0]), ObjectState::Free);
    CHECK_EQ(one.open("x", kExisting), Status::NotFound);
  }
}

TEST(close__twice_or_of_another_agent__changes_nothing) {
  One one;
  Seat kept = one.seat("x", kAnonymous);
  Seat closed = one.seat("x");
  close_seat(one.region, closed);
  static_cast<void>(Registry(one.region).close(one.agent, closed.ticket_index));
  CHECK_EQ(kept.object->tickets, 1u);
  static_cast<void>(Registry(one.region).close(one.agent + 1, kept.ticket_index));
  static_cast<void>(Registry(one.region).close(one.agent, kNone));
  static_cast<void>(Registry(one.region).close(one.agent, 1'000'000));
  CHECK_EQ(kept.object->tickets, 1u);
  CHECK_EQ(one.state(kept), ObjectState::Live);
}

TEST(close__a_ticket_is_used_again) {
  One one;
  Seat seat = one.seat("x");
  close_seat(one.region, seat);
  CHECK_EQ(seat.ticket->agent.load(), 0u);
  one.region.header().tickets.hint.store(seat.ticket_index);
  const Seat again = one.seat("y");
  CHECK_EQ(again.ticket_index, seat.ticket_index);
  CHECK_EQ(again.ticket->object.load(), again.object_index);  // no trace of its retirement
}

TEST(close__many_thousand_times__grows_nothing) {
  One one;
  Seat first = one.seat("x", kAnonymous);
  close_seat(one.region, first);
  const uint64_t bytes = one.region.header().bytes.load();
  for (int i = 0; i < 20'000; ++i) {
    Seat seat = one.seat("x-" + std::to_string(i), kAnonymous);
    close_seat(one.region, seat);
  }
  CHECK_EQ(one.region.header().bytes.load(), bytes);
}

// ---- Unlinking ----

TEST(unlink__the_object_lives_on_nameless_until_its_last_seat) {
  One one;
  Seat first = one.seat("x");
  Seat second = one.seat("x");
  one.unlink(first);
  CHECK_EQ(one.state(first), ObjectState::Unlinked);
  CHECK_EQ(one.open("x", kExisting), Status::NotFound);
  const Seat fresh = one.seat("x");
  CHECK(fresh.object_index != first.object_index);
  CHECK_EQ(fresh.object->word.load(), 0u);
  close_seat(one.region, first);
  CHECK_EQ(one.state(second), ObjectState::Unlinked);
  close_seat(one.region, second);
  CHECK_EQ(one.state(second), ObjectState::Free);
  CHECK_EQ(one.seat("x", kExisting).object_index, fresh.object_index);
}

TEST(unlink__twice_or_out_of_range__changes_nothing) {
  One one;
  Seat seat = one.seat("x");
  one.unlink(seat);
  const Seat fresh = one.seat("x");
  static_cast<void>(Registry(one.region).unlink(seat.object_index));
  static_cast<void>(Registry(one.region).unlink(kNone));
  static_cast<void>(Registry(one.region).unlink(100'000));
  CHECK_EQ(one.seat("x", kExisting).object_index, fresh.object_index);
  CHECK_EQ(one.state(fresh), ObjectState::Live);
}

// Who unlinked the object died before its name was gone.
TEST(unlink__half_done__the_name_goes_with_the_next_open) {
  One one;
  Seat seat = one.seat("x");
  AgentSlot holder = 0;
  CHECK_EQ(lock::unlink(one.region, seat, &holder), Status::Ok);
  CHECK_EQ(one.open("x", kExisting), Status::NotFound);
  CHECK_EQ(one.state(seat), ObjectState::Unlinked);
  CHECK(one.seat("x").object_index != seat.object_index);
}

TEST(unlink__then_made_again__the_token_grows) {
  One one;
  double highest = 0;
  for (int round = 0; round < 10; ++round) {
    Seat seat = one.seat("x");
    CHECK(seat.object->token >= highest);
    seat.object->token += 3;  // three acquisitions
    highest = seat.object->token;
    one.unlink(seat);
    close_seat(one.region, seat);
  }
  CHECK_EQ(highest, 30.0);
}

TEST(unlink__the_token_grows_over_whatever_came_between) {
  One one;
  Seat a = one.seat("a");
  Seat b = one.seat("b", kAnonymous);
  a.object->token = 10;
  b.object->token = 500;
  close_seat(one.region, b);  // anonymous: gone
  one.unlink(a);
  Seat again = one.seat("a");
  CHECK(again.object->token >= 500);
  // And a seat at the old one, that is closed late, takes nothing back.
  close_seat(one.region, a);
  one.unlink(again);
  CHECK(one.seat("a").object->token >= 500);
}

// ---- Agents ----

TEST(agents__slots_begin_at_1_and_are_each_ones_own) {
  One one;
  CHECK_EQ(one.agent, 1u);
  const Member other(one.name_space.name());
  const AgentSlot second = other.claim_agent(7);
  CHECK(second != one.agent);
  CHECK_EQ(one.region.agent(second)->thread, 7u);
  CHECK_EQ(one.region.process_of(second), one.region.process(other.region().self().index));
  CHECK(one.region.process_of(0) == nullptr);
  CHECK(one.region.process_of(1000) == nullptr);
  CHECK(one.region.process_of(70'000) == nullptr);
}

TEST(agents_of__counts_a_process_own) {
  One one;
  const Member other(one.name_space.name());
  const ProcessIndex mine = one.region.self().index;
  const ProcessIndex its = other.region().self().index;
  const AgentSlot extra = one.member.claim_agent();
  CHECK(other.claim_agent() != extra);
  CHECK_EQ(Registry(one.region).agents_of(mine), 2u);
  CHECK_EQ(Registry(one.region).agents_of(its), 1u);
  CHECK_EQ(Registry(one.region).agents_of(99), 0u);
  Registry(one.region).free_agent(extra);
  CHECK_EQ(Registry(other.region()).agents_of(mine), 1u);
}

TEST(agents__freed_twice_or_out_of_range__changes_nothing) {
  One one;
  Registry registry(one.region);
  registry.free_agent(9);
  registry.free_agent(kNone);
  CHECK_EQ(registry.agents_of(one.region.self().index), 1u);
}

// ---- Rebuilding: what the next one finds who enters after a death inside of the registry ----

TEST(rebuild__names_counts_and_lost_objects) {
  One one;
  Seat named = one.seat("named");
  const Seat twice[2] = {one.seat("twice"), one.seat("twice")};
  Seat nameless = one.seat("nameless", kAnonymous);
  Seat unlinked = one.seat("unlinked");
  one.unlink(unlinked);
  Seat closed = one.seat("closed");
  close_seat(one.region, closed);
  RegionHeader& header = one.region.header();
  // All that is only an index, scrambled; and an object published that no bucket has.
  for (auto& bucket : header.buckets) bucket.store(unlinked.object_index);
  for (const Seat& seat : {named, twice[0], nameless, unlinked}) {
    seat.object->tickets = 77;
    seat.object->bucket_next = named.object_index;
  }
  nameless.ticket->agent.store(0);  // its last seat was closed, and no more came to be done
  fixture::leave_dead_inside(one.region, header.registry);
  CHECK_EQ(one.seat("named", kExisting).object_index, named.object_index);
  CHECK_EQ(named.object->tickets, 2u);
  CHECK_EQ(twice[0].object->tickets, 2u);
  CHECK_EQ(one.seat("twice", kExisting).object_index, twice[0].object_index);
  CHECK_EQ(one.seat("closed", kExisting).object_index, closed.object_index);
  CHECK_EQ(one.open("nameless", kExisting), Status::NotFound);
  CHECK_EQ(one.state(nameless), ObjectState::Free);
  CHECK_EQ(one.open("unlinked", kExisting), Status::NotFound);
  CHECK_EQ(one.state(unlinked), ObjectState::Unlinked);
  CHECK_EQ(unlinked.object->tickets, 1u);
  CHECK(fixture::is_free(header.registry));
}

// Retired and not closed: still a seat of the object, for the count.
TEST(rebuild__a_retired_ticket_counts_until_it_is_closed) {
  One one;
  Seat seat = one.seat("x", kAnonymous);
  static_cast<void>(lock::retire(one.region, seat));
  fixture::leave_dead_inside(one.region, one.region.header().registry);
  CHECK_EQ(one.open("missing", kExisting), Status::NotFound);
  CHECK_EQ(seat.object->tickets, 1u);
  CHECK_EQ(one.state(seat), ObjectState::Live);
  static_cast<void>(Registry(one.region).close(one.agent, seat.ticket_index));
  CHECK_EQ(one.state(seat), ObjectState::Free);
}

TEST(rebuild__tokens_are_not_lost) {
  One one;
  Seat seat = one.seat("x", kAnonymous);
  seat.object->token = 9;
  seat.ticket->agent.store(0);
  fixture::leave_dead_inside(one.region, one.region.header().registry);
  CHECK(one.seat("x").object->token >= 9);
}
