ALTER TABLE `chunks` ADD `sums` blob;--> statement-breakpoint
ALTER TABLE `tail` ADD `sum` integer;--> statement-breakpoint
UPDATE `chains` SET `bytes` = `bytes` + 100 * (`tail_rows` + (SELECT count(*) FROM `chunks` WHERE `chain_id` = `chains`.`id`)) + 4 * `tail_rows` * coalesce((SELECT `variables` + `sample_stats` FROM `runs` WHERE `id` = `run_id`), 0) + coalesce((SELECT octet_length(`levels`) FROM `levels` WHERE `chain_id` = `chains`.`id`), 0);
