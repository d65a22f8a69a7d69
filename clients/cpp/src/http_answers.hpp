// Meaning of answers: success, refusal, or an outage; and the JSON of those that have some.
#pragma once

#include <cstdint>
#include <mcbackend/interfaces.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http_exchange.hpp"

namespace mcbackend::http {

struct Failure {
  explicit Failure(Error what, bool may_pass = true, std::optional<milliseconds> after = {})
      : error(std::move(what)), is_passing(may_pass), retry_after(after) {}
  Error error;
  /// True where the same request may succeed later.
  bool is_passing;
  std::optional<milliseconds> retry_after;
  /// True where the client's own settings or the server's certificate are at fault, so that only a person can help.
  bool is_setup = false;
  /// True where a part of the body may succeed at once: it is too large, or has not left in time.
  bool is_too_large = false;
};

/// The failure that an answer tells; nothing for a success by its status and type. An answer that is none of the
/// server's, such as the page of a proxy, a redirect, or an error without a code of the protocol, is an outage: it
/// passes.
std::optional<Failure> failure_of(const HttpOptions& options, const Request& request, const Answer& answer);

/// An answer that looked well, and turns out not to be the server's.
[[noreturn]] void damaged(const std::string& why);
/// True for the error of damaged(), and that of malformed protobuf in answers.
bool is_damage(const Error& error) noexcept;
/// The text of an error without its code.
std::string detail_of(const Error& error);

/// The identity of a registration, which tells a server from a proxy. @throws Error by damaged()
const std::string& registration_of(const Answer& answer);

struct ChainState {
  std::int32_t number = 0;
  std::uint64_t length = 0;
};

/// @throws Error by damaged() for what is no chain, or another one than `number`
ChainState chain_of(const Answer& answer, std::int32_t number);
/// The length that acknowledges draws before index `end`. @throws Error by damaged() for a chain that is shorter, or
/// none
std::uint64_t acknowledged(const Answer& answer, std::int32_t number, std::uint64_t end);
/// @throws Error by damaged()
std::vector<ChainState> chains_of(const Answer& answer);
/// @throws Error by damaged(); not_found from a server of an older release, which gives all runs where conditions are
/// given
RunPage run_page_of(const Answer& answer, const RunQuery& query);
/// Facts of one chain in a run's names, notes and facts; empty where there are none. @throws Error by damaged()
ChainFacts facts_of(const Answer& answer, std::int32_t number);
/// Rows of a dense metric. @throws Error invalid_parameter for a number of elements that is no square
std::size_t rows_of(const ChainFacts& facts);
/// The change that adds facts of one chain, as a merge patch.
std::string facts_patch(const ChainFacts& facts, std::int32_t number);

/// Percent-encoded, for a query.
std::string escaped(std::string_view text);

}  // namespace mcbackend::http
