CREATE TABLE `keys` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` integer NOT NULL,
	`hash` text NOT NULL,
	`name` text NOT NULL,
	`scopes` text NOT NULL,
	`run` text,
	`share` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer,
	`last_used_at` integer
);
--> statement-breakpoint
CREATE INDEX `keys_by_tenant` ON `keys` (`tenant_id`,`created_at`);--> statement-breakpoint
CREATE TABLE `secrets` (
	`name` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `tenants` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` text,
	`storage` text NOT NULL,
	`created_at` integer NOT NULL,
	`suspended` integer DEFAULT 0 NOT NULL,
	`retired_at` integer,
	`requests_per_minute` integer,
	`stored_bytes` integer,
	`runs` integer,
	`body_bytes` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `tenants_name_unique` ON `tenants` (`name`);--> statement-breakpoint
CREATE UNIQUE INDEX `tenants_storage_unique` ON `tenants` (`storage`);--> statement-breakpoint
ALTER TABLE `chains` ADD `bytes` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `runs` ADD `meta_bytes` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `catalogue` ADD `bytes` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
UPDATE `runs` SET `meta_bytes` = (SELECT coalesce(sum(CASE typeof(`data`) WHEN 'text' THEN octet_length(`data`) * 3 / 4 ELSE octet_length(`data`) END), 0) FROM `run_meta` WHERE `run_id` = `runs`.`id`);--> statement-breakpoint
UPDATE `chains` SET `bytes` = `tail_bytes` + (SELECT coalesce(sum(CASE typeof(`data`) WHEN 'text' THEN octet_length(`data`) * 3 / 4 ELSE octet_length(`data`) END), 0) FROM `chunks` WHERE `chain_id` = `chains`.`id`);
