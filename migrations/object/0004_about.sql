CREATE TABLE `about` (
	`run_id` integer PRIMARY KEY NOT NULL,
	`document` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `terms` (
	`run_id` integer NOT NULL,
	`term` text NOT NULL,
	`tenant` text NOT NULL,
	PRIMARY KEY(`run_id`, `term`)
);
--> statement-breakpoint
CREATE INDEX `terms_by_term` ON `terms` (`tenant`,`term`,`run_id`);--> statement-breakpoint
DROP INDEX `runs_by_age`;--> statement-breakpoint
ALTER TABLE `runs` ADD `shown` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `runs` ADD `folded` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `runs` ADD `archived` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `runs` ADD `finished` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `runs` ADD `expected` integer;--> statement-breakpoint
ALTER TABLE `runs` ADD `revision` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `runs` ADD `about_bytes` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `runs` ADD `touched_at` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `runs` ADD `indexed` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
UPDATE `runs` SET `touched_at` = max(`created_at`, coalesce((SELECT max(`updated_at`) FROM `chains` WHERE `run_id` = `runs`.`id`), 0));--> statement-breakpoint
CREATE INDEX `runs_for_list` ON `runs` (`tenant`,`id`,`deleted`,`archived`,`created_at`,`touched_at`,`rid`,`folded`);--> statement-breakpoint
ALTER TABLE `announcement` ADD `told` text DEFAULT '' NOT NULL;
