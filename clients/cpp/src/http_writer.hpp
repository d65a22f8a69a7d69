// Draws of one chain on their way to the server: buffered by the sampler's thread, sent by the backend's.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mcbackend/interfaces.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "draw_buffer.hpp"
#include "http_answers.hpp"
#include "http_backoff.hpp"
#include "http_exchange.hpp"
#include "http_outages.hpp"
#include "http_request_size.hpp"

namespace mcbackend::http {

/// Iterations of a batch at most (docs/protocol.md §5).
constexpr std::uint32_t max_count = 1'000'000;

/// A multi handle of libcurl, which the sending thread waits on and other threads wake.
class Multi {
 public:
  Multi();
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;
  ~Multi() { curl_multi_cleanup(multi_); }
  void wake() noexcept { curl_multi_wakeup(multi_); }
  CURLM* handle() const noexcept { return multi_; }

 private:
  CURLM* multi_ = nullptr;
};

/// A registered run, as its chains need it.
struct RunState {
  RunMeta meta;
  std::string meta_bytes;
  std::string registration;
  /// "/v1/runs/{rid}".
  std::string path;
  std::shared_ptr<const Schema> schema;
};

/// Things that all chains of a backend share, but for the sending thread itself, which nobody who holds a writer may
/// keep alive.
struct Shared {
  std::shared_ptr<const HttpOptions> options;
  std::shared_ptr<Outages> outages;
  std::shared_ptr<Multi> multi;
};

/// Numbers its draws itself, from the length that the chain had when it was opened, and has one request under way at a
/// time. A batch is encoded once; a retry sends the same bytes, or, where these are more than the server or the network
/// takes at once, the same bytes of each draw in halves. When a request fails for good, what was not
/// acknowledged stays here, and every further call throws the failure, which tells how many draws these are.
class ChainWriter {
 public:
  ChainWriter(Shared shared, std::shared_ptr<const RunState> run, ChainState chain);
  ChainWriter(const ChainWriter&) = delete;
  ChainWriter& operator=(const ChainWriter&) = delete;
  ~ChainWriter() = default;

  // For the threads of samplers.

  void append(View<NamedValue> draw, View<NamedValue> stats);
  void set_facts(const ChainFacts& facts);
  /// Returns when all that was appended is acknowledged. @throws Error when it will not be
  void flush_draws();
  /// As flush_draws(); a failure of facts is thrown once, by this or by close().
  void flush();
  /// flush(), and no more appends, also where facts have failed.
  void close();
  /// Throws the failure, or that the handle is closed.
  void require_usable();
  /// Index of the next draw that is appended.
  std::uint64_t end();
  /// Goes on at this index: everything before it is acknowledged, and nothing waits.
  void continue_at(std::uint64_t end);
  /// Nobody will append any more; what waits is sent at once.
  void abandon() noexcept;
  bool is_abandoned();
  bool is_of(const std::string& registration, std::optional<std::int32_t> number) const noexcept {
    return run_->registration == registration && number.value_or(number_) == number_;
  }
  /// Bytes that a request aims at, for requests of the caller's own, and their fate.
  std::size_t most_request();
  /// True for a request that is to be sent in halves at once.
  bool is_oversized(std::size_t bytes);
  void note_refused(std::size_t bytes);
  void note_taken(std::size_t bytes);
  /// Returns when nothing is left to be sent, or it has failed.
  void wait_until_settled();
  WriterStatus status();
  void resume();

  // For the sending thread, which no exception may end: where memory runs out, that is the failure.

  /// The next request, when one is due: its exchange is prepared then. `again` is made earlier where one will be due.
  bool begin(Clock::time_point now, Clock::time_point& again) noexcept;
  Exchange& exchange() noexcept { return *exchange_; }
  void finish(CURLcode code) noexcept;
  /// Gives up what is left. @param why for those who are told of it
  void give_up(const Error& why) noexcept;
  /// True when there will be nothing more to send.
  bool is_over();
  /// The draws or facts that are lost, where the one who appended has left without having been told of it.
  std::optional<std::string> last_words();

 private:
  enum class Sent : std::uint8_t { nothing, draws, facts };
  struct Batch {
    std::unique_ptr<DrawBuffer> buffer;
    std::size_t bytes = 0;
  };

  /// A batch as it is sent.
  struct Piece {
    wire::Bytes body;
    std::uint32_t count = 0;
  };

  /// Source of a new request.
  struct Content {
    DrawBuffer* draws = nullptr;
    std::optional<ChainFacts> facts;
  };

  // All of these are called with the lock held, unless they say otherwise.
  std::size_t waiting_bytes() const noexcept { return queued_bytes_ + (active_ ? active_->bytes() : 0); }
  bool has_room() const noexcept { return waiting_bytes() < shared_.options->flush.max_buffered; }
  bool has_draws() const noexcept { return active_ && active_->count() > 0; }
  bool has_facts() const noexcept { return facts_.has_value() || sent_ == Sent::facts; }
  bool is_settled() const noexcept;
  void require_going_on();
  void tell_of_facts();
  void wait_for_room(std::unique_lock<std::mutex>& lock);
  /// True when the sending thread must be woken.
  bool note_appended();
  void seal();
  std::unique_ptr<DrawBuffer> take_spare();
  bool choose(Clock::time_point now, Clock::time_point& again, Content& content);
  Request asking(const char* method, std::string path, Media sent, std::string_view body) const;
  void go_on();
  void succeed();
  void fail(const Error& error) noexcept;
  Error of_facts(const Error& error) const noexcept;
  Error with_unsent(const Error& error) const noexcept;
  std::string name() const;
  // By the sending thread, without the lock.
  void encode(DrawBuffer& draws);
  void encode(const ChainFacts& facts);
  void keep(std::unique_ptr<DrawBuffer> emptied);
  bool cut();
  void fit();
  void conclude(CURLcode code);
  void stop(const char* what, const std::exception& why) noexcept;
  std::optional<Failure> judge(const Answer& answer) const;
  void finish_failed(const Failure& failure);

  const Shared shared_;
  const std::shared_ptr<const RunState> run_;
  const std::int32_t number_;
  const std::string path_;
  /// Made while there is memory: a copy takes none.
  const Error out_of_memory_{"transport", "memory is out"};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<DrawBuffer> active_;
  /// Emptied buffers: one for the sampler, and one behind it while a request is under way.
  std::vector<std::unique_ptr<DrawBuffer>> spares_;
  std::deque<Batch> sealed_;
  RequestSize request_size_;
  /// Bytes of sealed batches, of the request under way and of the pieces behind it.
  std::size_t queued_bytes_ = 0;
  std::uint64_t acknowledged_;
  std::uint64_t end_;
  bool is_due_ = false;
  Clock::time_point due_at_;
  std::optional<ChainFacts> facts_;
  std::optional<Error> failure_, facts_failure_;
  bool is_told_ = false;
  bool is_closed_ = false;
  bool is_abandoned_ = false;

  /// Kind of the request under way, or of the one that is to be tried again.
  Sent sent_ = Sent::nothing;
  bool is_sending_ = false;
  Clock::time_point wait_until_;
  // The sending thread's alone, while there is no failure.
  /// True when body_ has the draws that are sent; until then the first sealed batch has them.
  bool is_encoded_ = false;
  bool is_out_ = false;
  Backoff backoff_;
  std::unique_ptr<Exchange> exchange_;
  Request request_;
  wire::Bytes body_;
  /// The rest of a batch that was too large as a whole, of which body_ is the first piece.
  std::deque<Piece> pieces_;
  /// Bytes of the request of draws that count as waiting.
  std::size_t body_bytes_ = 0;
  /// Index of its first draw, and of the draw behind its last one.
  std::uint64_t body_start_ = 0, body_end_ = 0;
  std::string facts_body_;
};

}  // namespace mcbackend::http
