-- The marks of deletions stay: they alone keep what arrives late from bringing a deleted run back, and the generations of a rid
-- from beginning anew. No generation is 0, so that this rule ends none of them (a rule can be set twice, but not be removed twice).
ALTER TABLE deletions MODIFY TTL toDateTime(deleted) + INTERVAL 30 DAY DELETE WHERE generation = 0;
