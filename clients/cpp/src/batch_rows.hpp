// A DrawBatch of the caller, checked and given draw by draw: one way into buffers for single draws and for batches.
#pragma once

#include <cstdint>
#include <mcbackend/types.hpp>
#include <vector>

#include "schema.hpp"

namespace mcbackend {

/// Draws as views on a batch, which must outlive this, as must the schema.
class BatchRows {
 public:
  /// Checks all of the batch, so that every draw of it is known to be right.
  /// @throws Error empty_batch, unknown_variable, duplicate_variable, missing_variable, dtype_mismatch, shape_mismatch
  BatchRows(const Schema& schema, const DrawBatch& batch);

  std::uint32_t count() const noexcept { return count_; }
  /// Values of the draw at this index of the batch; valid until the next call.
  View<NamedValue> draw(std::uint32_t index) { return row(draws_, index); }
  View<NamedValue> stats(std::uint32_t index) { return row(stats_, index); }

 private:
  /// A column of the batch.
  struct Source {
    const Column* column;
    const NamedDraws* given;
    /// Shape of one draw, where the column is one array.
    Shape shape;
    std::size_t elements;
  };
  struct Side {
    std::vector<Source> sources;
    std::vector<NamedValue> values;
  };
  void add(Side& side, const Column* column, const NamedDraws& given) const;
  static Value value_at(const Source& source, std::uint32_t index);
  static View<NamedValue> row(Side& side, std::uint32_t index);

  std::uint32_t count_;
  Side draws_, stats_;
};

}  // namespace mcbackend
