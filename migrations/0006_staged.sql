CREATE TABLE `staged` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`stage_id` integer NOT NULL,
	`path` text NOT NULL,
	`part` integer NOT NULL,
	`size` integer NOT NULL,
	`sum` integer NOT NULL,
	`data` blob
);
--> statement-breakpoint
CREATE INDEX `staged_by_path` ON `staged` (`stage_id`,`path`,`part`,`size`);--> statement-breakpoint
CREATE TABLE `stages` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`tenant` text NOT NULL,
	`rid` text NOT NULL,
	`objects` integer NOT NULL,
	`bytes` integer NOT NULL,
	`deleted` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `stages_by_rid` ON `stages` (`tenant`,`rid`);--> statement-breakpoint
CREATE TABLE `catalogue_stages` (
	`tenant` text NOT NULL,
	`rid` text NOT NULL,
	`bytes` integer NOT NULL,
	`version` integer NOT NULL,
	PRIMARY KEY(`tenant`, `rid`)
);
