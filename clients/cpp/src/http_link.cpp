#include "http_link.hpp"

#include <algorithm>
#include <thread>

namespace mcbackend::http {
namespace {

/// Idle connections that are kept at most.
constexpr std::size_t max_idle = 8;
/// RetryOptions::limit at most until a server has answered.
constexpr milliseconds first_limit{10'000};

bool is_answer(const Error& error) { return error.code() != "transport" && !is_damage(error); }

/// The failure for those who may have to look at their settings.
Error unanswered(const Error& error) {
  if (error.code() != "transport") return error;
  const char* const hint = "; nothing has answered there yet: is it the server's address, and does it run?";
  return {error.code(), detail_of(error) + hint, error.status()};
}

}  // namespace

Link::Link(std::shared_ptr<const HttpOptions> options, std::shared_ptr<Outages> outages)
    : options_(std::move(options)), outages_(std::move(outages)), first_retry_(options_->retry) {
  first_retry_.limit = std::min(first_retry_.limit, first_limit);
}

std::unique_ptr<Exchange> Link::take() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!idle_.empty()) {
      auto exchange = std::move(idle_.back());
      idle_.pop_back();
      return exchange;
    }
  }
  return std::make_unique<Exchange>(*options_);
}

void Link::give_back(std::unique_ptr<Exchange> exchange) noexcept {
  exchange->forget();
  try {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (idle_.size() < max_idle) idle_.push_back(std::move(exchange));
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): a handle less is kept
  }
}

Link::Sending::Sending(Link& link, unsigned* attempts)
    : link_(link), attempts_(attempts), exchange_(link.take()), backoff_(link.retry()) {
  if (attempts_ != nullptr) *attempts_ = 0;
}

Link::Sending::~Sending() {
  // A refusal, or an exception of who reads, also ends an outage: the server has answered.
  if (is_out_) link_.outages_->end();
  link_.give_back(std::move(exchange_));
}

Answer& Link::Sending::attempt(const Request& request) {
  if (attempts_ != nullptr) ++*attempts_;
  exchange_->prepare(request);
  return exchange_->perform();
}

void Link::Sending::succeed() {
  link_.has_answered_ = true;
  if (is_out_) link_.outages_->end();
  is_out_ = false;
}

void Link::Sending::fail(const Failure& failure) {
  if (is_answer(failure.error)) link_.has_answered_ = true;
  backoff_.use(link_.retry());
  // Settings that are wrong from the beginning do not become right; later, a wrong certificate is that of somebody in
  // between.
  if (!failure.is_passing || (failure.is_setup && backoff_.failures() == 0)) throw failure.error;
  const auto next = backoff_.next(Clock::now(), failure.retry_after);
  if (!next) {
    if (is_out_) link_.outages_->give_up(failure.error);
    is_out_ = false;
    throw link_.has_answered_ ? failure.error : unanswered(failure.error);
  }
  if (!is_out_) link_.outages_->begin(failure.error);
  is_out_ = true;
  std::this_thread::sleep_until(*next);
}

}  // namespace mcbackend::http
