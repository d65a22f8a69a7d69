// Requests whose answer the caller waits for: each is tried again, in the caller's own thread, until it is answered for
// good.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "http_answers.hpp"
#include "http_backoff.hpp"
#include "http_exchange.hpp"
#include "http_outages.hpp"

namespace mcbackend::http {

/// For any number of threads at a time.
class Link {
 public:
  Link(std::shared_ptr<const HttpOptions> options, std::shared_ptr<Outages> outages);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() = default;

  /// The value that `read` makes of the answer. An answer of which it finds by damaged() that it is not the server's is
  /// asked for again.
  /// @param attempts is told how often the request was sent: an earlier attempt, whose answer was lost, may have done
  /// what it asks for
  /// @throws Error of the server's refusal, or of the last failure when the time for retries is over
  template <class Read>
  auto send(const Request& request, Read read, unsigned* attempts = nullptr) {
    return send_parts(request, read, [] { return false; }, attempts);
  }

  /// As send(), of a request that `cut` makes a smaller one when it is too large. The time for retries is that of both.
  /// @param cut gives false where there is no smaller one
  template <class Read, class Cut>
  auto send_parts(const Request& request, Read read, Cut cut, unsigned* attempts = nullptr) {
    Sending sending(*this, attempts);
    for (;;) {
      Answer& answer = sending.attempt(request);
      auto failure = failure_of(*options_, request, answer);
      if (!failure) {
        try {
          auto value = read(answer);
          sending.succeed();
          return value;
        } catch (const Error& e) {
          if (!is_damage(e)) throw;
          failure = Failure(
              Error(e.code(), std::string(request.method) + ' ' + request.path + ": " + detail_of(e), answer.status));
        }
      }
      const bool is_smaller = failure->is_too_large && cut();
      if (is_smaller && failure->error.status() == 413) continue;
      sending.fail(*failure);
    }
  }

  const HttpOptions& options() const noexcept { return *options_; }

 private:
  /// One request until it is answered, with a handle that is given back.
  class Sending {
   public:
    Sending(Link& link, unsigned* attempts);
    Sending(const Sending&) = delete;
    Sending& operator=(const Sending&) = delete;
    ~Sending();
    Answer& attempt(const Request& request);
    void succeed();
    /// Pauses until the next attempt. @throws Error of the failure when there is none
    void fail(const Failure& failure);

   private:
    Link& link_;
    unsigned* attempts_;
    std::unique_ptr<Exchange> exchange_;
    Backoff backoff_;
    bool is_out_ = false;
  };

  /// Before the server's first answer a wrong address is likelier than an outage.
  const RetryOptions& retry() const noexcept { return has_answered_ ? options_->retry : first_retry_; }
  std::unique_ptr<Exchange> take();
  void give_back(std::unique_ptr<Exchange> exchange) noexcept;

  std::shared_ptr<const HttpOptions> options_;
  std::shared_ptr<Outages> outages_;
  RetryOptions first_retry_;
  /// True behind the first answer of a server of this kind, a refusal among them.
  std::atomic<bool> has_answered_{false};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Exchange>> idle_;
};

}  // namespace mcbackend::http
