#include "http_chain.hpp"

#include <algorithm>
#include <deque>
#include <utility>

#include "batch_rows.hpp"
#include "wire_split.hpp"

namespace mcbackend {
namespace http {
namespace {

Shared shared_of(HttpOptions options) {
  auto log = std::make_shared<Outages>(options.log);
  return {std::make_shared<const HttpOptions>(std::move(options)), std::move(log), std::make_shared<Multi>()};
}

}  // namespace

Session::Session(HttpOptions options)
    : shared_(shared_of(std::move(options))), link_(shared_.options, shared_.outages), sender_(shared_) {}

void Session::send_for(const std::shared_ptr<ChainWriter>& writer) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    writers_.erase(std::remove_if(writers_.begin(), writers_.end(), [](const auto& other) { return other.expired(); }),
                   writers_.end());
    writers_.push_back(writer);
  }
  sender_.add(writer);
}

void Session::settle(const std::string& registration, std::optional<std::int32_t> number) {
  std::vector<std::shared_ptr<ChainWriter>> writers;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& each : writers_) {
      auto writer = each.lock();
      if (writer && writer->is_of(registration, number) && writer->is_abandoned()) writers.push_back(std::move(writer));
    }
  }
  for (const auto& writer : writers) writer->wait_until_settled();
}

HttpChain::HttpChain(std::shared_ptr<Session> session, std::shared_ptr<const RunState> run, ChainState chain,
                     bool is_new)
    : session_(std::move(session)),
      run_(std::move(run)),
      number_(chain.number),
      is_new_(is_new),
      writer_(std::make_shared<ChainWriter>(session_->shared(), run_, chain)),
      reader_(session_->link(), run_, number_) {}

HttpChain::~HttpChain() {
  if (is_sent_) writer_->abandon();
}

void HttpChain::be_sent() {
  if (is_sent_.exchange(true)) return;
  try {
    session_->send_for(writer_);
  } catch (...) {
    is_sent_ = false;
    throw;
  }
}

void HttpChain::append(View<NamedValue> draw, View<NamedValue> stats) {
  if (!is_sent_.load(std::memory_order_relaxed)) be_sent();
  writer_->append(draw, stats);
}

void HttpChain::set_facts(const ChainFacts& facts) {
  be_sent();
  writer_->set_facts(facts);
}

// The draws go out from the caller's own thread, who waits for them in any case. When a part of them has been stored
// and another has not, the handle counts none of them, so that the batch can be appended again: what is stored is
// compared then.
std::uint64_t HttpChain::append_batch(const DrawBatch& batch) {
  writer_->require_usable();
  BatchRows rows(*run_->schema, batch);
  writer_->flush_draws();
  const auto start = batch.start.value_or(writer_->end());
  DrawBuffer buffer(run_->schema);
  wire::Bytes body;
  std::uint64_t done = start;
  std::uint64_t length = start;
  for (std::uint32_t i = 0; i < rows.count(); ++i) {
    const auto draw = rows.draw(i);
    buffer.put(draw, rows.stats(i));
    const auto most = writer_->most_request();
    const bool is_full = buffer.count() >= max_count || buffer.bytes() + buffer.bytes() / buffer.count() > most;
    if (!is_full && i + 1 < rows.count()) continue;
    buffer.encode(body, done);
    length = post(body, done, buffer.count());
    done += buffer.count();
    buffer.clear();
  }
  // Others may have written behind a start that the caller chose; without one, the next draws go behind these.
  writer_->continue_at(batch.start ? length : done);
  return length;
}

// The first part becomes two until it is taken. The memory of the last one is given back for the next batch.
std::uint64_t HttpChain::post(wire::Bytes& body, std::uint64_t start, std::uint32_t count) {
  struct Part {
    wire::Bytes body;
    std::uint32_t count;
  };
  std::deque<Part> parts;
  parts.push_front({std::move(body), count});
  Request request;
  request.method = "POST";
  request.path = run_->path + "/chains/" + std::to_string(number_) + "/draws";
  request.registration = run_->registration;
  request.sent = Media::protobuf;
  const auto cut = [&] {
    auto& first = parts.front();
    if (first.count < 2) return false;
    auto halves = wire::split_batch(wire::text_of(first.body), *run_->schema);
    first = {std::move(halves.second), halves.second_count};
    parts.push_front({std::move(halves.first), halves.first_count});
    request.body = wire::text_of(parts.front().body);
    return true;
  };
  const auto cut_refused = [&] {
    const auto size = request.body.size();
    if (!cut()) return false;
    writer_->note_refused(size);
    return true;
  };
  std::uint64_t length = start;
  for (auto done = start; !parts.empty(); parts.pop_front()) {
    while (writer_->is_oversized(parts.front().body.size()) && cut()) continue;
    request.body = wire::text_of(parts.front().body);
    const auto length_in = [&](const Answer& answer) {
      return acknowledged(answer, number_, done + parts.front().count);
    };
    length = session_->link().send_parts(request, length_in, cut_refused);
    writer_->note_taken(request.body.size());
    done += parts.front().count;
    body = std::move(parts.front().body);
  }
  return length;
}

std::uint64_t HttpChain::length() {
  writer_->flush_draws();
  return reader_.length();
}

const Column& HttpChain::variable(std::string_view name) const {
  const auto* column = run_->schema->find_draw(name);
  if (column == nullptr)
    throw Error("unknown_variable", "run " + rid() + " has no variable \"" + std::string(name) + '"');
  return *column;
}

const Column& HttpChain::stat(std::string_view name) const {
  const auto* column = run_->schema->find_stat(name);
  if (column == nullptr)
    throw Error("unknown_variable", "run " + rid() + " has no sampler stat \"" + std::string(name) + '"');
  return *column;
}

NdArray HttpChain::array(const Column& column, const Slice& slice) {
  if (!column.is_rigid) {
    throw Error("shape_mismatch", "the shape of " + column.label() +
                                      " varies: its draws are no array, but a list (get_draws_list, get_stats_list)");
  }
  writer_->flush_draws();
  return reader_.array(column, slice);
}

std::vector<NdArray> HttpChain::list(const Column& column, const Slice& slice) {
  writer_->flush_draws();
  return reader_.list(column, slice);
}

std::map<std::string, NdArray> HttpChain::get_draws_at(std::int64_t index, View<std::string_view> names) {
  std::vector<const Column*> columns;
  for (const auto name : names) columns.push_back(&variable(name));
  if (names.empty()) {
    for (const auto& column : run_->schema->draws()) columns.push_back(&column);
  }
  writer_->flush_draws();
  return reader_.at(index, columns);
}

std::map<std::string, NdArray> HttpChain::get_stats_at(std::int64_t index, View<std::string_view> names) {
  std::vector<const Column*> columns;
  for (const auto name : names) columns.push_back(&stat(name));
  if (names.empty()) {
    for (const auto& column : run_->schema->stats()) columns.push_back(&column);
  }
  writer_->flush_draws();
  return reader_.at(index, columns);
}

ChainFacts HttpChain::facts() {
  flush();
  return reader_.facts();
}

}  // namespace http

namespace {

const char* const not_ours = "the chain is not one of http_backend()";

}  // namespace

WriterStatus writer_status(const Chain& chain) {
  const auto* ours = dynamic_cast<const http::HttpChain*>(&chain);
  if (ours == nullptr) throw Error("invalid_parameter", not_ours);
  return ours->status();
}

void resume(Chain& chain) {
  auto* ours = dynamic_cast<http::HttpChain*>(&chain);
  if (ours == nullptr) throw Error("invalid_parameter", not_ours);
  ours->resume();
}

}  // namespace mcbackend
