ALTER TABLE `chunks` ADD `sums` blob;--> statement-breakpoint
ALTER TABLE `tail` ADD `sum` integer;--> statement-breakpoint
UPDATE `chains` SET `bytes` = `bytes` + 100 * (`tail_rows` + (SELECT count(*) FROM `chunks` WHERE `chain_id` = `chains`.`id`));
