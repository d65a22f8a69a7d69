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
	`version` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `catalogue_by_rid` ON `catalogue` (`tenant`,`rid`);--> statement-breakpoint
CREATE INDEX `catalogue_by_age` ON `catalogue` (`tenant`,`id`);