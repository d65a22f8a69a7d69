#include "http_writer.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "wire_split.hpp"

namespace mcbackend::http {
namespace {

/// Iterations of a batch at most (docs/protocol.md §5).
constexpr std::uint32_t max_count = 1'000'000;
/// Emptied buffers that are kept at most.
constexpr std::size_t most_spares = 2;
/// Bytes of a body that are not too many for any network: one that takes them not in time is out.
constexpr std::size_t least_stuck = std::size_t{64} << 10;

}  // namespace

Multi::Multi() {
  set_up_curl();
  multi_ = curl_multi_init();
  if (multi_ == nullptr) throw std::bad_alloc();
}

ChainWriter::ChainWriter(Shared shared, std::shared_ptr<const RunState> run, ChainState chain)
    : shared_(std::move(shared)),
      run_(std::move(run)),
      number_(chain.number),
      path_(run_->path + "/chains/" + std::to_string(number_)),
      most_request_(shared_.options->flush.max_request),
      acknowledged_(chain.length),
      end_(chain.length),
      backoff_(shared_.options->retry) {
  spares_.reserve(most_spares);
}

void ChainWriter::append(View<NamedValue> draw, View<NamedValue> stats) {
  std::unique_lock<std::mutex> lock(mutex_);
  require_going_on();
  if (!has_room()) wait_for_room(lock);
  if (!active_) active_ = take_spare();
  const bool fits = active_->put(draw, stats, shared_.options->flush.max_request);
  if (!fits) {
    seal();
    active_ = take_spare();
    active_->put(draw, stats);
  }
  ++end_;
  const bool wakes = note_appended();
  lock.unlock();
  if (wakes) shared_.multi->wake();
}

// While a request is under way, draws gather in one buffer, which the next request takes as a whole: a slow server gets
// fewer and larger ones.
bool ChainWriter::note_appended() {
  const auto& flush = shared_.options->flush;
  const auto count = active_->count();
  const auto bytes = active_->bytes();
  bool wakes = false;
  if (count == 1) {
    due_at_ = Clock::now() + flush.interval;
    wakes = true;
  }
  if (!is_due_ && (count >= flush.count || bytes >= flush.bytes)) {
    is_due_ = true;
    wakes = true;
  }
  // A further draw of this size would be too much.
  const bool is_near = bytes > most_request_ / 2;
  if (count >= max_count || (is_near && bytes + bytes / count > most_request_)) {
    seal();
    wakes = true;
  }
  return wakes && !is_sending_;
}

void ChainWriter::wait_for_room(std::unique_lock<std::mutex>& lock) {
  is_due_ = has_draws();
  shared_.multi->wake();
  if (shared_.options->when_full == WhenFull::fail) {
    throw Error("buffer_full", std::to_string(waiting_bytes()) + " bytes of " + name() +
                                   " wait for the server, and FlushOptions::max_buffered allows no more");
  }
  changed_.wait(lock, [this] { return has_room() || failure_ || is_closed_; });
  require_going_on();
}

void ChainWriter::set_facts(const ChainFacts& facts) {
  if (facts.is_dense) rows_of(facts);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    require_going_on();
    if (!facts_) facts_.emplace();
    if (facts.seed) facts_->seed = facts.seed;
    if (facts.step_size) facts_->step_size = facts.step_size;
    if (!facts.inverse_metric.empty()) {
      facts_->inverse_metric = facts.inverse_metric;
      facts_->is_dense = facts.is_dense;
    }
  }
  shared_.multi->wake();
}

void ChainWriter::flush_draws() {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto until = end_;
  if (!failure_ && !is_settled()) {
    is_due_ = has_draws();
    shared_.multi->wake();
    changed_.wait(lock, [&] { return failure_ || (acknowledged_ >= until && !has_facts()); });
  }
  is_told_ |= failure_.has_value();
  if (failure_) throw Error(*failure_);
}

void ChainWriter::flush() {
  flush_draws();
  const std::lock_guard<std::mutex> lock(mutex_);
  tell_of_facts();
}

void ChainWriter::close() {
  flush_draws();
  const std::lock_guard<std::mutex> lock(mutex_);
  is_closed_ = true;
  if (!has_draws() && sealed_.empty()) {
    active_.reset();
    spares_.clear();
  }
  tell_of_facts();
}

// Once: draws do not depend on facts, and go on.
void ChainWriter::tell_of_facts() {
  if (auto failure = std::exchange(facts_failure_, std::nullopt)) throw Error(std::move(*failure));
}

void ChainWriter::require_usable() {
  const std::lock_guard<std::mutex> lock(mutex_);
  require_going_on();
}

void ChainWriter::require_going_on() {
  if (failure_) {
    is_told_ = true;
    throw Error(*failure_);
  }
  if (is_closed_) throw Error("closed", "the handle of " + name() + " is closed; init_chain gives another one");
}

std::uint64_t ChainWriter::end() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return end_;
}

void ChainWriter::continue_at(std::uint64_t end) {
  const std::lock_guard<std::mutex> lock(mutex_);
  acknowledged_ = end_ = end;
}

void ChainWriter::abandon() noexcept {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_abandoned_ = true;
    is_due_ = has_draws();
  }
  shared_.multi->wake();
}

void ChainWriter::wait_until_settled() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return is_settled(); });
}

WriterStatus ChainWriter::status() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return {acknowledged_, end_, waiting_bytes(), failure_};
}

void ChainWriter::resume() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!failure_) return;
    failure_.reset();
    is_told_ = false;
    is_due_ = has_draws();
    wait_until_ = {};
    backoff_.reset();
  }
  shared_.multi->wake();
}

bool ChainWriter::is_settled() const noexcept {
  return failure_ || (sent_ == Sent::nothing && !facts_ && sealed_.empty() && !has_draws());
}

void ChainWriter::seal() {
  const auto bytes = active_->bytes();
  sealed_.push_back({std::move(active_), bytes});
  queued_bytes_ += bytes;
  is_due_ = false;
}

std::unique_ptr<DrawBuffer> ChainWriter::take_spare() {
  if (spares_.empty()) return std::make_unique<DrawBuffer>(run_->schema);
  auto spare = std::move(spares_.back());
  spares_.pop_back();
  return spare;
}

bool ChainWriter::begin(Clock::time_point now, Clock::time_point& again) {
  Batch batch;
  std::optional<ChainFacts> facts;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (failure_ || is_sending_ || !choose(now, again, batch, facts)) return false;
    is_sending_ = true;
  }
  try {
    if (facts) encode(*facts);
    if (batch.buffer) encode(batch);
    if (!exchange_) exchange_ = std::make_unique<Exchange>(*shared_.options);
    exchange_->prepare(request_);
    return true;
  } catch (const std::exception& e) {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_sending_ = false;
    if (batch.buffer) {
      sealed_.push_front(std::move(batch));
      sent_ = Sent::nothing;
    }
    fail(Error("transport", std::string("a request cannot be made: ") + e.what()));
  }
  changed_.notify_all();
  return false;
}

bool ChainWriter::choose(Clock::time_point now, Clock::time_point& again, Batch& batch,
                         std::optional<ChainFacts>& facts) {
  if (wait_until_ > now) {
    again = std::min(again, wait_until_);
    return false;
  }
  if (sent_ != Sent::nothing) return true;  // the same bytes under the same numbers
  if (facts_) {
    facts.swap(facts_);
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
  ask_for_draws(batch);
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

void ChainWriter::ask_for_draws(Batch& batch) {
  batch = std::move(sealed_.front());
  sealed_.pop_front();
  sent_ = Sent::draws;
  body_start_ = acknowledged_;
  body_end_ = body_start_ + batch.buffer->count();
}

// Nobody who appends waits for these two: they may take milliseconds.
void ChainWriter::encode(const ChainFacts& facts) {
  facts_body_ = facts_patch(facts, number_);
  request_ = asking("PATCH", run_->path + "/about", Media::json, facts_body_);
  request_.most = most_of_documents;
}

void ChainWriter::encode(Batch& batch) {
  batch.buffer->encode(body_, body_start_);
  request_ = asking("POST", path_ + "/draws", Media::protobuf, wire::text_of(body_));
  auto emptied = std::move(batch.buffer);
  emptied->clear();
  const std::lock_guard<std::mutex> lock(mutex_);
  body_bytes_ = body_.size();
  queued_bytes_ += body_bytes_;
  queued_bytes_ -= batch.bytes;
  keep(std::move(emptied));
}

// Each is up to twice as large as a request. Two take no more than what may wait, as long as requests are small beside
// that.
void ChainWriter::keep(std::unique_ptr<DrawBuffer> emptied) {
  const auto& flush = shared_.options->flush;
  const std::size_t most = flush.max_request <= flush.max_buffered / 4 ? most_spares : 1;
  if (spares_.size() < most && !is_closed_) spares_.push_back(std::move(emptied));
}

void ChainWriter::finish(CURLcode code) {
  std::optional<Failure> failure;
  bool is_refused_as_whole = false;
  try {
    const Answer& answer = exchange_->finish(code);
    failure = judge(answer);
    const bool is_too_large = answer.curl == CURLE_OK && answer.status == 413;
    const bool is_stuck = answer.is_body_stuck && request_.body.size() > least_stuck;
    if (failure && (is_too_large || is_stuck)) is_refused_as_whole = cut() && is_too_large;
  } catch (const std::exception& e) {  // memory is out: later there may be some
    failure = Failure(Error("transport", request_.path + ": the answer cannot be read: " + e.what()));
  }
  exchange_->forget();
  if (failure && !is_refused_as_whole) {
    finish_failed(*failure);
  } else {
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
  changed_.notify_all();
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
    const auto length = chain_of(answer, number_).length;
    if (length >= body_end_) return {};
    damaged("a length of " + std::to_string(length) + " was acknowledged instead of " + std::to_string(body_end_));
  } catch (const Error& e) {
    return Failure(Error(e.code(), "POST " + path_ + "/draws: " + detail_of(e), answer.status));
  }
}

// The request under way becomes one of half its draws, which the others follow. False where it has but one.
bool ChainWriter::cut() {
  if (sent_ != Sent::draws || body_end_ - body_start_ < 2) return false;
  auto [first, second, first_count, second_count] = wire::split_batch(wire::text_of(body_), *run_->schema);
  const std::lock_guard<std::mutex> lock(mutex_);
  queued_bytes_ += first.size() + second.size();
  queued_bytes_ -= body_bytes_;
  most_request_ = std::max<std::size_t>(1, std::min(most_request_, body_bytes_ / 2));
  pieces_.push_front({std::move(second), second_count});
  body_ = std::move(first);
  body_bytes_ = body_.size();
  body_end_ = body_start_ + first_count;
  request_.body = wire::text_of(body_);
  return true;
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

void ChainWriter::fail(const Error& error) {
  backoff_.reset();
  wait_until_ = {};
  if (sent_ == Sent::facts) {
    sent_ = Sent::nothing;
    facts_failure_ =
        Error(error.code(), "facts of " + name() + ": " + detail_of(error), error.status(), error.length());
    return;
  }
  failure_ = with_unsent(error);
}

Error ChainWriter::with_unsent(const Error& error) const {
  std::string detail = detail_of(error);
  if (error.code() == "draw_gap") {
    detail += "; the server has lost draws that it had acknowledged, and they are kept here no longer";
  } else if (error.code() == "draw_conflict") {
    detail += "; another writer is at work on this chain";
  } else if (error.code() == "payload_too_large") {
    detail += "; the next draw alone is more than it takes";
  }
  detail += "; " + std::to_string(end_ - acknowledged_) + " draws of " + name() + " from index " +
            std::to_string(acknowledged_) + " on are not acknowledged";
  return {error.code(), detail, error.status(), error.length()};
}

std::string ChainWriter::name() const { return "chain " + std::to_string(number_) + " of run " + run_->meta.rid; }

void ChainWriter::give_up(const std::string& why) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_sending_ = false;
    if (end_ > acknowledged_ && !failure_) failure_ = with_unsent(Error("transport", why));
    if (has_facts() && !facts_failure_) facts_failure_ = Error("transport", "facts of " + name() + ": " + why);
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
