#include "http_chain.hpp"

#include <algorithm>
#include <utility>

#include "batch_rows.hpp"
#include "wire_split.hpp"

namespace mcbackend {
namespace http {
namespace {

/// Iterations of a batch at most (docs/protocol.md §5).
constexpr std::uint32_t max_count = 1'000'000;

Shared shared_of(HttpOptions options) {
  auto log = std::make_shared<Outages>(options.log);
  return {std::make_shared<const HttpOptions>(std::move(options)), std::move(log), std::make_shared<Multi>()};
}

}  // namespace

Session::Session(HttpOptions options)
    : shared_(shared_of(std::move(options))), link_(shared_.options, shared_.outages), sender_(shared_) {}

void Session::leave(const std::shared_ptr<ChainWriter>& writer) noexcept {
  writer->abandon();
  const std::lock_guard<std::mutex> lock(mutex_);
  left_.erase(std::remove_if(left_.begin(), left_.end(), [](const auto& other) { return other.expired(); }),
              left_.end());
  left_.push_back(writer);
}

void Session::settle(const std::string& registration, std::optional<std::int32_t> number) {
  std::vector<std::shared_ptr<ChainWriter>> writers;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& each : left_) {
      auto writer = each.lock();
      if (writer && writer->is_of(registration, number)) writers.push_back(std::move(writer));
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
  if (is_sent_) session_->leave(writer_);
}

void HttpChain::be_sent() {
  if (!is_sent_.exchange(true)) session_->sender().add(writer_);
}

void HttpChain::append(View<NamedValue> draw, View<NamedValue> stats) {
  if (!is_sent_.load(std::memory_order_relaxed)) be_sent();
  writer_->append(draw, stats);
}

void HttpChain::set_facts(const ChainFacts& facts) {
  writer_->set_facts(facts);
  be_sent();
}

// The draws go out from the caller's own thread, who waits for them in any case. When a part of them has been stored
// and another has not, the handle counts none of them, so that the batch can be appended again: what is stored is
// compared then.
std::uint64_t HttpChain::append_batch(const DrawBatch& batch) {
  writer_->require_usable();
  BatchRows rows(*run_->schema, batch);
  writer_->flush_draws();
  const auto start = batch.start.value_or(writer_->end());
  const auto most = session_->shared().options->flush.max_request;
  DrawBuffer buffer(run_->schema);
  wire::Bytes body;
  std::uint64_t done = start;
  std::uint64_t length = start;
  for (std::uint32_t i = 0; i < rows.count(); ++i) {
    const auto draw = rows.draw(i);
    buffer.put(draw, rows.stats(i));
    const bool is_full = buffer.count() >= max_count || buffer.bytes() + buffer.bytes() / buffer.count() > most;
    if (!is_full && i + 1 < rows.count()) continue;
    buffer.encode(body, done);
    length = post(wire::text_of(body), done, buffer.count());
    done += buffer.count();
    buffer.clear();
  }
  // Others may have written behind a start that the caller chose; without one, the next draws go behind these.
  writer_->continue_at(batch.start ? length : done);
  return length;
}

std::uint64_t HttpChain::post(std::string_view body, std::uint64_t start, std::uint32_t count) {
  Request request;
  request.method = "POST";
  request.path = run_->path + "/chains/" + std::to_string(number_) + "/draws";
  request.registration = run_->registration;
  request.sent = Media::protobuf;
  request.body = body;
  const auto end = start + count;
  try {
    return session_->link().send(request, [&](const Answer& answer) {
      const auto length = chain_of(answer, number_).length;
      if (length < end)
        damaged("a length of " + std::to_string(length) + " was acknowledged instead of " + std::to_string(end));
      return length;
    });
  } catch (const Error& e) {
    if (e.status() != 413 || count < 2) throw;
  }
  const auto halves = wire::split_batch(body, *run_->schema);
  post(wire::text_of(halves.first), start, halves.first_count);
  return post(wire::text_of(halves.second), start + halves.first_count, halves.second_count);
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
