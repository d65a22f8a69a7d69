CREATE TABLE `moved` (
	`id` integer PRIMARY KEY NOT NULL,
	`run_id` integer NOT NULL,
	`grown` integer NOT NULL,
	`rested` integer NOT NULL,
	`looked_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `moves` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`prefix` text NOT NULL,
	`begun_at` integer NOT NULL
);
