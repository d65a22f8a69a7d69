CREATE TABLE `catalogue` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`tenant` text NOT NULL,
	`rid` text NOT NULL,
	`registration` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`variables` integer NOT NULL,
	`sample_stats` integer NOT NULL,
	`chains` integer NOT NULL,
	`draws` integer NOT NULL,
	`bytes` integer DEFAULT 0 NOT NULL,
	`version` integer NOT NULL,
	`shown` text DEFAULT '' NOT NULL,
	`folded` text DEFAULT '' NOT NULL,
	`archived` integer DEFAULT 0 NOT NULL,
	`finished` integer DEFAULT 0 NOT NULL,
	`expected` integer,
	`diagnostics` text,
	`shortest` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `catalogue_by_rid` ON `catalogue` (`tenant`,`rid`);--> statement-breakpoint
CREATE INDEX `catalogue_for_list` ON `catalogue` (`tenant`,`id`,`archived`,`created_at`,`rid`,`folded`);--> statement-breakpoint
CREATE TABLE `catalogue_stages` (
	`tenant` text NOT NULL,
	`rid` text NOT NULL,
	`bytes` integer NOT NULL,
	`version` integer NOT NULL,
	PRIMARY KEY(`tenant`, `rid`)
);
--> statement-breakpoint
CREATE TABLE `catalogue_terms` (
	`run_id` integer NOT NULL,
	`term` text NOT NULL,
	`tenant` text NOT NULL,
	PRIMARY KEY(`run_id`, `term`)
);
--> statement-breakpoint
CREATE INDEX `catalogue_terms_by_term` ON `catalogue_terms` (`tenant`,`term`,`run_id`);--> statement-breakpoint
CREATE TABLE `departed` (
	`rid` text PRIMARY KEY NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `shard` (
	`id` integer PRIMARY KEY NOT NULL,
	`tenant` text NOT NULL,
	`number` integer NOT NULL,
	`shards` integer NOT NULL,
	`adopted` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE `unsettled` (
	`rid` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`due` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `unsettled_by_due` ON `unsettled` (`due`);