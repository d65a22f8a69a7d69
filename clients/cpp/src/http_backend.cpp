// Runs of a server.
#include <algorithm>
#include <cstdint>
#include <mcbackend/http.hpp>
#include <random>
#include <utility>

#include "http_chain.hpp"
#include "http_options.hpp"

namespace mcbackend {
namespace http {
namespace {

bool is_run_id(std::string_view rid) noexcept {
  if (rid.empty() || rid.size() > 128 || rid == "." || rid == "..") return false;
  return std::all_of(rid.begin(), rid.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '_' ||
           c == '~' || c == '-';
  });
}

/// 128 random bits in hexadecimal.
std::string new_run_id() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 32; ++i) id += "0123456789abcdef"[random() % 16];
  return id;
}

std::shared_ptr<const RunState> state_of(RunMeta meta, std::string bytes, std::string registration) {
  auto state = std::make_shared<RunState>();
  state->schema = schema_of(meta);
  state->path = "/v1/runs/" + meta.rid;
  state->meta = std::move(meta);
  state->meta_bytes = std::move(bytes);
  state->registration = std::move(registration);
  return state;
}

class HttpRun final : public Run {
 public:
  HttpRun(std::shared_ptr<Session> session, std::shared_ptr<const RunState> run, bool is_new)
      : session_(std::move(session)), run_(std::move(run)), is_new_(is_new) {}

  const RunMeta& meta() const noexcept override { return run_->meta; }
  const std::string& meta_bytes() const noexcept override { return run_->meta_bytes; }
  const std::string& registration() const noexcept override { return run_->registration; }
  bool is_new() const noexcept override { return is_new_; }

  /// When an answer is lost, an `exclusive` call may find the chain that it has made itself, and refuses it: another's
  /// could not be told from it.
  std::shared_ptr<Chain> init_chain(std::int32_t number, bool exclusive) override {
    auto request = ask("PUT", path_of(number));
    if (exclusive) request.condition = "If-None-Match: *";
    session_->settle(run_->registration, number);
    return session_->link().send(
        request, [&](const Answer& answer) { return open(chain_of(answer, number), answer.status == 201); });
  }

  std::shared_ptr<Chain> get_chain(std::int32_t number) override {
    const auto request = ask("GET", path_of(number));
    session_->settle(run_->registration, number);
    try {
      return session_->link().send(request,
                                   [&](const Answer& answer) { return open(chain_of(answer, number), false); });
    } catch (const Error& e) {
      if (e.code() == "chain_not_found") return nullptr;
      throw;
    }
  }

  std::vector<std::shared_ptr<Chain>> get_chains() override {
    session_->settle(run_->registration, {});
    auto request = ask("GET", run_->path + "/chains");
    request.most = most_of_documents;
    const auto states = session_->link().send(request, chains_of);
    std::vector<std::shared_ptr<Chain>> chains;
    chains.reserve(states.size());
    for (const auto& state : states) chains.push_back(open(state, false));
    return chains;
  }

 private:
  std::string path_of(std::int32_t number) const {
    if (number < 0) throw Error("invalid_parameter", "a chain has a number from 0 on, not " + std::to_string(number));
    return run_->path + "/chains/" + std::to_string(number);
  }
  Request ask(const char* method, std::string path) const {
    Request request;
    request.method = method;
    request.path = std::move(path);
    request.registration = run_->registration;
    return request;
  }
  std::shared_ptr<Chain> open(const ChainState& state, bool is_new) const {
    return std::make_shared<HttpChain>(session_, run_, state, is_new);
  }

  std::shared_ptr<Session> session_;
  std::shared_ptr<const RunState> run_;
  bool is_new_;
};

class HttpBackend final : public Backend {
 public:
  explicit HttpBackend(HttpOptions options) : session_(std::make_shared<Session>(checked(std::move(options)))) {}

  std::shared_ptr<Run> init_run(RunMeta meta) override {
    const bool is_own = meta.rid.empty();
    if (is_own) meta.rid = new_run_id();
    auto bytes = encode_meta(meta);
    return put(std::move(meta), std::move(bytes), is_own);
  }

  std::shared_ptr<Run> init_run_bytes(std::string_view bytes) override {
    return put(decode_meta(bytes), std::string(bytes), false);
  }

  std::shared_ptr<Run> get_run(std::string_view rid) override {
    if (!is_run_id(rid)) return nullptr;
    Request request;
    request.path = "/v1/runs/" + std::string(rid);
    request.answer = Media::protobuf;
    request.most = most_of_documents;
    try {
      return session_->link().send(request, [&](Answer& answer) -> std::shared_ptr<Run> {
        const auto& registration = registration_of(answer);
        auto meta = meta_of(answer.body, rid);
        return std::make_shared<HttpRun>(session_, state_of(std::move(meta), std::move(answer.body), registration),
                                         false);
      });
    } catch (const Error& e) {
      if (e.code() == "run_not_found") return nullptr;
      throw;
    }
  }

  RunPage list_runs(const RunQuery& query) override {
    Request request;
    request.path = "/v1/runs?limit=" + std::to_string(query.limit);
    request.most = most_of_documents;
    if (!query.cursor.empty()) request.path += "&cursor=" + escaped(query.cursor);
    if (!query.q.empty()) request.path += "&q=" + escaped(query.q);
    for (const auto& tag : query.tags) request.path += "&tag=" + escaped(tag);
    return session_->link().send(request, [&](const Answer& answer) { return run_page_of(answer, query); });
  }

  bool delete_run(std::string_view rid) override {
    if (!is_run_id(rid)) return false;
    Request request;
    request.method = "DELETE";
    request.path = "/v1/runs/" + std::string(rid);
    request.answer = Media::none;
    request.is_counted = true;
    unsigned attempts = 0;
    try {
      return session_->link().send(request, [](const Answer&) { return true; }, &attempts);
    } catch (const Error& e) {
      // An earlier attempt, whose answer was lost, has deleted it.
      if (e.code() == "run_not_found") return attempts > 1;
      throw;
    }
  }

 private:
  /// The message of an answer. @throws Error by damaged() for what is none, or another run's
  static RunMeta meta_of(const std::string& bytes, std::string_view rid) {
    try {
      auto meta = decode_meta(bytes);
      if (meta.rid != rid) damaged("run \"" + meta.rid + "\" was answered instead of \"" + std::string(rid) + '"');
      return meta;
    } catch (const Error& e) {
      if (e.code() == "invalid_protobuf") damaged(detail_of(e));
      throw;
    }
  }

  /// @param is_own true for an id that was made here, whose run nobody else can have registered
  std::shared_ptr<Run> put(RunMeta meta, std::string bytes, bool is_own) {
    if (!is_run_id(meta.rid)) {
      throw Error("invalid_parameter",
                  '"' + meta.rid + "\" is no id of a run: 1 to 128 characters of A-Z a-z 0-9 . _ ~ -");
    }
    Request request;
    request.method = "PUT";
    request.path = "/v1/runs/" + meta.rid;
    request.answer = Media::none;
    request.sent = Media::protobuf;
    request.body = bytes;
    bool is_new = is_own;
    const auto registration = session_->link().send(request, [&](const Answer& answer) {
      is_new |= answer.status == 201;
      return registration_of(answer);
    });
    return std::make_shared<HttpRun>(session_, state_of(std::move(meta), std::move(bytes), registration), is_new);
  }

  std::shared_ptr<Session> session_;
};

}  // namespace
}  // namespace http

std::shared_ptr<Backend> http_backend(HttpOptions options) {
  return std::make_shared<http::HttpBackend>(std::move(options));
}

}  // namespace mcbackend
