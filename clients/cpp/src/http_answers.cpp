#include "http_answers.hpp"

#include <cmath>
#include <limits>
#include <utility>

#include "json.hpp"

namespace mcbackend::http {
namespace {

bool is_transient(int status) noexcept {
  return status == 408 || status == 429 || status == 502 || status == 503 || status == 504;
}

/// Bytes of a body that are not too many for any network: one that takes them not in time is out.
constexpr std::size_t least_stuck = std::size_t{64} << 10;

bool is_too_large(const Request& request, const Answer& answer) noexcept {
  if (answer.is_body_stuck) return request.body.size() > least_stuck;
  return answer.curl == CURLE_OK && answer.status == 413;
}

bool is_setup_failure(CURLcode code) noexcept {
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
      return true;
    default:
      return false;
  }
}

/// The answer as JSON. @throws Error invalid_answer, as damaged() does
json::Value parsed(const Answer& answer) { return json::parse(answer.body); }

std::uint64_t required_number(const json::Value& object, const char* name) {
  const auto* value = object.find(name);
  const auto number = value == nullptr ? std::nullopt : value->natural();
  if (!number) damaged(std::string("the answer has no number \"") + name + '"');
  return *number;
}

const json::List& required_list(const json::Value& object, const char* name) {
  const auto* value = object.find(name);
  const auto* list = value == nullptr ? nullptr : value->list();
  if (list == nullptr) damaged(std::string("the answer has no list \"") + name + '"');
  return *list;
}

/// The error that a server reports; nothing for an answer that has no code of the protocol.
std::optional<Error> problem_of(const Answer& answer) {
  if (answer.type != "application/problem+json" && answer.type != "application/json") return {};
  try {
    const auto problem = parsed(answer);
    const auto code = problem.text_of("code");
    if (code.empty()) return {};
    const auto* length = problem.find("length");
    return Error(code, problem.text_of("detail"), answer.status, length == nullptr ? std::nullopt : length->natural());
  } catch (const Error&) {
    return {};
  }
}

std::string name_of_request(const HttpOptions& options, const Request& request) {
  const auto path = std::string_view(request.path).substr(0, request.path.find('?'));
  return std::string(request.method) + ' ' + options.url + std::string(path);
}

bool is_expected(const Request& request, int status) noexcept {
  const bool has_no_body = std::string_view(request.method) == "DELETE";
  return has_no_body ? status == 204 : status == 200 || status == 201;
}

ChainState chain_in(const json::Value& chain) {
  const auto number = required_number(chain, "chain");
  if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max()))
    damaged("no chain has such a number");
  return {static_cast<std::int32_t>(number), required_number(chain, "length")};
}

RunSummary summary_in(const json::Value& run, bool is_filtered) {
  if (is_filtered && run.find("state") == nullptr) {
    throw Error("not_found", "the server is of an older release, which finds no runs by conditions");
  }
  RunSummary summary;
  summary.rid = run.text_of("rid");
  if (summary.rid.empty()) damaged("a run of the list has no rid");
  summary.created_at = run.text_of("createdAt");
  summary.updated_at = run.text_of("updatedAt");
  summary.variables = required_number(run, "variables");
  summary.sample_stats = required_number(run, "sampleStats");
  summary.chains = required_number(run, "chains");
  summary.draws = required_number(run, "draws");
  summary.name = run.text_of("name");
  const auto* tags = run.find("tags");
  if (tags != nullptr && tags->list() != nullptr) {
    for (const auto& tag : *tags->list()) {
      if (tag.text() != nullptr) summary.tags.push_back(*tag.text());
    }
  }
  const auto* archived = run.find("archived");
  summary.archived = archived != nullptr && archived->boolean().value_or(false);
  return summary;
}

/// Numbers that are not finite, as the protocol's JSON has them.
constexpr const char* nan_text = "NaN";
constexpr const char* inf_text = "Infinity";
constexpr const char* minus_inf_text = "-Infinity";

json::Value json_of(double value) {
  if (std::isfinite(value)) return value;
  if (std::isnan(value)) return nan_text;
  return value > 0 ? inf_text : minus_inf_text;
}

std::optional<double> float_in(const json::Value* value) {
  if (value == nullptr) return {};
  const auto* text = value->text();
  if (text == nullptr) return value->real();
  if (*text == nan_text) return std::numeric_limits<double>::quiet_NaN();
  if (*text == inf_text) return std::numeric_limits<double>::infinity();
  if (*text == minus_inf_text) return -std::numeric_limits<double>::infinity();
  return {};
}

/// A diagonal, or rows one behind the other.
void read_metric(const json::List& list, ChainFacts& facts) {
  for (const auto& item : list) {
    if (item.list() != nullptr) {
      facts.is_dense = true;
      for (const auto& cell : *item.list()) facts.inverse_metric.push_back(float_in(&cell).value_or(0));
    } else if (const auto number = float_in(&item)) {
      facts.inverse_metric.push_back(*number);
    }
  }
}

json::List json_of(const double* from, std::size_t count) {
  json::List list;
  list.reserve(count);
  for (std::size_t i = 0; i < count; ++i) list.emplace_back(json_of(from[i]));
  return list;
}

/// Numbers of a diagonal, or rows of a matrix.
json::List metric_json(const ChainFacts& facts) {
  const auto& metric = facts.inverse_metric;
  if (!facts.is_dense) return json_of(metric.data(), metric.size());
  const std::size_t rows = rows_of(facts);
  json::List list;
  for (std::size_t row = 0; row < rows; ++row) list.emplace_back(json_of(metric.data() + row * rows, rows));
  return list;
}

std::optional<Failure> found_failure(const HttpOptions& options, const Request& request, const Answer& answer) {
  const auto what = [&] { return name_of_request(options, request); };
  if (answer.curl != CURLE_OK) {
    Failure failure(Error("transport", what() + ": " + answer.failure));
    failure.is_setup = is_setup_failure(answer.curl);
    return failure;
  }
  if (answer.status >= 400) {
    if (auto problem = problem_of(answer)) return Failure(*problem, is_transient(answer.status), answer.retry_after);
  }
  // A proxy that refuses a size takes it no later.
  if (answer.status == 413)
    return Failure(Error("payload_too_large", what() + " is refused before the server, as too large", 413), false);
  const auto outage = [&](const std::string& why) {
    return Failure(Error("invalid_answer", what() + " was answered with " + why, answer.status), true,
                   answer.retry_after);
  };
  if (!is_expected(request, answer.status)) {
    return outage("status " + std::to_string(answer.status) +
                  " and no code of McBackend Edge; is that the server's address?");
  }
  if (request.answer != Media::none && answer.type != type_of(request.answer)) {
    const auto given = answer.type.empty() ? std::string("no type") : answer.type;
    return outage(given + " instead of " + type_of(request.answer) + "; is that the server's address?");
  }
  // A message may be cut between two fields without a trace, where nothing tells its end.
  if (request.answer == Media::protobuf && !answer.is_delimited) return outage("a body of unknown length");
  if (!answer.registration.empty() && !request.registration.empty() && answer.registration != request.registration) {
    return Failure(Error("run_replaced", "the run was registered anew", answer.status), false);
  }
  return {};
}

}  // namespace

void damaged(const std::string& why) { throw Error("invalid_answer", why); }

bool is_damage(const Error& error) noexcept { return error.code() == "invalid_answer"; }

std::string detail_of(const Error& error) {
  const std::string whole = error.what();
  return whole.substr(std::min(whole.size(), error.code().size() + 2));
}

std::optional<Failure> failure_of(const HttpOptions& options, const Request& request, const Answer& answer) {
  auto failure = found_failure(options, request, answer);
  if (failure) failure->is_too_large = is_too_large(request, answer);
  return failure;
}

const std::string& registration_of(const Answer& answer) {
  if (answer.registration.empty()) damaged("the answer has no Mcb-Registration; is that the server's address?");
  return answer.registration;
}

ChainState chain_of(const Answer& answer, std::int32_t number) {
  const auto chain = chain_in(parsed(answer));
  if (chain.number != number)
    damaged("chain " + std::to_string(chain.number) + " was answered instead of " + std::to_string(number));
  return chain;
}

std::uint64_t acknowledged(const Answer& answer, std::int32_t number, std::uint64_t end) {
  const auto length = chain_of(answer, number).length;
  if (length < end)
    damaged("a length of " + std::to_string(length) + " was acknowledged instead of " + std::to_string(end));
  return length;
}

std::vector<ChainState> chains_of(const Answer& answer) {
  const auto value = parsed(answer);
  std::vector<ChainState> chains;
  for (const auto& chain : required_list(value, "chains")) chains.push_back(chain_in(chain));
  return chains;
}

RunPage run_page_of(const Answer& answer, const RunQuery& query) {
  const auto value = parsed(answer);
  const bool is_filtered = !query.q.empty() || !query.tags.empty();
  RunPage page;
  for (const auto& run : required_list(value, "runs")) page.runs.push_back(summary_in(run, is_filtered));
  page.next_cursor = value.text_of("nextCursor");
  return page;
}

ChainFacts facts_of(const Answer& answer, std::int32_t number) {
  const auto value = parsed(answer);
  const auto* facts = value.find("facts");
  if (facts == nullptr) damaged("the answer has no \"facts\"");
  const auto* chains = facts->find("chains");
  const auto* chain = chains == nullptr ? nullptr : chains->find(std::to_string(number));
  ChainFacts out;
  if (chain == nullptr) return out;
  if (const auto* seed = chain->find("seed")) out.seed = seed->natural();
  out.step_size = float_in(chain->find("stepSize"));
  const auto* metric = chain->find("inverseMetric");
  if (metric != nullptr && metric->list() != nullptr) read_metric(*metric->list(), out);
  return out;
}

std::size_t rows_of(const ChainFacts& facts) {
  const auto count = facts.inverse_metric.size();
  const auto rows = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(count))));
  if (rows * rows == count) return rows;
  throw Error("invalid_parameter",
              "a dense inverse metric is a square, and has not " + std::to_string(count) + " numbers");
}

std::string facts_patch(const ChainFacts& facts, std::int32_t number) {
  json::Object chain;
  if (facts.seed) chain.emplace_back("seed", *facts.seed);
  if (facts.step_size) chain.emplace_back("stepSize", json_of(*facts.step_size));
  if (!facts.inverse_metric.empty()) chain.emplace_back("inverseMetric", metric_json(facts));
  json::Object chains{{std::to_string(number), std::move(chain)}};
  return json::dump(json::Object{{"facts", json::Object{{"chains", std::move(chains)}}}});
}

std::string escaped(std::string_view text) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
                          c == '_' || c == '.' || c == '~';
    if (is_plain) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', digits[byte >> 4U], digits[byte & 15U]};
    }
  }
  return out;
}

}  // namespace mcbackend::http
