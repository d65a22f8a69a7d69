CREATE TABLE `chains` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`run_id` integer NOT NULL,
	`number` integer NOT NULL,
	`length` integer NOT NULL,
	`folded` integer NOT NULL,
	`tail_rows` integer NOT NULL,
	`tail_bytes` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `chains_by_number` ON `chains` (`run_id`,`number`);--> statement-breakpoint
CREATE TABLE `chunks` (
	`id` integer PRIMARY KEY NOT NULL,
	`chain_id` integer NOT NULL,
	`col` integer NOT NULL,
	`start` integer NOT NULL,
	`part` integer NOT NULL,
	`count` integer NOT NULL,
	`data` blob
);
--> statement-breakpoint
CREATE UNIQUE INDEX `chunks_by_start` ON `chunks` (`chain_id`,`col`,`start`,`part`);--> statement-breakpoint
CREATE TABLE `levels` (
	`chain_id` integer PRIMARY KEY NOT NULL,
	`levels` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `run_meta` (
	`run_id` integer NOT NULL,
	`part` integer NOT NULL,
	`data` blob,
	PRIMARY KEY(`run_id`, `part`)
);
--> statement-breakpoint
CREATE TABLE `runs` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`tenant` text NOT NULL,
	`rid` text NOT NULL,
	`registration` text NOT NULL,
	`created_at` integer NOT NULL,
	`variables` integer NOT NULL,
	`sample_stats` integer NOT NULL,
	`deleted` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `runs_registration_unique` ON `runs` (`registration`);--> statement-breakpoint
CREATE UNIQUE INDEX `runs_by_rid` ON `runs` (`tenant`,`rid`);--> statement-breakpoint
CREATE INDEX `runs_by_age` ON `runs` (`tenant`,`id`);--> statement-breakpoint
CREATE TABLE `tail` (
	`id` integer PRIMARY KEY NOT NULL,
	`start` integer NOT NULL,
	`count` integer NOT NULL,
	`data` blob
);
