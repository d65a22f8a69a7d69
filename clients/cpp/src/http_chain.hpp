// Chains of a server, and what all handles of a backend share.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mcbackend/interfaces.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http_link.hpp"
#include "http_reader.hpp"
#include "http_sender.hpp"
#include "http_writer.hpp"

namespace mcbackend::http {

/// Kept alive by the handles of backend, runs and chains. It ends with the last of them, when the draws that wait are
/// sent.
class Session {
 public:
  explicit Session(HttpOptions options);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() = default;

  Link& link() noexcept { return link_; }
  Sender& sender() noexcept { return sender_; }
  const Shared& shared() const noexcept { return shared_; }
  /// Sends for this writer from now on, until its handle is gone and its draws are sent.
  void send_for(const std::shared_ptr<ChainWriter>& writer);
  /// Waits for the draws of handles that are gone, so that a new handle begins behind them.
  /// @param number one chain; all of them when it is absent
  void settle(const std::string& registration, std::optional<std::int32_t> number);

 private:
  const Shared shared_;
  Link link_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<ChainWriter>> writers_;
  // The last member, and so the first to end: it uses the others.
  Sender sender_;
};

class HttpChain final : public Chain {
 public:
  HttpChain(std::shared_ptr<Session> session, std::shared_ptr<const RunState> run, ChainState chain, bool is_new);
  HttpChain(const HttpChain&) = delete;
  HttpChain& operator=(const HttpChain&) = delete;
  ~HttpChain() override;

  const std::string& rid() const noexcept override { return run_->meta.rid; }
  std::int32_t number() const noexcept override { return number_; }
  bool is_new() const noexcept override { return is_new_; }

  void append(View<NamedValue> draw, View<NamedValue> stats) override;
  std::uint64_t append_batch(const DrawBatch& batch) override;
  void flush() override { writer_->flush(); }
  void close() override { writer_->close(); }
  std::uint64_t length() override;
  NdArray get_draws(std::string_view name, const Slice& slice) override { return array(variable(name), slice); }
  NdArray get_stats(std::string_view name, const Slice& slice) override { return array(stat(name), slice); }
  std::vector<NdArray> get_draws_list(std::string_view name, const Slice& slice) override {
    return list(variable(name), slice);
  }
  std::vector<NdArray> get_stats_list(std::string_view name, const Slice& slice) override {
    return list(stat(name), slice);
  }
  std::map<std::string, NdArray> get_draws_at(std::int64_t index, View<std::string_view> names) override;
  std::map<std::string, NdArray> get_stats_at(std::int64_t index, View<std::string_view> names) override;
  void set_facts(const ChainFacts& facts) override;
  ChainFacts facts() override;

  WriterStatus status() const { return writer_->status(); }
  void resume() { writer_->resume(); }

 private:
  const Column& variable(std::string_view name) const;
  const Column& stat(std::string_view name) const;
  NdArray array(const Column& column, const Slice& slice);
  std::vector<NdArray> list(const Column& column, const Slice& slice);
  void be_sent();
  std::uint64_t post(wire::Bytes& body, std::uint64_t start, std::uint32_t count);

  std::shared_ptr<Session> session_;
  std::shared_ptr<const RunState> run_;
  std::int32_t number_;
  bool is_new_;
  std::shared_ptr<ChainWriter> writer_;
  ChainReader reader_;
  /// True when the sending thread knows of this chain: most handles only read.
  std::atomic<bool> is_sent_{false};
};

}  // namespace mcbackend::http
