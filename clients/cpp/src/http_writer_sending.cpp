// The sending thread's half of a chain's writer: requests, their answers, halves of what is too large.
#include <algorithm>
#include <new>
#include <utility>

#include "http_writer.hpp"
#include "wire_split.hpp"

namespace mcbackend::http {

bool ChainWriter::begin(Clock::time_point now, Clock::time_point& again) noexcept {
  try {
    Content content;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (failure_ || is_sending_ || !choose(now, again, content)) return false;
      is_sending_ = true;
    }
    if (content.facts) encode(*content.facts);
    if (content.draws != nullptr) encode(*content.draws);
    fit();
    if (!exchange_) exchange_ = std::make_unique<Exchange>(*shared_.options);
    exchange_->prepare(request_);
    return true;
  } catch (const std::exception& e) {
    stop("a request cannot be made", e);
  }
  again = now;  // behind facts that have failed there may be draws
  changed_.notify_all();
  return false;
}

bool ChainWriter::choose(Clock::time_point now, Clock::time_point& again, Content& content) {
  if (wait_until_ > now) {
    again = std::min(again, wait_until_);
    return false;
  }
  if (sent_ != Sent::nothing) return true;  // the same bytes under the same numbers
  if (facts_) {
    content.facts.swap(facts_);
    sent_ = Sent::facts;
    return true;
  }
  if (sealed_.empty() && has_draws()) {
    if (!is_due_ && due_at_ > now) {
      again = std::min(again, due_at_);
      return false;
    }
    seal();
  }
  if (sealed_.empty()) return false;
  content.draws = sealed_.front().buffer.get();
  sent_ = Sent::draws;
  is_encoded_ = false;
  body_start_ = acknowledged_;
  body_end_ = body_start_ + content.draws->count();
  return true;
}

Request ChainWriter::asking(const char* method, std::string path, Media sent, std::string_view body) const {
  Request request;
  request.method = method;
  request.path = std::move(path);
  request.registration = run_->registration;
  request.sent = sent;
  request.body = body;
  return request;
}

// Nobody who appends waits for these two: they may take milliseconds.
void ChainWriter::encode(const ChainFacts& facts) {
  facts_body_ = facts_patch(facts, number_);
  request_ = asking("PATCH", run_->path + "/about", Media::json, facts_body_);
  request_.most = most_of_documents;
}

// The batch stays where it was until all that may fail is done.
void ChainWriter::encode(DrawBuffer& draws) {
  draws.encode(body_, body_start_);
  request_ = asking("POST", path_ + "/draws", Media::protobuf, wire::text_of(body_));
  draws.clear();
  const std::lock_guard<std::mutex> lock(mutex_);
  auto& batch = sealed_.front();
  body_bytes_ = body_.size();
  queued_bytes_ += body_bytes_;
  queued_bytes_ -= batch.bytes;
  keep(std::move(batch.buffer));
  sealed_.pop_front();
  is_encoded_ = true;
}

void ChainWriter::finish(CURLcode code) noexcept {
  try {
    conclude(code);
  } catch (const std::exception& e) {
    stop("an answer cannot be taken", e);
  }
  changed_.notify_all();
}

void ChainWriter::conclude(CURLcode code) {
  std::optional<Failure> failure;
  bool is_refused_as_whole = false;
  try {
    const Answer& answer = exchange_->finish(code);
    failure = judge(answer);
    const auto size = request_.body.size();
    if (failure && failure->is_too_large && cut()) {
      note_refused(size);
      is_refused_as_whole = answer.curl == CURLE_OK && answer.status == 413;
    }
  } catch (const std::exception& e) {  // memory is out: later there may be some
    failure = Failure(Error("transport", request_.path + ": the answer cannot be read: " + e.what()));
  }
  exchange_->forget();
  if (failure && !is_refused_as_whole) {
    finish_failed(*failure);
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (failure) {
      go_on();
    } else {
      succeed();
    }
  }
  // The log is told without the lock, since it may take its time.
  if (std::exchange(is_out_, false)) shared_.outages->end();
}

void ChainWriter::stop(const char* what, const std::exception& why) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  is_sending_ = false;
  if (sent_ == Sent::draws && !is_encoded_) sent_ = Sent::nothing;
  try {
    fail(Error("transport", std::string(what) + ": " + why.what()));
  } catch (const std::exception&) {
    fail(out_of_memory_);
  }
}

std::optional<Failure> ChainWriter::judge(const Answer& answer) const {
  auto failure = failure_of(*shared_.options, request_, answer);
  if (sent_ == Sent::facts) {
    // A server of an older release knows no facts; draws are what counts.
    if (failure && failure->error.code() == "not_found") return {};
    // Not read: a run's attributes, which are in it, may be large.
    if (!failure && answer.body.find("\"facts\"") == std::string::npos) {
      const auto detail = "PATCH " + request_.path + ": the answer has no \"facts\"";
      return Failure(Error("invalid_answer", detail, answer.status));
    }
    return failure;
  }
  if (failure) return failure;
  try {
    acknowledged(answer, number_, body_end_);
    return {};
  } catch (const Error& e) {
    return Failure(Error(e.code(), "POST " + path_ + "/draws: " + detail_of(e), answer.status));
  }
}

// The request under way becomes one of half its draws, which the others follow. False where it has but one.
bool ChainWriter::cut() {
  if (sent_ != Sent::draws || body_end_ - body_start_ < 2) return false;
  auto [first, second, first_count, second_count] = wire::split_batch(wire::text_of(body_), *run_->schema);
  const std::lock_guard<std::mutex> lock(mutex_);
  auto& rest = pieces_.emplace_front();
  rest.body = std::move(second);
  rest.count = second_count;
  queued_bytes_ += first.size() + rest.body.size();
  queued_bytes_ -= body_bytes_;
  body_ = std::move(first);
  body_bytes_ = body_.size();
  body_end_ = body_start_ + first_count;
  request_.body = wire::text_of(body_);
  return true;
}

// A batch that was sealed or cut before a refusal is not sent as a whole to be refused again.
void ChainWriter::fit() {
  while (sent_ == Sent::draws && is_oversized(body_.size()) && cut()) continue;
}

void ChainWriter::go_on() {
  is_sending_ = false;
  backoff_.reset();
  wait_until_ = {};
}

void ChainWriter::succeed() {
  go_on();
  if (sent_ == Sent::draws) {
    acknowledged_ = body_end_;
    request_size_.take(body_bytes_);
    queued_bytes_ -= body_bytes_;
    body_.clear();
    // One draw may be larger than requests are; its memory is given back.
    if (body_.capacity() / 2 > shared_.options->flush.max_request) body_.shrink_to_fit();
  }
  sent_ = Sent::nothing;
  if (pieces_.empty()) return;
  sent_ = Sent::draws;
  body_ = std::move(pieces_.front().body);
  body_bytes_ = body_.size();
  body_start_ = acknowledged_;
  body_end_ = body_start_ + pieces_.front().count;
  request_.body = wire::text_of(body_);
  pieces_.pop_front();
}

void ChainWriter::finish_failed(const Failure& failure) {
  const auto next = failure.is_passing ? backoff_.next(Clock::now(), failure.retry_after) : std::nullopt;
  if (next) {
    if (!std::exchange(is_out_, true)) shared_.outages->begin(failure.error);
    const std::lock_guard<std::mutex> lock(mutex_);
    is_sending_ = false;
    wait_until_ = *next;
    return;
  }
  if (std::exchange(is_out_, false)) {
    if (failure.is_passing) {
      shared_.outages->give_up(failure.error);
    } else {
      shared_.outages->end();
    }
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  is_sending_ = false;
  fail(failure.error);
}

void ChainWriter::fail(const Error& error) noexcept {
  backoff_.reset();
  wait_until_ = {};
  if (sent_ == Sent::facts) {
    sent_ = Sent::nothing;
    facts_failure_ = of_facts(error);
  } else {
    failure_ = with_unsent(error);
  }
}

void ChainWriter::give_up(const Error& why) noexcept {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_sending_ = false;
    if (end_ > acknowledged_ && !failure_) failure_ = with_unsent(why);
    if (has_facts() && !facts_failure_) facts_failure_ = of_facts(why);
    facts_.reset();
    if (sent_ == Sent::facts) sent_ = Sent::nothing;
  }
  changed_.notify_all();
}

bool ChainWriter::is_over() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return is_abandoned_ && !is_sending_ && is_settled();
}

std::optional<std::string> ChainWriter::last_words() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (failure_ && !is_told_) return std::string("draws are lost: ") + failure_->what();
  if (facts_failure_) return std::string("facts are lost: ") + facts_failure_->what();
  return {};
}

}  // namespace mcbackend::http
