CREATE TABLE `announcement` (
	`id` integer PRIMARY KEY NOT NULL,
	`tenant` text NOT NULL,
	`rid` text NOT NULL,
	`dirty` integer NOT NULL,
	`version` integer NOT NULL
);
