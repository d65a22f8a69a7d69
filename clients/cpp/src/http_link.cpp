#include "http_link.hpp"

#include <thread>

namespace mcbackend::http {
namespace {

/// Idle connections that are kept at most.
constexpr std::size_t max_idle = 8;

}  // namespace

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
    : link_(link), attempts_(attempts), exchange_(link.take()), backoff_(link.options_->retry) {
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
  if (is_out_) link_.outages_->end();
  is_out_ = false;
}

void Link::Sending::fail(const Failure& failure) {
  // Settings that are wrong from the beginning do not become right; later, a wrong certificate is that of somebody in
  // between.
  if (!failure.is_passing || (failure.is_setup && backoff_.failures() == 0)) throw failure.error;
  const auto next = backoff_.next(Clock::now(), failure.retry_after);
  if (!next) {
    if (is_out_) link_.outages_->give_up(failure.error);
    is_out_ = false;
    throw failure.error;
  }
  if (!is_out_) link_.outages_->begin(failure.error);
  is_out_ = true;
  std::this_thread::sleep_until(*next);
}

}  // namespace mcbackend::http
