#include "http_writer.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace mcbackend::http {
namespace {

/// Emptied buffers that are kept at most.
constexpr std::size_t most_spares = 2;

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
      request_size_(shared_.options->flush.max_request),
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
  const bool fits = active_->put(draw, stats, request_size_.bytes());
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
  const auto most = request_size_.bytes();
  const bool is_near = bytes > most / 2;
  if (count >= max_count || (is_near && bytes + bytes / count > most)) {
    try {
      seal();
    } catch (const std::bad_alloc&) {
      is_due_ = true;  // the draw is kept, and the batch is sealed by the next one, or when it is sent
    }
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
    auto merged = facts_.value_or(ChainFacts{});
    if (facts.seed) merged.seed = facts.seed;
    if (facts.step_size) merged.step_size = facts.step_size;
    if (!facts.inverse_metric.empty()) {
      merged.inverse_metric = facts.inverse_metric;
      merged.is_dense = facts.is_dense;
    }
    facts_ = std::move(merged);
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

bool ChainWriter::is_abandoned() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return is_abandoned_;
}

std::size_t ChainWriter::most_request() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return request_size_.bytes();
}

bool ChainWriter::is_oversized(std::size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return request_size_.is_oversized(bytes);
}

void ChainWriter::note_refused(std::size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  request_size_.refuse(bytes);
}

void ChainWriter::note_taken(std::size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  request_size_.take(bytes);
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

// Nothing has changed where it throws.
void ChainWriter::seal() {
  auto& batch = sealed_.emplace_back();
  batch.bytes = active_->bytes();
  batch.buffer = std::move(active_);
  queued_bytes_ += batch.bytes;
  is_due_ = false;
}

std::unique_ptr<DrawBuffer> ChainWriter::take_spare() {
  if (spares_.empty()) return std::make_unique<DrawBuffer>(run_->schema);
  auto spare = std::move(spares_.back());
  spares_.pop_back();
  return spare;
}

// Each is up to twice as large as a request. Two take no more than what may wait, as long as requests are small beside
// that.
void ChainWriter::keep(std::unique_ptr<DrawBuffer> emptied) {
  const auto& flush = shared_.options->flush;
  const std::size_t most = flush.max_request <= flush.max_buffered / 4 ? most_spares : 1;
  if (spares_.size() < most && !is_closed_) spares_.push_back(std::move(emptied));
}

Error ChainWriter::of_facts(const Error& error) const noexcept {
  try {
    return {error.code(), "facts of " + name() + ": " + detail_of(error), error.status(), error.length()};
  } catch (const std::bad_alloc&) {
    return out_of_memory_;
  }
}

Error ChainWriter::with_unsent(const Error& error) const noexcept {
  try {
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
  } catch (const std::bad_alloc&) {
    return out_of_memory_;
  }
}

std::string ChainWriter::name() const { return "chain " + std::to_string(number_) + " of run " + run_->meta.rid; }

}  // namespace mcbackend::http
