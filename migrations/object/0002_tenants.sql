ALTER TABLE `chains` ADD `bytes` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `runs` ADD `meta_bytes` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
UPDATE `runs` SET `meta_bytes` = (SELECT coalesce(sum(CASE typeof(`data`) WHEN 'text' THEN octet_length(`data`) * 3 / 4 ELSE octet_length(`data`) END), 0) FROM `run_meta` WHERE `run_id` = `runs`.`id`);--> statement-breakpoint
UPDATE `chains` SET `bytes` = `tail_bytes` + (SELECT coalesce(sum(CASE typeof(`data`) WHEN 'text' THEN octet_length(`data`) * 3 / 4 ELSE octet_length(`data`) END), 0) FROM `chunks` WHERE `chain_id` = `chains`.`id`);
